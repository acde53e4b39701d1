"""kill -9 at random points of the one process on SQLite: each question is answered, once, in the posts begun for it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.databases import place_of
from tests.faults.fleet import fleet

SEED = 20261123


@pytest.mark.timeout(1800)
async def test_no_answer_is_lost_or_doubled_by_kill_9(tmp_path: Path, full_size: bool) -> None:
    turns, kills, threads = (500, 25, 50) if full_size else (18, 2, 6)
    chance = random.Random(SEED)
    moments = set(chance.sample(range(threads, turns), kills))
    with place_of("sqlite", tmp_path) as place:
        async with fleet(place, 1, threads=threads, pause=0.3) as ships:
            crowd, [serve] = ships.crowd, ships.processes
            cut = 0
            for number in range(turns):
                await crowd.ask(number % threads)
                await asyncio.sleep(chance.random() * 0.2)
                if number in moments:
                    await asyncio.sleep(chance.random() * 0.3)
                    cut += len(await ships.kill(serve))
                    await serve.start()
            wrong = await crowd.until_answered(300 if full_size else 30)
            unpaid, unexplained = ships.unpaid()
            print(
                f"seed {SEED}: SQLite, {turns} turns, {kills} kills, {cut} answers cut, {len(wrong)} threads wrong, "
                f"{len(crowd.out_of_order)} out of order, {crowd.requests.total()} calls, {unpaid} of them not on the "
                f"ledger, {len(unexplained)} for no kill"
            )
            assert (wrong, crowd.out_of_order, unexplained) == ([], [], []), serve.log[-3000:]
            assert await ships.states() == {"done": turns}
            assert cut > 0
            assert unpaid <= cut
