""" "Ask again": who may, once, after any restart, and what becomes of the question."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from core import errors
from core.messages import ConversationKind, Notice, Person, Press, Pressed, WorkspaceKey
from tests.fakes import (
    ADA,
    BEN,
    GUEST,
    ROOT,
    TEAM,
    FakePlatform,
    House,
    ManualClock,
    ScriptedModel,
    house,
    message,
    said,
)

DOWN = [errors.ModelGivenUp("unavailable")]


def control(home: House, reply: int = -1) -> str:
    """The id of the button on an answer, empty where it has none."""
    answer = home.platform.replies[reply].answer
    assert answer is not None
    return answer.again


async def press(home: House, person: Person = ADA, *, reply: int = -1, workspace: WorkspaceKey = TEAM) -> Pressed:
    pressed = await home.core.press(Press(workspace, control(home, reply), person))
    await home.settled()
    return pressed


@pytest.mark.parametrize("person", [ADA, ROOT, Person("U5", "Named by BISE_ADMINS")], ids=["asker", "admin", "named"])
async def test_the_question_is_asked_again_by_a_turn_of_its_own(tmp_path: Path, person: Person) -> None:
    model = ScriptedModel(DOWN, ["A cold wind."])
    async with house(tmp_path, model=model, admins=("slack:U5",)) as home:
        await home.hear(message())
        assert home.platform.told() == ["model_given_up"]
        pressed = await press(home, person)
        assert (pressed.done, pressed.notice, pressed.turn) == (True, None, 2)
        old, new = home.platform.replies
        assert new.answer is not None
        assert (new.answer.text, new.answer.again) == ("A cold wind.", "")
        assert (new.order.asker, new.order.question, new.order.address) == (
            old.order.asker,
            old.order.question,
            old.order.address,
        )
        assert new.order.posts == ()
        query = "SELECT cause, ordinal, supersedes, state, message_id FROM turn ORDER BY id"
        assert home.rows(query) == [("asked", 1, None, "failed", 1), ("asked", 2, 1, "done", 1)]


async def test_the_failed_answer_is_nothing_that_the_model_is_shown(tmp_path: Path) -> None:
    model = ScriptedModel(DOWN, ["Paris."], ["Two million."])
    async with house(tmp_path, model=model) as home:
        await home.hear(message("Capital of France?"))
        await press(home)
        await home.hear(said("How many people?", "2"))
        assert model.prompts()[1] == [("user", "Ada: Capital of France?")]
        assert model.prompts()[2] == [
            ("user", "Ada: Capital of France?"),
            ("assistant", "Paris."),
            ("user", "Ada: How many people?"),
        ]


async def test_a_question_asked_again_later_stands_where_it_was_asked(tmp_path: Path) -> None:
    model = ScriptedModel(DOWN, ["Later."], ["Paris."], ["Both."])
    async with house(tmp_path, model=model) as home:
        await home.hear(message("First?"), said("Second?", "2"))
        await press(home, reply=0)
        assert model.prompts()[2] == [("user", "Ada: First?")]
        await home.hear(said("Third?", "3"))
        assert [words for _, words in model.prompts()[3]] == [
            "Ada: First?",
            "Paris.",
            "Ada: Second?",
            "Later.",
            "Ada: Third?",
        ]


async def test_the_repeat_of_half_an_answer_stands_for_both(tmp_path: Path) -> None:
    half = ["Half of an", errors.ModelServerError()]
    model = ScriptedModel(half, ["A whole answer."], ["Yes."])
    async with house(tmp_path, model=model) as home:
        await home.hear(message("What?"))
        await press(home)
        await home.hear(said("Really?", "2"))
    assert [words for _, words in model.prompts()[-1]] == ["Ada: What?", "A whole answer.", "Ada: Really?"]


async def test_twins_of_a_press_ask_once(tmp_path: Path) -> None:
    model = ScriptedModel(DOWN)
    async with house(tmp_path, model=model) as home:
        await home.hear(message())
        again = Press(TEAM, control(home), ADA)
        outcomes = await asyncio.gather(*(home.core.press(again) for _ in range(5)))
        await home.settled()
        assert sorted(one.done for one in outcomes) == [False] * 4 + [True]
        assert [one.notice.name for one in outcomes if one.notice is not None] == ["already_asked_again"] * 4
        assert len(model.requests) == 2
        assert (await press(home, reply=0)).notice == Notice("already_asked_again")


async def test_the_next_failure_has_a_button_of_its_own(tmp_path: Path) -> None:
    async with house(tmp_path, model=ScriptedModel(DOWN, DOWN, ["At last."])) as home:
        await home.hear(message())
        await press(home)
        assert control(home, 1) not in ("", control(home, 0))
        await press(home)
        assert home.platform.replies[2].text == "At last."
        assert home.rows("SELECT ordinal, supersedes FROM turn ORDER BY id") == [(1, None), (2, 1), (3, 2)]


async def test_a_stranger_and_a_guest_are_told_kindly_and_nothing_is_asked(tmp_path: Path) -> None:
    model = ScriptedModel(DOWN)
    async with house(tmp_path, model=model) as home:
        await home.hear(message())
        assert await press(home, BEN) == Pressed(False, Notice("again_not_yours"))
        assert await press(home, replace(GUEST, admin=True)) == Pressed(False, Notice("external"))
        assert (await press(home, ADA)).done, "what others pressed has not used it up"


async def test_an_unknown_button_and_one_of_another_workspace_are_gone(tmp_path: Path) -> None:
    async with house(tmp_path, model=ScriptedModel(DOWN)) as home:
        await home.hear(message(), message("Elsewhere", "2", workspace=WorkspaceKey("slack", "T2")))
        gone = Pressed(False, Notice("control_gone"))
        assert await press(home, reply=0, workspace=WorkspaceKey("slack", "T2")) == gone
        assert await press(home, reply=0, workspace=WorkspaceKey("slack", "T404")) == gone
        assert await home.core.press(Press(TEAM, "guessed", ADA)) == gone


async def test_a_question_that_was_deleted_is_not_asked_again(tmp_path: Path) -> None:
    model = ScriptedModel(DOWN)
    async with house(tmp_path, model=model) as home:
        await home.hear(message())
        deleted = text("UPDATE message SET deleted_at = sent_at")
        await home.core.database.write(lambda connection: connection.execute(deleted))
        assert await press(home) == Pressed(False, Notice("question_gone"))
        assert len(model.requests) == 1


async def test_a_workspace_that_is_allowed_no_longer_is_not_answered(tmp_path: Path) -> None:
    async with house(tmp_path, model=ScriptedModel(DOWN)) as home:
        await home.hear(message())
        again = control(home)
    async with house(tmp_path, allowed_workspaces=("slack:T2",)) as home:
        assert await home.core.press(Press(TEAM, again, ADA)) == Pressed(False, Notice("workspace_not_allowed"))


async def test_the_button_works_after_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path, model=ScriptedModel(DOWN)) as home:
        await home.hear(message())
        again = control(home)
    async with house(tmp_path, model=ScriptedModel(["A cold wind."])) as home:
        assert (await home.core.press(Press(TEAM, again, ADA))).done
        await home.settled()
        assert home.platform.replies[0].text == "A cold wind."


async def test_a_kept_answer_that_is_shown_by_the_next_process_keeps_its_button(tmp_path: Path) -> None:
    platform = FakePlatform()
    platform.failing = errors.PlatformUnavailable("away")
    clock = ManualClock()
    async with house(tmp_path, model=ScriptedModel(DOWN), platform=platform, clock=clock) as home:
        await home.core.accept(message())
        await asyncio.sleep(0.2)
        [(first,)] = home.rows("SELECT id FROM control WHERE kind = 'again'")
    async with house(tmp_path, clock=clock) as home:
        await home.settled()
        assert control(home) == first


@pytest.mark.parametrize(
    "error",
    [
        errors.ModelGivenUp("unavailable"),
        errors.ModelHeldBack("full"),
        errors.ModelOverloaded(status=503),
        errors.ModelRateLimited(status=429),
        errors.ModelServerError(status=500),
        errors.ModelUnreachable("refused"),
        errors.FirstByteTimeout("late"),
        errors.StreamCut("cut"),
        errors.ModelUnauthorized(status=401),
        errors.ModelOutOfCredit(status=402),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whoever_could_not_have_the_model_gets_a_button(tmp_path: Path, error: errors.ModelError) -> None:
    async with house(tmp_path, model=ScriptedModel(*[[error]] * 10)) as home:
        await home.hear(message())
        assert control(home)


@pytest.mark.parametrize(
    "script",
    [
        [errors.ModelForbidden(status=403)],
        [errors.RequestRejected(status=422)],
        ["Half of ", errors.StreamCut("cut")],
        ["All of it."],
    ],
    ids=["forbidden", "rejected", "cut with text", "answered"],
)
async def test_where_asking_again_would_not_help_there_is_no_button(
    tmp_path: Path, script: list[str | errors.ModelError]
) -> None:
    async with house(tmp_path, model=ScriptedModel(script)) as home:
        await home.hear(message())
        assert control(home) == ""
        assert home.rows("SELECT COUNT(*) FROM control WHERE kind = 'again'") == [(0,)]


async def test_where_the_button_stands_holds_before_the_address_of_the_question(tmp_path: Path) -> None:
    async with house(tmp_path, model=ScriptedModel(DOWN)) as home:
        asked = {"channel": "C1", "response_url": "https://example.org/spent"}
        await home.hear(message(kind=ConversationKind.PRIVATE, source="command", address=asked))
        fresh = {"response_url": "https://example.org/fresh"}
        await home.core.press(Press(TEAM, control(home), ADA, fresh))
        await home.settled()
        assert home.platform.replies[1].order.address == {"channel": "C1", "response_url": "https://example.org/fresh"}
