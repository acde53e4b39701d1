"""Leases on a clock of their own: who may write for a turn, until when, and who hears that it may not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from core.errors import PlaceGone, PlatformUnavailable, StoreUnavailable
from core.messages import Answer
from core.ports import TurnLost
from core.store.leases import Owned, Renewed
from core.store.turns import LEASE
from core.turns.buffered import BUFFERED_AT_MOST, BufferedReply
from core.turns.lease import RENEW_EVERY, Leases, TurnLease
from core.turns.patience import insist, to_its_end
from tests.fakes import T0, FakePlatform, ManualClock
from tests.unit.virtual_clock import VirtualLoop, run

SECONDS = LEASE.total_seconds()


@dataclass
class LoopClock:
    """The clock of a virtual loop."""

    loop: VirtualLoop

    def now(self) -> datetime:
        return T0 + timedelta(seconds=self.loop.time())

    def monotonic(self) -> float:
        return self.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Table:
    """Honours `core.turns.lease.LeaseStore`: the turns that are somebody else's, and who asked to stop."""

    taken: set[Owned] = field(default_factory=set)
    stopping: set[int] = field(default_factory=set)
    late: list[tuple[int, int]] = field(default_factory=list)
    away: bool = False
    latency: float = 0.0
    asked: list[tuple[Owned, ...]] = field(default_factory=list)

    async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed:
        self.asked.append(tuple(owned))
        await asyncio.sleep(self.latency)
        if self.away:
            raise StoreUnavailable("away")
        return Renewed(frozenset(owned) - self.taken, frozenset(self.stopping))

    async def expire(self, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
        if self.away:
            raise StoreUnavailable("away")
        return self.late if platforms else []


def leases_on(loop: VirtualLoop, table: Table, stopped: list[int] | None = None) -> Leases:
    told: Callable[[int], None] = stopped.append if stopped is not None else lambda _: None
    return Leases(table, LoopClock(loop), told)


def test_a_lease_counts_from_before_its_claim_was_sent() -> None:
    async def scene(loop: VirtualLoop) -> None:
        asked_at = loop.time()
        await asyncio.sleep(SECONDS - 1)
        leases = leases_on(loop, Table(away=True))
        lease = leases.hold(1, 1, asked_at)
        assert lease.held()
        await asyncio.sleep(1)
        assert not lease.held()
        leases.drop(lease)

    run(scene)


def test_a_slow_renewal_counts_from_when_it_was_asked_for() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table()
        leases = leases_on(loop, table)
        lease = leases.hold(1, 1, loop.time())
        table.latency = 4.0
        await leases.renew()
        assert loop.time() == 4.0
        table.away = True
        await asyncio.sleep(SECONDS - 4.0 - 0.01)
        assert lease.held()
        await asyncio.sleep(0.02)
        assert not lease.held()
        leases.drop(lease)

    run(scene)


def test_all_turns_are_renewed_by_one_statement_and_none_when_none_runs() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table()
        leases = leases_on(loop, table)
        held = [leases.hold(turn, 1, loop.time()) for turn in (3, 1, 2)]
        await asyncio.sleep(40 * RENEW_EVERY + 0.1)
        assert all(lease.held() for lease in held)
        assert len(table.asked) == 40
        assert set(table.asked) == {((1, 1), (2, 1), (3, 1))}
        for lease in held:
            leases.drop(lease)
        table.asked.clear()
        await asyncio.sleep(60)
        short = leases.hold(4, 1, loop.time())
        await asyncio.sleep(1)
        leases.drop(short)
        await asyncio.sleep(60)
        assert table.asked == []

    run(scene)


def test_a_lost_turn_is_told_at_once_and_the_others_go_on() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table()
        leases = leases_on(loop, table)
        mine, theirs = leases.hold(1, 1, loop.time()), leases.hold(2, 1, loop.time())
        interrupted: list[int] = []
        theirs.interrupt = lambda: interrupted.append(2)
        table.taken = {(2, 1)}
        await asyncio.sleep(RENEW_EVERY + 0.1)
        assert (mine.held(), theirs.held(), theirs.lost, interrupted) == (True, False, True, [2])
        with pytest.raises(TurnLost):
            await theirs.wait()
        for lease in (mine, theirs):
            leases.drop(lease)

    run(scene)


def test_a_turn_that_ends_while_its_lease_is_renewed_is_not_lost() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table(latency=1.0, taken={(1, 1)})
        leases = leases_on(loop, table)
        lease, other = leases.hold(1, 1, loop.time()), leases.hold(2, 1, loop.time())
        renewing = asyncio.create_task(leases.renew())
        await asyncio.sleep(0.5)
        lease.settle()
        leases.drop(lease)
        await renewing
        assert not lease.lost
        leases.drop(other)

    run(scene)


def test_while_the_database_is_away_writes_wait_and_go_on_when_it_is_back() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table(away=True)
        leases = leases_on(loop, table)
        lease = leases.hold(1, 1, loop.time())
        with capture_logs() as logs:
            await asyncio.sleep(SECONDS + 0.1)
            assert (lease.held(), leases.waiting) == (False, 1)
            waiting = asyncio.create_task(lease.wait())
            await asyncio.sleep(20)
            assert not waiting.done()
            table.away = False
            await asyncio.sleep(0.6)
        assert waiting.done()
        assert (lease.held(), lease.lost, leases.waiting) == (True, False, 0)
        assert [entry["event"] for entry in logs] == ["leases.not_renewed", "leases.renewed_again"]
        leases.drop(lease)

    run(scene)


def test_a_stop_asked_for_in_another_process_is_heard_within_two_seconds() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table, stopped = Table(), list[int]()
        leases = leases_on(loop, table, stopped)
        lease = leases.hold(1, 1, loop.time())
        await asyncio.sleep(RENEW_EVERY + 0.01)
        table.stopping = {1}
        await asyncio.sleep(1.9)
        assert stopped == [1]
        leases.drop(lease)

    run(scene)


def test_after_an_absence_of_the_database_the_living_renew_before_the_sweep_takes_theirs() -> None:
    async def scene(loop: VirtualLoop) -> None:
        table = Table(late=[(7, 3)])
        leases = leases_on(loop, table)
        with capture_logs():
            assert await leases.expire(("slack",)) == [(7, 3)]
            table.away = True
            with pytest.raises(StoreUnavailable):
                await leases.expire(("slack",))
            table.away = False
            for _ in range(3):
                assert await leases.expire(("slack",)) == []
                await asyncio.sleep(1)
            assert await leases.expire(("slack",)) == [(7, 3)]

    run(scene)


def test_a_fault_in_a_renewal_does_not_end_the_renewing() -> None:
    class Faulty(Table):
        async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed:
            renewed = await super().renew(owned, until)
            if len(self.asked) == 1:
                raise RuntimeError("a fault of ours")
            return renewed

    async def scene(loop: VirtualLoop) -> None:
        leases = leases_on(loop, Faulty())
        lease = leases.hold(1, 1, loop.time())
        with capture_logs() as logs:
            await asyncio.sleep(20)
        assert lease.held()
        assert [entry["event"] for entry in logs] == ["leases.fault"]
        leases.drop(lease)

    run(scene)


# what waits for the database, and what is not cut short


async def test_what_is_insisted_on_is_given_up_when_the_turn_is_lost() -> None:
    clock = ManualClock()
    lease, tries = TurnLease(1, 1, 6.0, clock), list[float]()

    async def work() -> None:
        tries.append(clock.monotonic())
        if len(tries) == 3:
            lease.lose()
        raise StoreUnavailable("away")

    with pytest.raises(TurnLost):
        await insist(work, lease, clock)
    assert len(tries) == 3


async def test_what_is_insisted_on_is_given_up_after_minutes() -> None:
    clock = ManualClock()

    async def work() -> None:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await insist(work, TurnLease(1, 1, 6.0, clock), clock)
    assert 300 <= clock.monotonic() < 310


async def test_a_final_write_outlasts_a_second_cancellation() -> None:
    gate, written = asyncio.Event(), list[str]()

    async def final() -> None:
        await gate.wait()
        written.append("whole")

    worker = asyncio.create_task(to_its_end(final()))
    for _ in range(2):
        await asyncio.sleep(0)
        worker.cancel()
    await asyncio.sleep(0)
    assert not worker.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await worker
    assert written == ["whole"]


async def test_a_failure_of_what_must_not_be_cut_short_is_raised() -> None:
    async def final() -> None:
        raise PlaceGone("gone")

    with pytest.raises(PlaceGone):
        await to_its_end(final())


# the buffer


async def test_a_reply_buffers_while_its_lease_has_passed_but_not_without_end() -> None:
    clock, platform = ManualClock(), FakePlatform()
    lease = TurnLease(1, 1, 6.0, clock)
    inner = platform.reply(None, None)  # type: ignore[arg-type]
    reply = BufferedReply(inner, lease)
    reply.write("x" * (BUFFERED_AT_MOST + 1))
    assert reply.error() is None, "what is written at once is no buffer"
    clock.advance(7)
    reply.status("thinking")
    reply.write("x" * BUFFERED_AT_MOST)
    assert (reply.error(), inner.statuses) == (None, [])
    reply.write("x")
    assert isinstance(reply.error(), PlatformUnavailable)
    lease.lengthen(clock.monotonic() + 6)
    reply.write("x")
    assert reply.error() is None
    await reply.again(Answer("x"), ())
    assert inner.shown_again == [(Answer("x"), ())]
