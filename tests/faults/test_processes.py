"""Several real processes on one PostgreSQL: one is killed or frozen, the others go on with its turns."""

from __future__ import annotations

import asyncio
import random
import signal
from pathlib import Path

import pytest

from core.turns.mending import UNDER_WAY
from tests.databases import place_of
from tests.faults.fleet import fleet

SEED = 20261124
TAKEN_OVER_IN = 10.0  # seconds


@pytest.mark.timeout(3600)
async def test_kill_9_of_one_of_several_processes_loses_doubles_and_reorders_nothing(
    tmp_path: Path, full_size: bool
) -> None:
    size, threads, each, kills = (4, 200, 10, 40) if full_size else (3, 8, 4, 2)
    turns, chance = threads * each, random.Random(SEED)
    moments = set(chance.sample(range(threads, turns), kills))
    with place_of("postgres", tmp_path) as place:
        async with fleet(place, size, threads=threads, slack_every=10 if full_size else 4) as ships:
            crowd = ships.crowd
            watching: list[asyncio.Task[float]] = []
            starting: list[asyncio.Task[None]] = []
            for number in range(turns):
                await crowd.ask(number % threads)
                await asyncio.sleep(chance.random() * 0.2)
                if number in moments:
                    await asyncio.gather(*starting)  # one at a time
                    victim = await ships.busiest()
                    left = await ships.kill(victim)
                    watching.append(asyncio.create_task(ships.taken_over(left)))
                    starting.append(asyncio.create_task(victim.start()))
            await asyncio.gather(*starting)
            wrong = await crowd.until_answered(900 if full_size else 60)
            takeovers = await asyncio.gather(*watching)
            [(taken,)] = place.rows("SELECT count(*) FROM turn WHERE attempt > 1")
            unpaid, unexplained = ships.unpaid()
            print(
                f"seed {SEED}: PostgreSQL, {size} processes, {turns} turns, {kills} kills, {taken} turns taken over, "
                f"the slowest after {max(takeovers):.1f} s, {len(wrong)} threads wrong, {len(crowd.out_of_order)} out "
                f"of order, {crowd.requests.total()} calls, {unpaid} of them not on the ledger, "
                f"{len(unexplained)} for no kill"
            )
            assert (wrong, crowd.out_of_order, unexplained) == ([], [], []), "\n".join([*wrong, ships.logs()])
            assert await ships.states() == {"done": turns}
            assert taken > 0
            assert max(takeovers) <= TAKEN_OVER_IN


@pytest.mark.timeout(1800)
async def test_a_worker_that_is_frozen_for_longer_than_its_lease_leaves_the_answer_to_the_new_owner(
    tmp_path: Path, full_size: bool
) -> None:
    freezes, frozen_for = (20, 30.0) if full_size else (1, 9.0)
    chance = random.Random(SEED)
    with place_of("postgres", tmp_path) as place:
        async with fleet(place, 2, threads=freezes, slack_every=2) as ships:
            crowd = ships.crowd
            for thread in range(freezes):
                await crowd.ask(thread)
                async with asyncio.timeout(20):
                    while not crowd.begun(thread):
                        await asyncio.sleep(0.02)
                owner = await ships.busiest()
                await asyncio.sleep(chance.random() * 0.3)
                owner.send(signal.SIGSTOP)
                await asyncio.sleep(frozen_for)
                owner.send(signal.SIGCONT)
            wrong = await crowd.until_answered(30)
            await asyncio.sleep(UNDER_WAY.total_seconds())  # the frozen one's late writes have come, and are mended
            wrong += crowd.wrong()
            rows = place.rows("SELECT state, attempt FROM turn")
            taken = rows.count(("done", 2))
            _, unexplained = ships.unpaid()
            print(
                f"seed {SEED}: {freezes} times a worker frozen for {frozen_for:.0f} s, {taken} turns taken over, "
                f"{len(wrong)} threads wrong, {len(unexplained)} calls not on the ledger"
            )
            assert (wrong, unexplained) == ([], []), "\n".join([*wrong, ships.logs()])
            assert rows == [("done", 2)] * freezes
            assert place.rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


async def test_a_worker_that_is_told_to_hurry_leaves_its_answer_to_the_next(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path) as place:
        async with fleet(place, 1, threads=1) as ships:
            await ships.crowd.ask(0)
            await ships.crowd.slack.until(lambda: ships.crowd.begun(0), 20)
            [process] = ships.processes
            process.send(signal.SIGTERM)
            await asyncio.sleep(0.1)
            async with asyncio.timeout(8):  # its patience is 20 seconds
                assert await process.end() == 1
            assert place.rows("SELECT state FROM turn") == [("queued",)]
            assert place.rows("SELECT status::text FROM procrastinate_jobs") == [("todo",)]
            await process.start()
            assert await ships.crowd.until_answered(10) == []
