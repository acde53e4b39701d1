"""One post, two owners: whatever stops the first one, the second one's answer stands in the end, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from bots.pace import Limit
from bots.writer import Lane, Writer
from core.errors import StoreUnavailable
from core.ports import TurnLost
from core.store.leases import CLOCK_SKEW, Owned, Renewed
from core.store.turns import LEASE
from core.turns.lease import Leases, TurnLease
from core.turns.mending import UNDER_WAY
from tests.unit.test_lease import LoopClock
from tests.unit.virtual_clock import VirtualLoop, run

ALWAYS_AWAKE = (0.0, 0.0)


@dataclass
class Post:
    """What people see, and every write as it landed: when, whose, what."""

    loop: VirtualLoop
    landed: list[tuple[float, str, str]] = field(default_factory=list)

    def land(self, owner: str, text: str) -> None:
        self.landed.append((self.loop.time(), owner, text))

    @property
    def shown(self) -> str:
        return self.landed[-1][2] if self.landed else ""


@dataclass
class Row:
    """The turn's row. Nobody reaches it from `away[0]` for `away[1]` seconds."""

    clock: LoopClock
    away: tuple[float, float] = ALWAYS_AWAKE
    state: str = "queued"
    attempt: int = 0
    until: datetime | None = None
    claimed_at: list[float] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    async def reach(self) -> None:
        await asyncio.sleep(0.005)
        if self.away[0] <= self.clock.monotonic() < sum(self.away):
            raise StoreUnavailable("away")

    async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed:
        await self.reach()
        if self.state != "running" or (1, self.attempt) not in owned:
            return Renewed(frozenset(), frozenset())
        self.until = until
        return Renewed(frozenset({(1, self.attempt)}), frozenset())

    async def expire(self, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
        await self.reach()
        if not platforms or self.state != "running" or self.until is None or self.until >= now - CLOCK_SKEW:
            return []
        self.state = "queued"
        return [(1, 1)]

    async def claim(self) -> tuple[int, datetime | None]:
        stale_from = self.until
        self.state, self.attempt, self.until = "running", self.attempt + 1, self.clock.now() + LEASE
        self.claimed_at.append(self.clock.monotonic())
        return self.attempt, stale_from

    async def finish(self, attempt: int, text: str) -> bool:
        await self.reach()
        if (self.state, self.attempt) != ("running", attempt):
            return False
        self.state = "done"
        self.kept.append(text)
        return True


class Worker:
    """Runs the turn: honours `bots.writer.Outlet`. From `stopped[0]` on it does nothing for `stopped[1]` seconds."""

    def __init__(self, name: str, post: Post, row: Row, latency: float, stopped: tuple[float, float]) -> None:
        self.name = name
        self.post = post
        self.row = row
        self.latency = latency
        self.stopped = stopped
        self.leases = Leases(self, row.clock, lambda _: None)
        self.writer = Writer(lambda _: Limit(100, 1.0), clock=post.loop.time, min_gap=0.2)
        self.known = self.sent = ""
        self.lost = False

    async def awake(self) -> None:
        """Where the process may be stopped: before whatever is seen outside of it, and before it hears of anything."""
        if self.stopped[0] <= (now := self.post.loop.time()) < sum(self.stopped):
            await asyncio.sleep(sum(self.stopped) - now)

    async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed:
        await self.awake()
        renewed = await self.row.renew(owned, until)
        await self.awake()
        return renewed

    async def expire(self, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
        return await self.row.expire(now, platforms)

    def pending(self, *, final: bool) -> str | None:
        return "edit" if self.known != self.sent else None

    async def write(self, *, final: bool) -> None:
        text = self.known
        await self.awake()
        await asyncio.sleep(self.latency * 0.6)
        self.post.land(self.name, text)
        await asyncio.sleep(self.latency * 0.4)
        self.sent = text

    async def run(self, chunks: int) -> None:
        asked_at = self.post.loop.time()
        attempt, stale_from = await self.row.claim()
        lease = self.leases.hold(1, attempt, asked_at)
        lane = self.writer.open(self, lease)
        try:
            await self.answer(lane, lease, attempt, chunks)
        except TurnLost:
            self.lost = True
            lane.close()
            await lane.rest()
            while lease.overran and self.row.state != "done":
                await asyncio.sleep(1)
            if lease.overran:
                self.post.land(f"{self.name} mends", self.row.kept[0])
        else:
            mend_at = stale_from + UNDER_WAY if stale_from is not None else self.row.clock.now()
            await asyncio.sleep(max((mend_at - self.row.clock.now()).total_seconds(), 0))
            self.post.land(f"{self.name} mends", self.row.kept[0])
        finally:
            self.leases.drop(lease)

    async def answer(self, lane: Lane, lease: TurnLease, attempt: int, chunks: int) -> None:
        for number in range(chunks):
            if lease.lost:
                raise TurnLost
            await self.awake()
            self.known += f"{self.name}{number} "
            lane.touch()
            await asyncio.sleep(0.1)
        await lane.finish()
        while True:
            try:
                if not await self.row.finish(attempt, self.known):
                    raise TurnLost
            except StoreUnavailable:
                await asyncio.sleep(0.5)
            else:
                lease.settle()
                return


async def two_owners(
    loop: VirtualLoop,
    *,
    chunks: int = 40,
    latency: float = 0.1,
    stopped: tuple[float, float] = ALWAYS_AWAKE,
    away: tuple[float, float] = ALWAYS_AWAKE,
) -> tuple[Post, Row, Worker]:
    """One worker runs the turn, another takes it over when its lease has passed; returns when both are done."""
    post = Post(loop)
    row = Row(LoopClock(loop), away)
    first, second = Worker("a", post, row, latency, stopped), Worker("b", post, row, latency, ALWAYS_AWAKE)
    running = asyncio.create_task(first.run(chunks))
    await asyncio.sleep(0)
    while row.state != "done":
        await asyncio.sleep(1)
        try:
            if await second.leases.expire(("slack",)):
                await second.run(chunks)
        except StoreUnavailable:
            continue
    await running
    return post, row, first


def whole(owner: str, chunks: int = 40) -> str:
    return "".join(f"{owner}{number} " for number in range(chunks))


@pytest.mark.parametrize("at", [0.3 + step / 20 for step in range(20)])
def test_a_worker_that_is_stopped_for_longer_than_its_lease_writes_at_most_what_was_under_way(at: float) -> None:
    async def scene(loop: VirtualLoop) -> None:
        post, row, first = await two_owners(loop, stopped=(at, 30.0))
        late = [owner for landed, owner, _ in post.landed if owner == "a" and landed > row.claimed_at[1]]
        assert len(late) <= 1
        assert first.lost
        assert row.kept == [whole("b")]
        assert post.shown == whole("b")

    with capture_logs():
        run(scene)


@given(
    chunks=st.integers(5, 150),
    latency=st.floats(0.01, 3.0),
    stopped=st.tuples(st.floats(0, 15), st.floats(0, 40)),
    away=st.tuples(st.floats(0, 20), st.floats(0, 25)),
)
@settings(max_examples=80, deadline=None)
def test_whatever_stops_a_worker_and_its_database_one_answer_stands_in_the_end(
    chunks: int, latency: float, stopped: tuple[float, float], away: tuple[float, float]
) -> None:
    async def scene(loop: VirtualLoop) -> None:
        post, row, first = await two_owners(loop, chunks=chunks, latency=latency, stopped=stopped, away=away)
        assert len(row.kept) == 1, "one owner finished it"
        assert row.kept[0] == whole("b" if first.lost else "a", chunks)
        assert post.shown == row.kept[0]
        for taken in row.claimed_at[1:]:
            assert sum(owner == "a" and landed > taken for landed, owner, _ in post.landed) <= 1

    with capture_logs():
        run(scene)


def test_a_database_that_is_away_for_a_while_costs_no_second_answer() -> None:
    async def scene(loop: VirtualLoop) -> None:
        post, row, first = await two_owners(loop, chunks=150, away=(2.0, 12.0))
        assert (first.lost, row.attempt) == (False, 1)
        assert post.shown == whole("a", 150)
        silent = [landed for landed, _, _ in post.landed if 2.0 + LEASE.total_seconds() < landed < 14.0]
        assert silent == [], "nothing is written without the lease"
        assert any(landed < 2.0 + LEASE.total_seconds() - 1.5 for landed, _, _ in post.landed), "but under it"

    with capture_logs():
        run(scene)


def test_a_final_write_of_a_lost_turn_is_not_made() -> None:
    async def scene(loop: VirtualLoop) -> None:
        post = Post(loop)
        worker = Worker("a", post, Row(LoopClock(loop)), 0.1, ALWAYS_AWAKE)
        lease = TurnLease(1, 1, 6.0, LoopClock(loop))
        lane = worker.writer.open(worker, lease)
        await asyncio.sleep(7)
        worker.known = "too late"
        finishing = asyncio.create_task(lane.finish())
        await asyncio.sleep(3)
        assert not finishing.done(), "it may be held again"
        lease.lose()
        with pytest.raises(TurnLost):
            await finishing
        await asyncio.sleep(10)
        assert post.landed == []
        assert worker.writer.idle

    run(scene)


def test_a_lane_that_waits_for_its_lease_keeps_no_other_from_writing() -> None:
    async def scene(loop: VirtualLoop) -> None:
        post = Post(loop)
        waits, goes = (Worker(name, post, Row(LoopClock(loop)), 0.1, ALWAYS_AWAKE) for name in "ab")
        passed = TurnLease(1, 1, -1.0, LoopClock(loop))
        lanes = [waits.writer.open(waits, passed), waits.writer.open(goes)]
        waits.known = goes.known = "words"
        for lane in lanes:
            lane.touch()
        await lanes[1].finish()
        assert [owner for _, owner, _ in post.landed] == ["b"]
        finishing = asyncio.create_task(lanes[0].finish())
        await asyncio.sleep(1)
        passed.lengthen(loop.time() + 6)
        await finishing
        assert [owner for _, owner, _ in post.landed] == ["b", "a"]

    run(scene)


def test_closing_a_writer_ends_what_waits_for_a_lease() -> None:
    async def scene(loop: VirtualLoop) -> None:
        worker = Worker("a", Post(loop), Row(LoopClock(loop)), 0.1, ALWAYS_AWAKE)
        lane = worker.writer.open(worker, TurnLease(1, 1, -1.0, LoopClock(loop)))
        worker.known = "words"
        lane.touch()
        await asyncio.sleep(1)
        await worker.writer.close()
        with pytest.raises(Exception, match="closing"):
            await lane.finish()

    with capture_logs():
        run(scene)
