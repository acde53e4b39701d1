"""`bise ask` against the scripted API: one question from the terminal, as a program would ask it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import migrations
from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from bots.terminal.ask import ask
from core.errors import SchemaOutdated, SettingsError, WrongUse
from core.settings import Settings
from tests.fakes import rows, settings_at
from tests.integration.test_turn_images import png


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="k")
    async with simulator.running():
        yield simulator


@pytest.fixture(autouse=True)
def _logs_apart() -> Iterator[None]:
    """The command sends its log to stderr (tests/unit/test_cli.py); here it is only out of the way."""
    with capture_logs():
        yield


@pytest.fixture
def settings(simulator: MistralSimulator, tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "data" / "bise.db", mistral_api_key="k", mistral_base_url=simulator.base_url)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


async def test_an_answer_is_on_stdout_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert await ask(settings, "What is a bise?", [], as_json=False) == 0
    assert capsys.readouterr().out == "You said: What is a bise?\n"


async def test_an_assistant_and_a_model_are_asked_by_name(settings: Settings, simulator: MistralSimulator) -> None:
    chosen = {"assistant": "translate", "model": "mistral-small-latest"}
    assert await ask(settings, "Guten Tag", [], as_json=True, **chosen) == 0
    body = simulator.requests[-1].body
    assert isinstance(body, dict)
    assert body["messages"][0]["content"].startswith("You translate.")
    assert (body["model"], body["temperature"]) == ("mistral-small-2603", 0.3)


async def test_a_name_that_nobody_knows_leaves_no_trace(settings: Settings, simulator: MistralSimulator) -> None:
    with pytest.raises(WrongUse, match="Did you mean `translate`"):
        await ask(settings, "Guten Tag", [], as_json=True, assistant="translat")
    with pytest.raises(WrongUse, match="I know no model `gpt-4`"):
        await ask(settings, "Guten Tag", [], as_json=True, model="gpt-4")
    assert not settings.database_file.exists()
    assert not simulator.requests


async def test_as_json_it_has_its_cost_and_equals_the_bill(
    settings: Settings, simulator: MistralSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask(settings, "What is a bise?", [], as_json=True) == 0
    call = simulator.calls[0]
    assert told(capsys) == {
        "answer": "You said: What is a bise?",
        "outcome": "done",
        "notices": [],
        "calls": 1,
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
        "cost_microusd": simulator.billed_microusd,
    }


async def test_the_first_question_makes_the_database_and_is_on_the_ledger_of_the_terminal(settings: Settings) -> None:
    await ask(settings, "Hello", [], as_json=True)
    await ask(settings, "Hello again", [], as_json=True)
    file = settings.database_file
    assert rows(file, "SELECT platform, external_id FROM workspace") == [("local", "cli")]
    assert rows(file, "SELECT count(*) FROM conversation") == [(2,)], "each question stands for itself"
    assert rows(file, "SELECT state FROM turn") == [("done",), ("done",)]


async def test_images_are_shown(
    settings: Settings, tmp_path: Path, simulator: MistralSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, notes = tmp_path / "photo.png", tmp_path / "notes.txt"
    photo.write_bytes(png())
    notes.write_text("no image")
    assert await ask(settings, "What is this?", [photo, notes], as_json=True) == 0
    found = told(capsys)
    assert "I see 1 image." in found["answer"]
    assert found["notices"] == ["I did not read notes.txt: I can only read PDFs and images (PNG, JPEG, WEBP, GIF)."]
    assert simulator.requests[0].body["model"] == "mistral-large-2512"


async def test_a_cut_answer_is_printed_as_far_as_it_came_and_fails(
    settings: Settings, simulator: MistralSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    simulator.then(Reply(chunks=("A cold ", "wind"), cut_after=1))
    assert await ask(settings, "What is a bise?", [], as_json=False) == 1
    shown = capsys.readouterr()
    assert shown.out == "A cold \n"
    assert "broke off" in shown.err


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "refused this installation's key"), (402, "Look after its billing"), (403, "its own rules")],
)
async def test_a_refusal_is_one_sentence_a_person_understands(
    settings: Settings, simulator: MistralSimulator, capsys: pytest.CaptureFixture[str], status: int, says: str
) -> None:
    simulator.then(error(status, "no"))
    assert await ask(settings, "Hello", [], as_json=True) == 1
    found = told(capsys)
    assert (found["answer"], found["outcome"]) == ("", "failed")
    assert says in found["notices"][0]


async def test_a_model_without_a_price_is_named_and_never_called(
    settings: Settings, simulator: MistralSimulator
) -> None:
    with pytest.raises(SettingsError, match="BISE_MODEL gpt-99"):
        await ask(settings.model_copy(update={"model": "gpt-99"}), "Hello", [], as_json=True)
    assert len(simulator.requests) == 0


@pytest.mark.parametrize("text", ["", " \n"])
async def test_an_empty_question_is_wrong_use(settings: Settings, text: str) -> None:
    with pytest.raises(WrongUse, match="The question is empty"):
        await ask(settings, text, [], as_json=False)
    assert not settings.database_file.exists()


async def test_a_file_that_is_not_there_is_wrong_use(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="There is no file"):
        await ask(settings, "What is this?", [tmp_path / "none.png"], as_json=False)


async def test_without_a_way_to_a_model_the_setting_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="MISTRAL_API_KEY is missing"):
        await ask(Settings(), "Hello", [], as_json=False)


async def test_a_question_of_a_hundred_thousand_characters_is_refused_in_words(
    settings: Settings, simulator: MistralSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await ask(settings, "x" * 100_000, [], as_json=True) == 1
    assert "48,000 characters" in told(capsys)["notices"][0]
    assert len(simulator.requests) == 0


async def test_an_old_database_is_not_written_to(settings: Settings) -> None:
    migrations.upgrade(settings.database_file)
    connection = sqlite3.connect(settings.database_file)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaOutdated, match="`bise migrate`"):
        await ask(settings, "Hello", [], as_json=False)
