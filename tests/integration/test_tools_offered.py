"""Which tools a model is offered: those of the assistant, where it can call them and where they may be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.messages import Answer, ConversationKind, IncomingMessage
from tests import fakes
from tests.databases import Place, house
from tests.fakes import TEAM, FakePlatform, ScriptedModel, chained, direct, message
from tests.integration.asking_world import SUM, calls, offered, results


async def test_a_model_that_is_not_known_to_call_tools_is_offered_none(place: Place) -> None:
    own: dict[str, Any] = {"self_hosted": True, "mistral_base_url": "http://127.0.0.1:1", "chosen": "my-model"}
    model = ScriptedModel(calls(SUM), ["399."])
    async with house(place, model=model, **own) as home:
        await home.hear(message())
        assert home.platform.replies[0].answer == Answer("399.", "done")
    assert [(request.tools, request.tool_choice) for request in model.requests] == [((), None)] * 2
    assert results(model.requests[1]) == [], "nor is anything called that was not offered"


async def test_what_was_said_lately_is_offered_only_where_the_workspace_turned_it_on(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."], calls(("recent_messages", "{}")), ["Three."])
    async with house(place, model=model) as home:
        await home.hear(message("The wind is cold.", "1"))
        await home.core.choices.allow_recent_messages(TEAM, allowed=True)
        await home.hear(message("So it is.", "2"), message("What was said?", "3"))
        await home.core.choices.allow_recent_messages(TEAM, allowed=False)
        await home.hear(message("And now?", "4"))
    assert [("recent_messages" in offered(request)) for request in model.requests] == [False, True, True, True, False]
    ((_, told),) = results(model.requests[3])
    texts = [one["text"] for one in told["messages"]]
    assert sorted(texts) == ["One.", "So it is.", "The wind is cold.", "Two."]


PRIVATE: list[IncomingMessage] = [
    direct("Directly", "1"),
    message("Privately", "2", source="command", kind=ConversationKind.PRIVATE, root=None),
    message("On a terminal", "3", kind=ConversationKind.TERMINAL, root=None),
]


@pytest.mark.parametrize("private", PRIVATE, ids=lambda one: one.kind.value)
async def test_what_was_said_lately_is_never_offered_in_private(tmp_path: Path, private: IncomingMessage) -> None:
    model = ScriptedModel(["Hi."], calls(("recent_messages", "{}")), ["I cannot."])
    async with fakes.house(tmp_path, model=model) as home:
        await home.hear(message("Openly", "9"))
        await home.core.choices.allow_recent_messages(TEAM, allowed=True)
        await home.hear(private)
    assert offered(model.requests[1]) == ["current_time", "calculate"]
    ((_, told),) = results(model.requests[2])
    assert list(told) == ["error"]


async def test_a_chain_of_replies_on_discord_may_look_around_its_channel(tmp_path: Path) -> None:
    model = ScriptedModel()
    async with fakes.house(tmp_path, model=model, platform=FakePlatform("discord")) as home:
        await home.hear(chained("q1", "1"))
        await home.core.choices.allow_recent_messages(chained("", "1").workspace, allowed=True)
        await home.hear(chained("q2", "2"))
    assert offered(model.requests[1]) == ["current_time", "calculate", "recent_messages"]
