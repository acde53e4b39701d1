"""Budgets as people meet them in Slack, through the whole service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bots.playground.slack.posts import SlackPost
from tests.databases import Place
from tests.scenario.test_choosing import slack_command
from tests.scenario.test_slack import ADA, GENERAL, GRACE, answers, ask, mention
from tests.world import World, running

LITTLE = 100  # micro-dollars, for which there is no answer
SHORTCUT = "bise_cost"


@asynccontextmanager
async def poor(tmp_path: Path, place: Place, **settings: Any) -> AsyncIterator[World]:
    """A world in which a person may spend next to nothing in a day."""
    async with running(tmp_path, place=place, user_daily_budget=LITTLE, timezone="Europe/Paris", **settings) as world:
        yield world


def refusals(world: World, user: str = GRACE) -> list[SlackPost]:
    """What says to this person alone that there is no money."""
    return [post for post in world.slack.ephemerals(user) if "I cannot answer this now" in post.shown]


def buttons(post: SlackPost) -> list[str]:
    return [button.label for button in post.buttons]


async def test_a_refusal_in_a_channel_is_shown_to_the_asker_alone(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        root = await world.slack.post(GRACE, GENERAL, mention(world, "What is a bise?"))
        await world.slack.until(lambda: bool(refusals(world)))
        await world.idle()
        [told] = refusals(world)
        assert told.thread_ts == root
        assert "$0.0001 is left of the $0.0001 that you may spend today" in told.shown
        assert "00:00 (Europe/Paris time)" in told.shown
        assert "An admin can raise the limit (`/bise budget set`)" in told.shown
        assert buttons(told) == ["Ask an admin"]
        assert answers(world, root) == [], "nobody else reads of it"
        assert not world.slack.status(GENERAL, root)
        assert not refusals(world, ADA)


async def test_an_answer_that_shows_already_is_taken_back_before_the_asker_is_told(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place) as world:
        world.slack.faults.refused = {"assistant.threads.setStatus": "missing_scope"}
        root = await world.slack.post(GRACE, GENERAL, mention(world, "What is a bise?"))
        await world.slack.until(lambda: bool(refusals(world)))
        await world.idle()
        assert answers(world, root) == []


async def test_where_slack_shows_no_one_persons_message_it_is_a_direct_one(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        world.slack.faults.refused = {"chat.postEphemeral": "user_not_in_channel"}
        root = await world.slack.post(GRACE, GENERAL, mention(world, "What is a bise?"))
        await world.slack.until(lambda: any(post.bot_id for post in world.slack.messages("D0GRACE")))
        await world.idle()
        [told] = [post for post in world.slack.messages("D0GRACE") if post.bot_id]
        assert "I cannot answer this now" in told.shown
        assert buttons(told) == ["Ask an admin"]
        assert answers(world, root) == []


async def test_in_direct_messages_a_refusal_is_an_ordinary_answer(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        await world.slack.post(GRACE, "D0GRACE", "What is a bise?")
        await world.slack.until(lambda: any(post.bot_id for post in world.slack.messages("D0GRACE")))
        await world.idle()
        [told] = [post for post in world.slack.messages("D0GRACE") if post.bot_id]
        assert "I cannot answer this now" in told.shown
        assert buttons(told) == ["Ask an admin"]
        assert not world.slack.ephemerals(GRACE)


async def test_a_private_question_is_refused_with_the_same_words(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        await slack_command(world, "ask What is a bise?", user=GRACE)
        await world.slack.until(lambda: bool(refusals(world)))
        await world.idle()
        assert buttons(refusals(world)[-1]) == ["Ask an admin"]


async def test_limits_are_set_by_admins_hold_at_once_and_are_shown_to_everybody(world: World) -> None:
    assert "Only an admin" in await slack_command(world, "budget set day 2", user=GRACE)
    said = await slack_command(world, "budget set day 0.0001 user @Grace")
    assert said.startswith("Done: <@U0GRACE> may spend $0.0001 a day (it was $1.00).")
    root = await world.slack.post(GRACE, GENERAL, mention(world, "What is a bise?"))
    await world.slack.until(lambda: bool(refusals(world)))
    assert answers(world, root) == []
    await ask(world, "And for me?")
    said = await slack_command(world, "budget set default day user @Grace")
    assert "may spend $1.00 a day (it was $0.0001)" in said
    shown = await slack_command(world, "budget", user=GRACE)
    assert "• You: $0.00 spent, $1.00 left of $1.00" in shown
    assert "• This workspace: $0.00" in shown
    assert "<#C0GENERAL>" in shown
    assert "changes a limit" not in shown
    assert "changes a limit" in await slack_command(world, "budget show")


async def test_a_limit_below_what_is_spent_is_taken_and_said_to_block(world: World) -> None:
    await ask(world, "Hello")
    said = await slack_command(world, "budget set month 0.000001 channel")
    assert "<#C0GENERAL> may spend $0.000001 a month (there was no limit before)" in said
    assert "is already spent or held: I refuse new questions until" in said
    await world.slack.post(ADA, GENERAL, mention(world, "And now?"))
    await world.slack.until(lambda: bool(refusals(world, ADA)))
    assert "that this channel may spend this month" in refusals(world, ADA)[0].shown


async def test_what_is_written_wrong_is_told_in_one_sentence(world: World) -> None:
    for wrong in ("5,00", "-1", "0", "NaN", "1e9", "0.1234567"):
        said = await slack_command(world, f"budget set day {wrong}")
        assert said.startswith("A limit"), wrong
        assert "\n" not in said
    assert "Write `/bise budget set month 25`" in await slack_command(world, "budget set 25")
    assert "cannot tell who that is" in await slack_command(world, "budget set day 1 user @Nobody")


async def test_usage_tells_limits_models_and_channels(world: World) -> None:
    await ask(world, "Hello")
    said = await slack_command(world, "usage")
    assert "Your part of this month: $0.0" in said
    assert "Models this month: `mistral-large-2512` $0." in said
    assert "Channels this month: <#C0GENERAL> $0." in said
    assert "• You: $0.0" in said


async def test_the_menu_of_an_answer_tells_its_cost_to_the_one_who_asks(world: World) -> None:
    root = await ask(world, "Hello")
    [answer] = answers(world, root)
    await world.slack.shortcut(GRACE, GENERAL, answer.ts, SHORTCUT)
    await world.slack.until(lambda: bool(world.slack.ephemerals(GRACE)))
    [told] = world.slack.ephemerals(GRACE)
    assert told.shown.startswith("This answer cost $0.")
    assert "one call of `mistral-large-2512`" in told.shown
    await world.slack.shortcut(GRACE, GENERAL, root, SHORTCUT)
    await world.slack.until(lambda: len(world.slack.ephemerals(GRACE)) == 2)
    assert world.slack.ephemerals(GRACE)[-1].shown.startswith("That is no answer of mine")


async def test_admins_choose_zone_people_and_economy_for_the_workspace(world: World) -> None:
    assert "Only an admin" in await slack_command(world, "settings zone Europe/Paris", user=GRACE)
    assert "`Europe/Paris`" in await slack_command(world, "settings zone europe/paris")
    assert "did you mean Europe/Paris?" in await slack_command(world, "settings zone Europe/Pariss")
    assert "Each such look is written down" in await slack_command(world, "settings people on")
    assert "Write on or off" in await slack_command(world, "settings people maybe")
    assert "once 80 % of" in await slack_command(world, "settings economy 80")
    assert "1 to 100" in await slack_command(world, "settings economy 800")
    told = await slack_command(world, "settings")
    assert "zone `Europe/Paris`; figures of single people `on`; the economy model takes over: from 80 %" in told


async def test_an_answer_tells_in_one_line_what_was_saved(world: World) -> None:
    await slack_command(world, "budget set day 0.002 user @Ada")
    root = await ask(world, "Hello")
    [answer] = answers(world, root)
    assert [note for note in answer.notes if note.startswith("The budget is running low, so I ")]


async def test_two_refusals_at_once_tell_both_askers(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        await asyncio.gather(*(world.slack.post(user, GENERAL, mention(world, "Hello")) for user in (ADA, GRACE)))
        await world.slack.until(lambda: bool(refusals(world, ADA)) and bool(refusals(world, GRACE)))
