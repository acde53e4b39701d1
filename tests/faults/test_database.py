"""PostgreSQL dies as by a power cut and comes back, again and again, while people ask."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.databases import Place
from tests.faults.fleet import fleet
from tests.postgres import PostgresServer

SEED = 20261125


@pytest.mark.timeout(1800)
async def test_a_database_that_dies_and_comes_back_costs_no_answer(tmp_path: Path, full_size: bool) -> None:
    size, threads, turns, deaths = (3, 40, 400, 10) if full_size else (2, 6, 18, 1)
    chance = random.Random(SEED)
    moments = set(chance.sample(range(threads, turns), deaths))
    with PostgresServer.make(durable=True) as server, server.database() as url:
        async with fleet(Place(tmp_path, url), size, threads=threads) as ships:
            crowd = ships.crowd
            for number in range(turns):
                await crowd.ask(number % threads)
                await asyncio.sleep(chance.random() * 0.3)
                if number in moments:
                    await asyncio.to_thread(server.stop, "immediate")
                    for _ in range(3):  # people know nothing of it
                        await asyncio.sleep(chance.random() * 0.5)
                        await crowd.ask(chance.randrange(threads))
                    await asyncio.to_thread(server.start)
            wrong = await crowd.until_answered(180 if full_size else 60, ordered=False)
            unpaid, unexplained = ships.unpaid()
            print(
                f"seed {SEED}: PostgreSQL died {deaths} times under {size} processes, {crowd.asked} turns, "
                f"{len(wrong)} threads wrong, {len(crowd.out_of_order)} stored and answered late, "
                f"{crowd.requests.total()} calls, {unpaid} of them not on the ledger"
            )
            assert (wrong, unexplained) == ([], []), "\n".join([*wrong, ships.logs()])
            assert await ships.states() == {"done": crowd.asked}
