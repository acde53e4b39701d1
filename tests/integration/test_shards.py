"""Who holds which of Discord's gateway shards: shared out by leases, evened out, taken over, never held twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.errors import StoreUnavailable
from core.store.processes import Processes
from core.store.shards import Share, StoredShards
from tests.databases import Place
from tests.fakes import ManualClock

TICK = 2.0


class Member:
    """One process as the shards see it. `holds`: what it has connected."""

    def __init__(self, place: Place, clock: ManualClock) -> None:
        self.database = place.open()
        self.process = Processes(self.database, clock, {"discord"})
        self.shards = StoredShards(self.database, clock, self.process)
        self.holds: frozenset[int] = frozenset()

    async def tick(self, wanted: int = 4) -> Share:
        """What a process does each two seconds: at most one shard is given up."""
        share = await self.shards.keep(wanted)
        self.holds = share.ours
        if share.surplus is not None:
            self.holds -= {share.surplus}
            await self.shards.free(share.surplus)
        return share


@asynccontextmanager
async def members(place: Place, clock: ManualClock, count: int) -> AsyncIterator[list[Member]]:
    made = [Member(place, clock) for _ in range(count)]
    try:
        yield made
    finally:
        for member in made:
            await member.database.close()


async def rounds(clock: ManualClock, *members: Member, count: int = 8, wanted: int = 4) -> None:
    for _ in range(count):
        for member in members:
            await member.tick(wanted)
            held = [number for other in members for number in other.holds]
            assert len(held) == len(set(held)), "a shard was held twice"
        clock.advance(TICK)


def sizes(*members: Member) -> list[int]:
    return sorted(len(member.holds) for member in members)


async def test_one_process_holds_all_shards_at_once(place: Place) -> None:
    async with members(place, ManualClock(), 1) as (alone,):
        assert await alone.tick(3) == Share(3, frozenset({0, 1, 2}))


async def test_a_process_that_joins_gets_its_share_one_shard_at_a_time(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 3) as (first, second, third):
        await first.tick(7)
        before = [len(first.holds)]
        for _ in range(4):
            await second.tick(7)
            await first.tick(7)
            clock.advance(TICK)
            before.append(len(first.holds))
        assert before == [7, 6, 5, 4, 4]
        assert sizes(first, second) == [3, 4]
        await rounds(clock, first, second, third, wanted=7)
        assert sizes(first, second, third) == [2, 2, 3]
        settled = (first.holds, second.holds, third.holds)
        await rounds(clock, first, second, third, wanted=7)
        assert (first.holds, second.holds, third.holds) == settled, "shards went round without need"


async def test_more_processes_than_shards_leave_some_without(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 3) as (first, second, third):
        await rounds(clock, first, second, third, wanted=2)
        assert sizes(first, second, third) == [0, 1, 1]


async def test_the_shards_of_a_dead_process_are_taken_over_within_ten_seconds(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 2) as (first, second):
        await rounds(clock, first, second)
        died = clock.monotonic()
        while len(second.holds) < 4:
            clock.advance(TICK)
            await second.tick()
            assert clock.monotonic() - died < 10
        assert not (await first.shards.keep(4)).ours & second.holds, "the dead one wakes up and holds what it had"


async def test_what_a_process_gives_up_at_its_end_is_taken_at_the_next_look(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 2) as (first, second):
        await rounds(clock, first, second)
        await first.shards.free()
        await second.tick()
        assert len(second.holds) == 4


async def test_the_number_of_shards_is_kept_while_anybody_holds_one(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 2) as (first, second):
        await first.tick(2)
        assert (await second.tick(5)).count == 2
        await first.shards.free()
        await second.shards.free()
        assert await second.tick(5) == Share(5, frozenset(range(5)))


async def test_leases_that_passed_while_the_database_was_away_are_not_taken_before_their_holders_could_renew(
    place: Place,
) -> None:
    clock = ManualClock()
    async with members(place, clock, 2) as (first, second):
        await rounds(clock, first, second)
        kept, whole = first.holds, second.shards._database
        second.shards._database = Away()  # type: ignore[assignment]
        clock.advance(60)
        try:
            await second.tick()
        except StoreUnavailable:
            second.shards._database = whole
        await second.tick()
        assert len(second.holds) == 2
        await first.tick()
        assert first.holds == kept


class Away:
    """A database that does not answer."""

    async def write(self, _: object) -> None:
        raise StoreUnavailable("away")


async def test_many_that_begin_at_once_share_without_overlap(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 4) as made:
        for _ in range(12):
            await asyncio.gather(*(member.tick(8) for member in made))
        held = [number for member in made for number in member.holds]
        assert sorted(held) == list(range(8))
        assert sizes(*made) == [2, 2, 2, 2]


async def test_one_at_a_time_passes_a_door_and_the_next_after_the_pause(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 3) as made:
        waits = await asyncio.gather(*(member.shards.enter(0) for member in made))
        assert sorted(waits) == [0.0, 5.5, 5.5]
        assert await made[0].shards.enter(1) == 0.0, "another door is another's"
        clock.advance(3)
        assert await made[1].shards.enter(0) == 2.5
        clock.advance(2.5)
        assert await made[1].shards.enter(0) == 0.0
        assert await made[2].shards.enter(0) == 5.5


async def test_live_processes_are_those_that_beat_lately(place: Place) -> None:
    clock = ManualClock()
    async with members(place, clock, 1) as (member,):
        worker = Processes(member.database, clock, {"worker", "reports"})
        await member.process.beat()
        await worker.beat()
        assert {process.id for process in await worker.alive()} == {member.process.id, worker.id}
        assert [process.id for process in await worker.alive("worker")] == [worker.id]
        clock.advance(8)
        await worker.beat()
        clock.advance(8)
        assert [process.roles for process in await worker.alive()] == [frozenset({"worker", "reports"})]
        await worker.leave()
        assert await worker.alive() == []
        clock.advance(2 * 3600)
        await Processes(member.database, clock, ()).beat()
        assert place.rows("SELECT count(*) FROM process") == [(1,)]
