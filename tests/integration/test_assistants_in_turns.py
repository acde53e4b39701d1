"""What an assistant or a model that somebody chose does to the request of a turn."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from core import errors
from core.chat import ChatRequest, ImagePart
from core.messages import ConversationKind, WorkspaceKey
from core.turns.assistants import Assistants
from tests.databases import Place
from tests.databases import house as house_at
from tests.fakes import ADA, TEAM, FakePlatform, ManualClock, ScriptedModel, chained, direct, house, message, said
from tests.integration.test_turn_images import images, offer, picture

BUILT_IN = Assistants.load()
BY_TIER = {
    "default": "mistral-large-2512",
    "customer-service": "mistral-large-2512",
    "documents": "mistral-large-2512",  # the configured vision model is retired, and this one can see
    "code-review": "mistral-medium-3-5",
    "creative": "mistral-large-2512",
    "translate": "mistral-large-2512",
}


def told(request: ChatRequest) -> tuple[str, str, float | None, int, list[str]]:
    """What of a request an assistant decides: the prompt's first line, model, temperature, length, tools."""
    system = str(request.messages[0].content)
    return (
        system.splitlines()[0],
        request.model,
        request.temperature,
        request.max_tokens,
        [tool.name for tool in request.tools],
    )


def brought(name: str, longest: int = 4096) -> tuple[str, str, float | None, int, list[str]]:
    """The same as the assistant's row says it, where recent messages are not turned on."""
    row = BUILT_IN[name]
    tools = [tool for tool in row.tools if tool != "recent_messages"]
    most = min(row.max_tokens or longest, longest)
    return row.prompt.splitlines()[0], BY_TIER[name], row.temperature, most, tools


def on(model: ScriptedModel, number: int = -1) -> str:
    """The model of a request."""
    return model.requests[number].model


@pytest.mark.parametrize("name", BUILT_IN)
async def test_prompt_tier_temperature_length_and_tools_reach_the_request(tmp_path: Path, name: str) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        await home.hear(message(assistant=name))
        assert home.states() == ["done"]
    assert told(model.requests[0]) == brought(name)


async def test_no_assistant_answers_at_greater_length_than_the_setting_says(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model, max_tokens=500) as home:
        await home.hear(message(assistant="customer-service"))
    assert told(model.requests[0]) == brought("customer-service", longest=500)
    assert model.requests[0].max_tokens == 500


async def test_an_operators_assistant_is_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "assistants.toml"
    file.write_text(
        '[[assistant]]\nname = "pirate"\ndescription = "Talks so"\nprompt = "You are a pirate."\n'
        'tier = "economy"\ntemperature = 1.5\nmax_tokens = 77\ntools = ["calculate"]\n'
    )
    model = ScriptedModel()
    async with house(tmp_path, model=model, assistants_file=file) as home:
        await home.hear(message(assistant="pirate"))
    assert told(model.requests[0]) == ("You are a pirate.", "mistral-small-2603", 1.5, 77, ["calculate"])


async def test_an_assistant_that_was_taken_away_gives_way_to_the_default_one(place: Place) -> None:
    model = ScriptedModel()
    async with house_at(place, model=model) as home:
        await home.hear(message(assistant="creative"))
        place.change("UPDATE conversation SET assistant = 'gone'")
        await home.hear(said("And now?", "2"))
    assert [told(request) for request in model.requests] == [brought("creative"), brought("default")]


# which choice holds


async def test_the_conversations_choice_goes_before_the_channels_and_that_before_the_workspaces(place: Place) -> None:
    model = ScriptedModel()
    async with house_at(place, model=model) as home:
        choices = home.core.choices
        await home.hear(message(id="1"))
        await choices.choose_for_workspace("assistant", "translate", TEAM)
        await home.hear(message(id="2"))
        await choices.choose_for_channel("assistant", "code-review", TEAM, "C1", ADA)
        await home.hear(message(id="3"))
        await home.hear(message(id="4", assistant="creative"), said("And?", "5", "4"))
        elsewhere = {"channel": "C2", "source_id": "C2:6", "root": "C2:6"}
        await home.hear(message(id="6", **elsewhere))
        await home.hear(message("assistant default", "7", root="C1:4"), said("And?", "8", "4"))
    names = ["default", "translate", "code-review", "creative", "creative", "translate", "code-review"]
    assert [told(request) for request in model.requests] == [brought(name) for name in names]


async def test_a_chosen_model_goes_before_the_assistants_tier_by_the_same_order(place: Place) -> None:
    model = ScriptedModel()
    async with house_at(place, model=model) as home:
        choices = home.core.choices
        await choices.choose_for_workspace("model", "ministral-8b-2512", TEAM)
        await home.hear(message(id="1", assistant="code-review"))
        assert on(model) == "ministral-8b-2512"
        await choices.choose_for_channel("model", "mistral-small-latest", TEAM, "C1", ADA)
        await home.hear(message(id="2"))
        assert on(model) == "mistral-small-2603"
        await home.hear(message(id="3", model="codestral-2508"), said("And?", "4", "3"))
        assert [on(model, -2), on(model)] == ["codestral-2508"] * 2
        assert home.rows("SELECT DISTINCT model FROM usage ORDER BY model") == [
            ("codestral-2508",),
            ("ministral-8b-2512",),
            ("mistral-small-2603",),
        ]


async def test_a_thread_on_discord_follows_the_channel_that_it_hangs_in(tmp_path: Path) -> None:
    model = ScriptedModel()
    guild = chained("", "1").workspace
    thread: dict[str, Any] = {"kind": ConversationKind.CHAT, "channel": "77", "root": "77", "parent_channel": "55"}
    async with house(tmp_path, model=model, platform=FakePlatform("discord")) as home:
        await home.hear(chained("Hi", "1"))
        await home.core.choices.choose_for_channel("assistant", "translate", guild, "55", ADA)
        await home.hear(chained("Hi", "2", **thread))
    assert told(model.requests[1]) == brought("translate")


async def test_one_workspaces_choice_is_not_anothers(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        await home.hear(message(id="1"))
        await home.core.choices.choose_for_workspace("assistant", "creative", TEAM)
        await home.hear(message(id="2", workspace=WorkspaceKey("slack", "T2")), direct("Hi", "3"))
    assert [told(request) for request in model.requests] == [brought("default")] * 2 + [brought("creative")]


@pytest.mark.parametrize("level", ["conversation", "workspace"])
async def test_a_chosen_model_that_can_be_called_no_more_counts_as_none(place: Place, level: str) -> None:
    model = ScriptedModel()
    async with house_at(place, model=model) as home:
        await home.hear(message(assistant="code-review"))
        place.change(f"UPDATE {level} SET model = 'my-own-llm'")  # noqa: S608 - one of the two above
        await home.hear(said("And?", "2"))
        assert home.states() == ["done", "done"]
        held = await home.core.choices.holding(TEAM, "C1", 1)
    assert [told(request) for request in model.requests] == [brought("code-review")] * 2
    assert held.model == on(model), "what is told is what answers"


async def test_a_chosen_model_that_its_home_has_not_is_told_with_the_way_back(tmp_path: Path) -> None:
    server: dict[str, Any] = {"self_hosted": True, "mistral_base_url": "http://127.0.0.1:1", "chosen": "m1"}
    model = ScriptedModel([errors.ModelNotFound()], [errors.ModelNotFound()])
    async with house(tmp_path, model=model, **server) as home:
        await home.hear(message(model="trains"), message(id="2"))
        notices = [answer.notices[0] for answer in home.platform.answers if answer is not None]
    assert [dict(notice.values) for notice in notices] == [{"model": "trains", "by": "conversation"}, {"model": "m1"}]


# documents


async def test_the_documents_assistant_reads_texts_and_images_with_the_vision_model(tmp_path: Path) -> None:
    served = ManualClock(datetime(2026, 5, 30, tzinfo=UTC))
    model = ScriptedModel()
    async with house(tmp_path, model=model, clock=served) as home:
        offer(home, 1)
        await home.hear(message("What is due?", assistant="documents", attachments=(picture(1),)), said("When?", "2"))
    assert [request.model for request in model.requests] == ["pixtral-large-2411"] * 2
    assert [isinstance(part, ImagePart) for request in model.requests for part in images(request)] == [True, True]


async def test_a_blind_model_that_somebody_chose_lets_a_seeing_one_look(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with house(tmp_path, model=model) as home:
        offer(home, 1)
        await home.hear(message("Hi", model="codestral-2508"), said("And this?", "2", attachments=(picture(1),)))
    assert [request.model for request in model.requests] == ["codestral-2508", "mistral-medium-3-5"]
