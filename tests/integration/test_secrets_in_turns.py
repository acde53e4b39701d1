"""Secrets in messages on their way to the model: masked, refused or let through, and told of. On both databases."""

from __future__ import annotations

from core.chat import ChatRequest
from core.messages import Answer, Notice, Quoted
from tests.databases import Place, house
from tests.fakes import ADA, BEN, T0, TEAM, FakePlatform, ScriptedModel, chained, message, said, text_of
from tests.integration.asking_world import calls, results
from tests.unit.secret_samples import AWS_ID, BOT, GITHUB, VISA

LEFT_OUT = Notice("secrets_left_out", {"kinds": "aws_key"})


def read(request: ChatRequest) -> str:
    """All that the model reads of one request."""
    return "\n".join(text_of(one) for one in request.messages)


async def test_a_secret_is_kept_and_not_passed_on_and_told_of_once(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."])
    async with house(place, model=model) as home:
        await home.hear(message(f"Why is {AWS_ID} refused?", "1"))
        await home.hear(said("And now?", "2", mentioned=True))
        assert home.rows("SELECT text FROM message ORDER BY id LIMIT 1") == [(f"Why is {AWS_ID} refused?",)]
        assert [reply.answer for reply in home.platform.replies] == [
            Answer("One.", "done", (LEFT_OUT,)),
            Answer("Two.", "done"),
        ]
    assert all(AWS_ID not in read(request) for request in model.requests)
    assert all("Why is [AWS key left out] refused?" in read(request) for request in model.requests)


async def test_a_masked_history_begins_the_same_at_each_call(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."])
    async with house(place, model=model) as home:
        await home.hear(message(f"Why is {AWS_ID} refused?", "1"))
        await home.hear(said(f"And {BOT}?", "2", mentioned=True))
    first, second = model.requests
    assert second.messages[: len(first.messages)] == first.messages


async def test_what_others_wrote_around_a_question_loses_its_secrets_too(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."])
    async with house(place, model=model) as home:
        await home.hear(message("Hello", "1"), said(f"I use {GITHUB}", "2", author=BEN))
        await home.hear(said("Is that right?", "3", mentioned=True))
        answer = home.platform.replies[1].answer
    assert answer == Answer("Two.", "done", (Notice("secrets_left_out", {"kinds": "github_token"}),))
    assert GITHUB not in read(model.requests[1])


async def test_a_quoted_message_loses_its_secrets_too(place: Place) -> None:
    model = ScriptedModel(["One."])
    quoted = Quoted("5", BEN, f"my card is {VISA}", T0)
    async with house(place, model=model, platform=FakePlatform("discord")) as home:
        await home.hear(chained("What is this?", "6", "5", quoted=quoted, author=ADA))
        answer = home.platform.replies[0].answer
    assert answer == Answer("One.", "done", (Notice("secrets_left_out", {"kinds": "card_number"}),))
    assert "my card is [card number left out]" in read(model.requests[0])


async def test_a_tool_s_result_loses_its_secrets_also_where_it_is_cut(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."], calls(("recent_messages", "{}")), ["Three."])
    async with house(place, model=model) as home:
        await home.core.choices.allow_recent_messages(TEAM, allowed=True)
        await home.hear(message(f"The token is {GITHUB}", "1"), message("long " * 398 + GITHUB, "2"))
        await home.hear(message("What was said?", "3"))
    ((_, told),) = results(model.requests[3])
    texts = [one["text"] for one in told["messages"]]
    assert "The token is [GitHub token left out]" in texts
    assert GITHUB[:8] not in "".join(texts)


async def test_where_secrets_are_refused_the_model_is_not_asked_and_the_next_question_is_answered(place: Place) -> None:
    model = ScriptedModel(["Two."])
    async with house(place, model=model, secrets="refuse") as home:
        await home.hear(message(f"Why is {AWS_ID} refused?", "1"))
        assert model.requests == []
        refused = home.platform.replies[0].answer
        assert refused == Answer("", "done", (Notice("secrets_refused", {"kinds": "aws_key"}),), only_asker=True)
        await home.hear(said("And without it?", "2", mentioned=True))
        assert home.platform.replies[1].answer is not None
        assert home.rows("SELECT count(*) FROM usage") == [(1,)]
    assert AWS_ID not in read(model.requests[0])


async def test_a_workspace_chooses_for_itself_and_takes_it_back(place: Place) -> None:
    model = ScriptedModel(["One."], ["Two."])
    async with house(place, model=model) as home:
        choices = home.core.choices
        assert await choices.handle_secrets(TEAM, "OFF ") == Notice("secrets_hold", {"handling": "off"})
        assert (await choices.workspace_told(TEAM)).values["secrets"] == "off"
        await home.hear(message(f"Why is {AWS_ID} refused?", "1"))
        assert await choices.handle_secrets(TEAM, "sometimes") == Notice("secrets_which")
        assert await choices.handle_secrets(TEAM, "default") == Notice("secrets_hold", {"handling": "mask"})
        await home.hear(said("And now?", "2", mentioned=True))
        assert [reply.answer.notices for reply in home.platform.replies if reply.answer] == [(), ()]
    assert [AWS_ID in read(request) for request in model.requests] == [True, False]
