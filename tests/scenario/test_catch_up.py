"""What people write while nobody listens, on both platforms: answered once, or on one notice, or nobody's business."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.playground.discord.faults import Limit
from core.turns.catching_up import WRITTEN_EVERY
from tests.databases import Place, place_of
from tests.scenario.missing import GENERAL, GRACE, HOUR, RANDOM, Missing, missing
from tests.world import soon


@pytest.fixture
async def away(place: Place) -> AsyncIterator[Missing]:
    """The bot was asked once on each platform, and then stopped; on either database."""
    async with missing(place) as world:
        await world.heard_once()
        await world.stop()
        yield world


async def test_what_was_asked_while_it_was_down_is_answered_once(away: Missing) -> None:
    await away.ask_slack("slack question")
    await away.slack.post("U0ADA", GENERAL, "slack follow-up", thread_ts=away.root)
    await away.slack.post("U0ADA", GENERAL, "said to nobody")
    late_thread = await away.slack.post(GRACE, GENERAL, "a thread of people")
    await away.ask_slack("summoned", user=GRACE, thread=late_thread)
    await away.ask_discord("discord question")
    await away.discord.post("Ada", "general", "said to nobody")
    await away.start()
    await away.quiet(6)
    assert sorted(away.asked()[2:]) == ["discord question", "slack follow-up", "slack question", "summoned"]
    assert "said to nobody" not in away.stored()
    assert away.slack_notices() == []
    assert away.discord_notices() == []
    await away.stop()
    await away.start()
    await asyncio.sleep(0.5)
    assert len(away.model.requests) == 6


async def test_direct_messages_written_while_it_was_down_are_answered(place: Place) -> None:
    async with missing(place) as world:
        await world.slack.post("U0ADA", "D0ADA", "slack, hello")
        await world.discord.post("Ada", world.discord.person_id("Ada"), "discord, hello")
        await world.quiet(2)
        await world.stop()
        await world.slack.post("U0ADA", "D0ADA", "slack, again")
        await world.discord.post("Ada", world.discord.person_id("Ada"), "discord, again")
        await world.start()
        await world.quiet(4)
        assert sorted(world.asked()[2:]) == ["discord, again", "slack, again"]


async def test_what_is_said_while_it_catches_up_comes_after_what_was_said_before(file: Place) -> None:
    async with missing(file) as world:
        slack, discord = world.slack, world.discord
        direct = discord.person_id("Ada")
        await slack.post("U0ADA", "D0ADA", "slack, hello")
        await discord.post("Ada", direct, "discord, hello")
        await world.quiet(2)
        await world.stop()
        await slack.post("U0ADA", "D0ADA", "slack, earlier")
        await discord.post("Ada", direct, "discord, earlier")
        slack.faults.slow_seconds = discord.faults.answer_delay = 0.3
        reads, looks = slack_reads(world), discord_looks(world)
        starting = asyncio.create_task(world.start())
        await soon(lambda: slack_reads(world) > reads)
        await slack.post("U0ADA", "D0ADA", "slack, later")
        await soon(lambda: discord_looks(world) > looks)
        await discord.post("Ada", direct, "discord, later")
        await starting
        await world.quiet(6)
        for platform in ("slack", "discord"):
            asked = [words for words in world.stored() if words.startswith(platform)]
            assert asked == [f"{platform}, {when}" for when in ("hello", "earlier", "later")]


async def test_a_chat_thread_goes_on_after_a_downtime(place: Place) -> None:
    async with missing(place) as world:
        await world.discord.command("Ada", "general", "chat", {"topic": "winds"})
        await world.quiet(1)
        [thread] = world.discord.threads("general")
        await world.discord.post("Ada", thread, "and the mistral?")
        await world.quiet(2)
        await world.stop()
        await world.discord.post("Ada", thread, "and the foehn?")
        await world.start()
        await world.quiet(3)
        assert world.asked()[2:] == ["and the foehn?"]


async def test_late_questions_get_one_quiet_notice_a_channel_and_are_answered_in_order_on_a_press(
    place: Place,
) -> None:
    async with missing(place, start=False) as world:
        world.clock.back = HOUR
        await world.start()
        await world.heard_once()
        await world.stop()
        for number in range(3):
            await world.ask_slack(f"late {number}", thread=world.root)
            await world.ask_discord(f"late {number}")
        await world.ask_slack("help")
        world.clock.back = 0.0
        await world.ask_slack("fresh")
        await world.start()
        await world.quiet(3)
        await soon(lambda: world.slack_notices() and world.discord_notices())
        assert world.asked()[2:] == ["fresh"]
        [slack], [discord] = world.slack_notices(), world.discord_notices()
        assert discord.pings == ()

        [button] = slack.buttons
        await world.slack.press(GRACE, GENERAL, slack.ts, button.action_id)
        await world.slack.until(
            lambda: any("Only those who asked" in post.shown for post in world.slack.ephemerals(GRACE))
        )
        await world.discord.press("Grace", "general", discord.id, next(iter(discord.buttons)))
        assert len(world.model.requests) == 3

        await world.stop()
        await world.start()
        await world.slack.press("U0ADA", GENERAL, slack.ts, button.action_id)
        await world.quiet(6)
        assert world.asked()[3:] == ["late 0", "late 1", "late 2"]
        await world.slack.until(lambda: "I answer now" in world.slack.ephemerals("U0ADA")[-1].shown)
        assert world.slack_notices()[0].buttons == ()
        await world.discord.press("Ada", "general", discord.id, next(iter(discord.buttons)))
        await world.quiet(9)
        assert sorted(world.asked()[6:]) == ["late 0", "late 1", "late 2"]  # each begins a conversation of its own
        [discord] = [post for post in world.discord.messages("general") if post.id == discord.id]
        assert "I answer now" in discord.content
        assert discord.buttons == {}
        await world.stop()
        await world.start()
        await asyncio.sleep(0.5)
        assert len(world.model.requests) == 9
        assert len(world.slack_notices()) == 1


async def test_what_was_asked_more_than_a_day_ago_is_left_alone(place: Place) -> None:
    async with missing(place, start=False) as world:
        world.clock.back = 25 * HOUR
        await world.start()
        await world.heard_once()
        await world.stop()
        await world.ask_slack("yesterday")
        await world.ask_discord("yesterday")
        world.clock.back = 0.0
        await world.ask_slack("today")
        await world.ask_discord("today")
        await world.start()
        await world.quiet(4)
        assert world.asked()[2:] == ["today", "today"]
        assert "yesterday" not in world.stored()
        assert (world.slack_notices(), world.discord_notices()) == ([], [])


async def test_nothing_said_before_the_first_start_is_answered(place: Place) -> None:
    async with missing(place, start=False) as world:
        await world.ask_slack("before its time")
        await world.ask_discord("before its time")
        await world.start()
        await world.heard_once()
        assert world.asked() == ["hello", "hello"]
        await world.stop()
        await world.ask_discord("in a channel that was silent", channel="random")
        await world.start()
        await world.quiet(3)
        assert world.asked()[2:] == ["in a channel that was silent"]


async def test_that_it_listens_is_written_down_before_a_kill_can_forget_it(place: Place) -> None:
    async with missing(place):
        began = "SELECT count(*) FROM channel_mark WHERE channel = ''"
        await soon(lambda: place.rows(began) == [(2,)], WRITTEN_EVERY / 2)


async def test_a_kill_before_the_first_mark_of_a_channel_loses_nothing(place: Place) -> None:
    async with missing(place) as world:
        await world.heard_once()
        await world.stop()
        place.change("DELETE FROM channel_mark WHERE channel <> ''")  # they are written every few seconds
        await world.ask_slack("slack question")
        await world.ask_discord("discord question")
        await world.start()
        await world.quiet(4)
        assert sorted(world.asked()[2:]) == ["discord question", "slack question"]


async def test_a_session_that_was_lost_is_caught_up(file: Place) -> None:
    # On one database: the connection is what differs from a downtime, and that takes its seconds.
    async with missing(file) as world:
        await world.heard_once()
        world.discord.invalidate_sessions()
        await world.ask_discord("into the gap")
        await world.quiet(3)
        assert world.asked()[2:] == ["into the gap"]
        assert world.discord.gateway.identifies == 2


async def test_slack_is_caught_up_after_its_connection_was_away(file: Place) -> None:
    # On one database: the connection is what differs from a downtime, and that takes its seconds.
    async with missing(file) as world:
        world.slack.faults.retry_delays = ()  # it brings nothing again
        await world.heard_once()
        await world.slack.drop_sockets(abruptly=True)
        await world.ask_slack("into the gap")
        await world.quiet(3)
        assert world.asked()[2:] == ["into the gap"]


async def test_a_thread_begun_while_slack_is_read_back_is_caught_up_with_as_well(file: Place) -> None:
    async with missing(file) as world:
        slack = world.slack
        slack.faults.retry_delays = ()
        await world.heard_once()
        slack.faults.rate_limits, slack.faults.rate_window = {"conversations.history": 0}, 1.0
        await slack.drop_sockets(abruptly=True)
        await slack.until(lambda: slack.sockets == 1)
        thread = await world.ask_slack("begun meanwhile", channel=RANDOM)
        await world.quiet(3)
        await slack.drop_sockets(abruptly=True)
        await world.ask_slack("into the gap", channel=RANDOM, thread=thread)
        slack.faults.rate_limits = False
        await world.quiet(4)
        assert world.asked()[2:] == ["begun meanwhile", "into the gap"]


async def test_what_could_not_be_stored_is_answered_once_the_database_is_back(place: Place) -> None:
    async with missing(place) as world:
        world.slack.faults.retry_delays = ()
        await world.heard_once()
        place.change("ALTER TABLE message RENAME TO message_away")
        await world.ask_slack("slack, unheard")
        await world.ask_discord("discord, unheard")
        told = "as soon as I can"
        await soon(lambda: any(told in post.content for post in world.discord.messages("general")))
        await asyncio.sleep(0.3)
        place.change("ALTER TABLE message_away RENAME TO message")
        await world.ask_slack("slack, heard")  # what is stored behind it in its channel does not hide it
        await world.ask_discord("discord, heard")
        await world.quiet(6)
        heard = ["discord, heard", "discord, unheard", "slack, heard", "slack, unheard"]
        assert sorted(world.asked()[2:]) == heard


async def test_a_notice_whose_answer_was_lost_is_not_posted_twice(place: Place) -> None:
    async with missing(place, start=False) as world:
        world.clock.back = HOUR
        await world.start()
        await world.heard_once()
        await world.stop()
        await world.ask_slack("late")
        await world.ask_discord("late")
        world.clock.back = 0.0
        world.slack.faults.commit_then_502_share = world.discord.faults.commit_then_502_share = 1.0
        await world.start()
        await soon(lambda: world.slack_notices() and world.discord_notices())
        await world.stop()  # it was posted, and nobody wrote that down
        world.slack.faults.commit_then_502_share = world.discord.faults.commit_then_502_share = 0.0
        world.discord.faults.nonce_life = 0.0
        await world.ask_slack("said after it")
        await world.start()
        await world.quiet(3)
        await soon(lambda: unposted(world) == 0)
        assert len(world.slack_notices()) == 1
        assert len(world.discord_notices()) == 1


async def test_a_notice_at_which_another_process_died_is_posted_a_little_later(tmp_path: Path) -> None:
    # On PostgreSQL alone: beside a SQLite file there is no other process.
    with place_of("postgres", tmp_path) as place:
        async with missing(place, start=False) as world:
            world.clock.back = HOUR
            await world.start()
            await world.heard_once()
            await world.stop()
            await world.ask_slack("late")
            world.clock.back = 0.0
            await world.start()
            await soon(lambda: world.slack_notices() and unposted(world) == 0)
            await world.stop()
            place.change(
                "UPDATE missed_notice SET platform_id = NULL, posted_at = NULL,"
                " claimed_until = now() + interval '2 seconds'"
            )
            await world.start()
            await soon(lambda: unposted(world) == 0)
            assert len(world.slack_notices()) == 1


async def test_a_restart_in_the_middle_goes_on(away: Missing) -> None:
    for number in range(6):
        await away.ask_discord(f"question {number}")
        await away.ask_slack(f"question {number}")
    for _ in range(3):
        await away.start()
        await asyncio.sleep(0.05)
        await away.stop()
    await away.start()
    await away.quiet(14)
    await soon(lambda: answered(away) == 2 * 7)
    await asyncio.sleep(0.3)
    assert answered(away) == 2 * 7


async def test_a_flood_is_read_back_politely_and_the_question_in_it_is_found(away: Missing) -> None:
    away.discord.faults.rate_limits = True
    away.discord.faults.others = Limit(3, 1.0)
    away.slack.faults.rate_limits = True
    away.slack.faults.rate_window = 1.0
    for number in range(520):  # more than is read back: the end of it is
        await away.discord.post("Grace", "general", f"chatter {number}")
        await away.slack.post(GRACE, GENERAL, f"chatter {number}")
    await away.ask_discord("after the flood")
    await away.ask_slack("after the flood")
    before = len(away.discord.calls), len(away.slack.calls)
    await away.start()
    await away.quiet(4)
    assert away.asked()[2:] == ["after the flood"] * 2
    assert not any("chatter" in words for words in away.stored())
    looks = [
        call
        for call in list(away.discord.calls)[before[0] :]
        if call.path.endswith("/messages") and call.method == "GET"
    ]
    assert len(looks) <= 7
    histories = [call for call in away.slack.calls[before[1] :] if call.method.startswith("conversations.")]
    assert len(histories) <= 6


def slack_reads(world: Missing) -> int:
    return sum(call.method == "conversations.history" for call in world.slack.calls)


def discord_looks(world: Missing) -> int:
    return sum(call.method == "GET" and call.path.endswith("/messages") for call in world.discord.calls)


def answered(world: Missing) -> int:
    """Posts of the bot, of both platforms."""
    slack = sum(post.bot_id is not None for post in world.slack.messages(GENERAL))
    return slack + sum(post.author == world.discord.bot_id for post in world.discord.messages("general"))


def unposted(world: Missing) -> int:
    return int(world.place.rows("SELECT count(*) FROM missed_notice WHERE posted_at IS NULL")[0][0])
