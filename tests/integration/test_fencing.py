"""Two processes on one database: the one that was away writes nothing more, the other one's answer stands, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from core.errors import PlaceGone
from core.messages import Answer, Post, Press, ReplyOrder
from core.ports import PostLog, TurnLost
from core.store import leases as stored
from core.store import posts, turns
from core.turns.lease import Leases, TurnLease
from core.turns.post_log import TurnPosts
from tests.databases import Place, house
from tests.fakes import (
    ADA,
    PATIENCE,
    T0,
    TEAM,
    FakePlatform,
    FakeReply,
    House,
    ManualClock,
    ScriptedModel,
    message,
    said,
)

AWAY = timedelta(seconds=8)  # longer than a lease, and what clocks may differ by


class LateReply(FakeReply):
    """Its final write is under way while its platform holds it, as a real one's is while its process is stopped."""

    def __init__(self, platform: LatePlatform, order: ReplyOrder, log: PostLog) -> None:
        super().__init__(platform, order, log)
        self._held = platform.held
        self._log = log

    async def finish(self, answer: Answer) -> None:
        await self._log.add(0, f"post-of-{self.order.turn}", 0)
        await self._held.wait()
        if not self._log.lease.held():
            self._log.lease.overrun()
        await self._log.lease.wait()
        await super().finish(answer)


class LatePlatform(FakePlatform):
    def __init__(self) -> None:
        super().__init__()
        self.held = asyncio.Event()

    def reply(self, order: ReplyOrder, posts: PostLog) -> FakeReply:
        self.replies.append(LateReply(self, order, posts))
        return self.replies[-1]


class CountingPlatform(FakePlatform):
    """Counts the final writes that were begun."""

    def __init__(self) -> None:
        super().__init__()
        self.final = 0

    def reply(self, order: ReplyOrder, posts: PostLog) -> FakeReply:
        self.replies.append(CountingReply(self, order, posts))
        return self.replies[-1]


class CountingReply(FakeReply):
    def __init__(self, platform: CountingPlatform, order: ReplyOrder, posts: PostLog) -> None:
        super().__init__(platform, order, posts)
        self._counting = platform

    async def finish(self, answer: Answer) -> None:
        self._counting.final += 1
        await super().finish(answer)


class RefusingReply(FakeReply):
    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        raise PlaceGone("deleted meanwhile")


class RefusingPlatform(FakePlatform):
    def reply(self, order: ReplyOrder, posts: PostLog) -> FakeReply:
        self.replies.append(RefusingReply(self, order, posts))
        return self.replies[-1]


class Waking(ManualClock):
    """Whoever sleeps sleeps until the test wakes them."""

    def __init__(self) -> None:
        super().__init__()
        self.wake = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await self.wake.wait()
        await super().sleep(seconds)


def leases_of(home: House) -> Leases:
    return home.core._parts.runner.leases


async def take_over(home: House) -> int:
    """What a sweep does: turns whose lease has passed are queued and run here. How many there were."""
    expired = await leases_of(home).expire(("slack",))
    for turn, line in expired:
        home.core.queue.put(turn, line)
    await home.settled()
    return len(expired)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():
            await asyncio.sleep(0.005)


Two = Callable[..., Awaitable[tuple[House, House]]]


@pytest.fixture
async def two(place: Place) -> AsyncIterator[Two]:
    """Two processes on one file, on a clock of their own each; the second takes nothing up at its start."""
    stack = AsyncExitStack()

    async def begin(
        first: ScriptedModel,
        platform: FakePlatform | None = None,
        others: FakePlatform | None = None,
        clock: ManualClock | None = None,
    ) -> tuple[House, House]:
        one = await stack.enter_async_context(house(place, model=first, platform=platform, clock=clock))
        second = house(place, model=ScriptedModel(["The second's."]), platform=others, started=False)
        other = await stack.enter_async_context(second)
        await other.core.start(take_up=False)
        return one, other

    with capture_logs():
        async with stack:
            yield begin


async def test_a_worker_that_wakes_after_its_lease_stops_its_model_and_keeps_nothing(two: Two) -> None:
    model = ScriptedModel(["The fir", asyncio.Event()])
    one, other = await two(model)
    await one.core.accept(message())
    await model.asked(1)
    await until(lambda: one.platform.replies and one.platform.replies[0].text)
    assert await take_over(other) == 0, "its lease holds"
    other.clock.advance(AWAY.total_seconds())
    assert await take_over(other) == 1
    assert other.platform.answers == [Answer("The second's.")]
    await leases_of(one).renew()
    await one.settled()
    assert (model.closed_early, model.under_way) == (1, 0)
    assert (one.platform.replies[0].abandoned, one.platform.answers) == (True, [None])
    assert one.states() == ["done"]
    assert one.rows("SELECT attempt FROM turn") == [(2,)]
    assert one.rows("SELECT text FROM message WHERE role = 'assistant'") == [("The second's.",)]
    assert sorted(one.rows("SELECT outcome FROM usage")) == [("abandoned",), ("ok",)], "each true call is on the ledger"


async def test_an_answer_that_comes_after_the_turn_was_taken_is_not_kept_but_its_call_is(two: Two) -> None:
    gate = asyncio.Event()
    platform = CountingPlatform()
    one, other = await two(ScriptedModel(["The fir", gate, "st's."]), platform)
    await one.core.accept(message())
    await until(lambda: one.platform.replies and one.platform.replies[0].text)
    other.clock.advance(AWAY.total_seconds())
    await take_over(other)
    gate.set()
    await one.settled()
    assert (platform.final, platform.answers, platform.replies[0].abandoned) == (0, [None], True)
    assert one.rows("SELECT text FROM message WHERE role = 'assistant'") == [("The second's.",)]
    assert one.rows("SELECT outcome FROM usage") == [("ok",), ("ok",)]


async def test_a_late_write_is_mended_by_the_one_who_made_it(two: Two, place: Place) -> None:
    platform = LatePlatform()
    one, other = await two(ScriptedModel(["The first's."]), platform)
    await one.core.accept(message())
    await until(lambda: one.rows("SELECT 1 FROM post"))
    place.change("UPDATE turn SET outcome = NULL, answer_id = NULL")  # as if it had died before that
    place.change("DELETE FROM message WHERE role = 'assistant'")
    other.clock.advance(AWAY.total_seconds())
    await take_over(other)
    one.clock.advance(AWAY.total_seconds())
    platform.held.set()
    await leases_of(one).renew()
    await one.settled()
    (reply,) = platform.replies
    assert (reply.answer, reply.abandoned) == (None, True)
    assert reply.shown_again == [(Answer("The second's."), (Post(0, "post-of-1", 0, True),))]


async def test_a_turn_lost_without_a_late_write_is_left_alone(two: Two) -> None:
    model = ScriptedModel(["The fir", asyncio.Event()])
    one, other = await two(model)
    await one.core.accept(message())
    await model.asked(1)
    other.clock.advance(AWAY.total_seconds())
    await take_over(other)
    await leases_of(one).renew()
    await one.settled()
    assert one.platform.replies[0].shown_again == []


async def test_a_new_owner_shows_its_answer_once_more_when_the_old_ones_last_write_has_arrived(two: Two) -> None:
    model = ScriptedModel(["The fir", asyncio.Event()])
    one, other = await two(model)
    await one.core.accept(message())
    await model.asked(1)
    other.clock.advance(AWAY.total_seconds())
    await take_over(other)
    (reply,) = other.platform.replies
    assert reply.shown_again == [(Answer("The second's."), (Post(0, "post-of-1", 0, True),))]
    assert other.clock.slept == [3.0], "five seconds after the lease, which ended two seconds before"
    finished, lease_end = other.rows("SELECT finished_at, lease_until FROM turn")[0]
    assert (str(finished)[:19], lease_end) == (str(T0 + AWAY)[:19], None), "done does not wait for that"


async def test_the_next_turn_does_not_wait_for_an_answer_to_be_shown_once_more(place: Place) -> None:
    clock = Waking()
    with capture_logs():
        async with house(place, clock=clock, model=ScriptedModel(["One."], ["Two."]), started=False) as home:
            await claimed(home)
            clock.advance(AWAY.total_seconds())
            await leases_of(home).expire(("slack",))
            await home.core.accept(said("and then?", "2", mentioned=True))
            await home.core.start()
            async with asyncio.timeout(PATIENCE):
                await home.core.queue.idle()
            assert home.platform.answers == [Answer("One."), Answer("Two.")]
            assert home.platform.replies[0].shown_again == []
            clock.wake.set()
            await home.settled()
            assert [text for text, _ in home.platform.replies[0].shown_again] == [Answer("One.")]


async def test_who_lost_a_turn_holds_no_place_until_it_is_over_and_is_stopped_in_time(two: Two, place: Place) -> None:
    platform = LatePlatform()
    one, other = await two(ScriptedModel(["The first's."]), platform, clock=Waking())
    await one.core.accept(message())
    await until(lambda: one.rows("SELECT 1 FROM post"))
    place.change("UPDATE turn SET outcome = NULL, answer_id = NULL")
    other.clock.advance(AWAY.total_seconds())
    await leases_of(other).expire(("slack",))  # it is never run: nobody ends it
    one.clock.advance(AWAY.total_seconds())
    platform.held.set()
    await leases_of(one).renew()
    async with asyncio.timeout(PATIENCE):
        await one.core.queue.idle()
        assert platform.replies[0].abandoned
        await one.core.stop(patience=0.0)
        await one.core._parts.runner.mending.idle()
    assert platform.replies[0].shown_again == []


async def test_a_refusal_of_that_is_no_fault(two: Two) -> None:
    model = ScriptedModel(["The fir", asyncio.Event()])
    one, other = await two(model, others=RefusingPlatform())
    await one.core.accept(message())
    await model.asked(1)
    other.clock.advance(AWAY.total_seconds())
    await take_over(other)
    assert (other.states(), other.platform.replies[0].shown_again) == (["done"], [])


async def test_what_was_given_back_is_not_written_twice(place: Place) -> None:
    async with house(place, model=ScriptedModel(["A ", asyncio.Event()])) as home:
        await home.core.accept(message())
        await until(lambda: home.platform.replies and home.platform.replies[0].text)
        await home.core.stop(patience=0.0)
    async with house(place, model=ScriptedModel(["A wind."])) as home:
        await home.settled()
        assert home.platform.replies[0].order.attempt == 2
        assert home.platform.replies[0].shown_again == []


async def test_a_stop_pressed_in_another_process_ends_the_model_call(two: Two) -> None:
    model = ScriptedModel(["The fir", asyncio.Event()])
    one, other = await two(model)
    await one.core.accept(message())
    await until(lambda: one.platform.replies and one.platform.replies[0].text)
    assert (await other.core.press(Press(TEAM, one.platform.replies[0].order.stop, ADA))).done
    for _ in range(3):
        await leases_of(one).renew()
    await one.settled()
    assert one.platform.answers[0] is not None
    assert (one.platform.answers[0].text, one.platform.told()) == ("The fir", ["stopped"])


async def test_a_database_that_goes_away_in_mid_answer_costs_neither_the_answer_nor_a_second_call(
    place: Place,
) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["A cold ", gate, "wind."])

    class Outage(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if len(self.slept) == 20:
                place.change("ALTER TABLE turn_away RENAME TO turn")

    clock = Outage()
    with capture_logs():
        async with house(place, model=model, clock=clock) as home:
            await home.core.accept(message())
            await until(lambda: home.platform.replies and home.platform.replies[0].text)
            place.change("ALTER TABLE turn RENAME TO turn_away")
            gate.set()
            await home.settled()
            assert clock.monotonic() > 60
            assert home.states() == ["done"]
            assert home.platform.answers == [Answer("A cold wind.")]
            assert home.rows("SELECT outcome FROM usage") == [("ok",)]
    assert len(model.requests) == 1


async def test_a_post_that_stands_is_remembered_however_long_the_database_is_away(place: Place) -> None:
    class Outage(ManualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if len(self.slept) == 9:
                place.change("ALTER TABLE post_away RENAME TO post")

    clock = Outage()
    async with house(place, started=False, clock=clock) as home:
        turn = await claimed(home)
        lease = TurnLease(turn.id, turn.attempt, 6.0, clock)
        log = TurnPosts(posts.StoredPosts(home.core.database, turn.workspace, turn.id, turn.attempt), lease, clock)
        place.change("ALTER TABLE post RENAME TO post_away")
        await log.add(0, "C1:1", 0)
        assert clock.monotonic() > 20
        assert home.rows("SELECT platform_id FROM post") == [("C1:1",)]


# the store


async def claimed(home: House) -> turns.Turn:
    accepted = await home.core.accept(message())
    number = accepted.turn
    assert number is not None
    turn = await home.core.database.write(lambda connection: turns.claim(connection, number, T0))
    assert turn is not None
    return turn


async def test_a_lease_is_taken_only_when_it_has_passed_and_its_end_is_remembered(place: Place) -> None:
    async with house(place, started=False) as home:
        turn, database = await claimed(home), home.core.database
        leases = stored.StoredLeases(database)
        end = T0 + turns.LEASE
        assert turn.stale_from is None
        assert await leases.expire(end + timedelta(seconds=0.9), ("slack",)) == [], "clocks may differ"
        assert await leases.expire(end + timedelta(seconds=2), ("discord",)) == []
        renewed = await leases.renew([(turn.id, 1), (99, 1)], end + timedelta(seconds=2))
        assert renewed == stored.Renewed(frozenset({(turn.id, 1)}), frozenset())
        assert await leases.expire(end + timedelta(seconds=2), ("slack",)) == []
        assert await leases.expire(end + timedelta(seconds=4), ("slack",)) == [(turn.id, turn.conversation)]
        assert home.states() == ["queued"]
        again = await database.write(lambda connection: turns.claim(connection, turn.id, end + timedelta(seconds=4)))
        assert again is not None
        assert (again.attempt, again.stale_from) == (2, end + timedelta(seconds=2))
        renewed = await leases.renew([(turn.id, 1)], end + timedelta(seconds=99))
        assert renewed.ours == frozenset()
        assert not await database.write(lambda connection: turns.finish(connection, turn, "done", T0))
        assert not await database.write(lambda connection: turns.give_back(connection, turn))
        assert home.states() == ["running"]


async def test_an_expired_command_is_taken_up_in_a_line_of_its_own(place: Place) -> None:
    async with house(place, started=False) as home:
        await home.core.accept(message())
        accepted = await home.core.accept(said("help", "2", mentioned=True))
        command = accepted.turn
        assert command is not None
        await home.core.database.write(lambda connection: turns.claim(connection, command, T0))
        expired = await stored.StoredLeases(home.core.database).expire(T0 + timedelta(minutes=1), ("slack",))
        assert expired == [(command, -command)]


async def test_a_post_of_somebody_who_lost_the_turn_is_not_written_down(place: Place) -> None:
    async with house(place, started=False) as home:
        turn, database = await claimed(home), home.core.database
        old = posts.StoredPosts(database, turn.workspace, turn.id, 1)
        await old.add(0, "C1:1", 0)
        place.change("UPDATE turn SET state = 'queued'")
        for late in (old.add(0, "C1:2", 0), old.close(0), old.drop(0)):
            with pytest.raises(TurnLost):
                await late
        again = await database.write(lambda connection: turns.claim(connection, turn.id, T0))
        assert again is not None
        new = posts.StoredPosts(database, turn.workspace, turn.id, again.attempt)
        await new.add(1, "C1:3", 9)
        with pytest.raises(TurnLost):
            await old.add(1, "C1:4", 9)
        assert home.rows("SELECT platform_id FROM post ORDER BY ordinal") == [("C1:1",), ("C1:3",)]
        assert await old.owned(["C1:1", "C1:3", "C1:4"]) == {"C1:1", "C1:3"}
        assert await database.write(lambda connection: turns.finish(connection, again, "done", T0))
        await old.close(1)
        with pytest.raises(TurnLost):
            await new.add(2, "C1:5", 9)
        assert home.rows("SELECT closed FROM post ORDER BY ordinal") == [(False,), (True,)]
