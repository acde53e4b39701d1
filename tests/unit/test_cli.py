"""The `bise` command as people and programs run it: a process of its own, exit statuses, stdout and stderr."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import migrations
from bots.__main__ import LATER, parser
from bots.playground.mistral.replies import error
from bots.playground.mistral.simulator import MistralSimulator


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line that was said on stderr."""
        (line,) = self.err.splitlines()
        return line


async def bise(folder: Path, *arguments: str, given: str = "", **environ: str) -> Ran:
    """Runs the command in a folder with an environment of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bots",
        *arguments,
        cwd=folder,
        env={**kept, "PYTHONPATH": str(Path(__file__).parents[2]), **environ},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(given.encode())
    return Ran(process.returncode or 0, out.decode(), err.decode())


async def at_once(folder: Path, *commands: tuple[str, ...], **environ: str) -> list[Ran]:
    return await asyncio.gather(*(bise(folder, *command, **environ) for command in commands))


async def test_wrong_use_is_one_line_and_status_two(tmp_path: Path) -> None:
    wrong = {
        ("frobnicate",): "invalid choice: 'frobnicate'",
        ("models", "--colour"): "unrecognized arguments: --colour",
        ("usage",): "required: --workspace",
        ("usage", "--workspace", "T0123"): "Write PLATFORM:ID",
        ("usage", "--workspace", "local:cli", "--since", "yesterday"): "'yesterday' is not a date such as 2026-11-23",
        ("ask", ""): "The question is empty",
        ("ask", "Hello", "--assistant", "translat"): "Did you mean `translate`?",
        ("ask", "Hello", "--model", "mistral-smal-2603"): "--model: I know no model `mistral-smal-2603`. Did you mean",
        ("report",): "required: --workspace",
        ("serve", "--roles", "cook"): "'cook' is not a role",
    }
    for command, ran in zip(wrong, await at_once(tmp_path, *wrong, MISTRAL_API_KEY="k"), strict=True):
        assert ran.status == 2, command
        assert ran.out == ""
        assert ran.line.startswith("bise")
        assert wrong[command] in ran.line
    assert list(tmp_path.iterdir()) == [], "wrong use leaves no trace"


async def test_a_wrong_setting_is_one_line_and_status_two(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("BISE_REPORT_HOUR=99\n")
    wrong, missing = await asyncio.gather(
        bise(tmp_path, "models"), bise(tmp_path, "serve", BISE_REPORT_HOUR="9", DISCORD_TOKEN="a.b.c")
    )
    assert (wrong.status, missing.status) == (2, 2)
    assert wrong.line.startswith("bise: BISE_REPORT_HOUR ")
    assert missing.line.startswith("bise: MISTRAL_API_KEY is missing")


async def test_migrating_twice_is_harmless_and_a_misspelt_setting_is_hinted_at(tmp_path: Path) -> None:
    first = await bise(tmp_path, "migrate", "--json")
    second = await bise(tmp_path, "migrate", BISE_MODLE="x")
    assert (first.status, second.status) == (0, 0)
    assert json.loads(first.out) == {"before": None, "now": migrations.NEWEST}
    assert first.err == ""
    hint, done = second.err.splitlines()
    assert hint == "bise: BISE_MODLE is not a setting of Bise; did you mean BISE_MODEL?"
    assert f"is up to date (schema {migrations.NEWEST})" in done
    assert (tmp_path / "data" / "bise.db").stat().st_mode & 0o777 == 0o600


async def test_a_question_and_its_figures_as_a_program_reads_them(tmp_path: Path) -> None:
    simulator = MistralSimulator()
    async with simulator.running() as base_url:
        environ = {"MISTRAL_API_KEY": "k", "MISTRAL_BASE_URL": base_url}
        asked = await bise(tmp_path, "ask", "-", "--json", given="What is a bise?\n", **environ)
        assert (asked.status, asked.err) == (0, "")
        assert json.loads(asked.out)["answer"] == "You said: What is a bise?\n"
        streamed = await bise(tmp_path, "ask", "Hello", "--model", "mistral-small-2603", **environ)
        assert (streamed.status, streamed.out) == (0, "You said: Hello\n")
    used, table, nobody = await at_once(
        tmp_path,
        ("usage", "--workspace", "local:cli", "--by", "model", "--json"),
        ("usage", "--workspace", "local:cli", "--by", "day"),
        ("usage", "--workspace", "slack:T404"),
    )
    found = json.loads(used.out)
    figures = ("calls", "prompt_tokens", "completion_tokens", "cached_tokens", "cost_microusd", "estimated_microusd")
    assert list(found) == ["total", "by"]
    assert tuple(found["total"]) == figures
    assert [tuple(row) for row in found["by"]] == [("model", *figures)] * 2
    assert {row["model"] for row in found["by"]} == {"mistral-large-2512", "mistral-small-2603"}
    assert found["total"]["calls"] == 2
    assert found["total"]["cost_microusd"] == simulator.billed_microusd
    assert found["total"]["estimated_microusd"] == 0
    assert table.status == 0
    assert table.out.splitlines()[-1].startswith("total")
    assert nobody.status == 2
    assert "nobody has asked Bise anything there yet" in nobody.line


async def test_a_model_is_named_as_in_the_chat_and_leaves_the_settings_alone(tmp_path: Path) -> None:
    simulator = MistralSimulator()
    async with simulator.running() as base_url:
        environ = {"MISTRAL_API_KEY": "k", "MISTRAL_BASE_URL": base_url, "BISE_MODEL": "ministral-8b-2512"}
        await bise(tmp_path, "migrate")
        names = ("default", "economy", "codestral-2508")
        for ran in await at_once(tmp_path, *(("ask", "Hello", "--model", name) for name in names), **environ):
            assert (ran.status, ran.out) == (0, "You said: Hello\n"), ran.err
    asked = {request.body["model"] for request in simulator.requests}
    assert asked == {"ministral-8b-2512", "mistral-small-2603", "codestral-2508"}


async def test_whoever_asks_from_the_terminal_is_told_how_to_mend_an_empty_account(tmp_path: Path) -> None:
    simulator = MistralSimulator()
    simulator.then(error(402, "Payment required"))
    async with simulator.running() as base_url:
        ran = await bise(tmp_path, "ask", "Hello", MISTRAL_API_KEY="k", MISTRAL_BASE_URL=base_url)
    assert (ran.status, ran.out) == (1, "")
    assert "has no credit for this key any more" in ran.err


async def test_what_was_asked_for_and_failed_is_status_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    simulator = MistralSimulator(api_key="another")
    async with simulator.running() as base_url:
        refused, unasked, no_database = await asyncio.gather(
            bise(tmp_path, "ask", "Hello", "--json", MISTRAL_API_KEY="wrong-key", MISTRAL_BASE_URL=base_url),
            bise(tmp_path, "migrate", DATABASE_URL="sqlite+aiosqlite:///file/bise.db"),
            bise(tmp_path, "usage", "--workspace", "local:cli", DATABASE_URL="sqlite+aiosqlite:///no/bise.db"),
        )
    assert (refused.status, refused.err) == (1, "")
    assert json.loads(refused.out)["notices"][0].startswith("I could not reach the model: it refused this inst")
    assert "wrong-key" not in refused.out
    assert (unasked.status, no_database.status) == (1, 1)
    assert "cannot be opened" in unasked.line
    assert "run `bise migrate`" in no_database.line


async def test_the_list_of_models_needs_no_account(tmp_path: Path) -> None:
    as_json, table = await at_once(tmp_path, ("models", "--json"), ("models",))
    found = json.loads(as_json.out)
    assert found["live_known"] is False
    by_id = {model["id"]: model for model in found["models"]}
    assert (by_id["mistral-large-2512"]["input_usd"], by_id["mistral-large-2512"]["output_usd"]) == (0.5, 1.5)
    assert by_id["pixtral-large-2411"]["status"] == "retired"
    assert by_id["pixtral-large-2411"]["replacement"] == "mistral-medium-3-5"
    assert table.status == 0
    assert "set MISTRAL_API_KEY" in table.err


def test_every_subcommand_has_help_with_an_example_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("serve", "playground", "doctor", "migrate", "ask", "models", "usage", "budget", "privacy"):
        with pytest.raises(SystemExit) as caught:
            parser().parse_args([name, "--help"])
        assert caught.value.code == 0
        text = capsys.readouterr().out
        assert f"Example: bise {name}" in " ".join(text.split())
        assert "--json" in text


def test_what_the_contract_names_and_later_versions_build_is_known() -> None:
    assert LATER == ()
