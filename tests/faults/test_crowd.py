"""Everybody asks at once: each conversation is answered in its order, one answer after the other."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.databases import place_of
from tests.faults.fleet import fleet

PROCESSES = {"sqlite": 1, "postgres": 2}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_each_conversation_of_a_crowd_is_answered_in_order(tmp_path: Path, full_size: bool, kind: str) -> None:
    threads, each = (200, 20) if full_size else (16, 4)
    with place_of(kind, tmp_path) as place:
        async with fleet(place, PROCESSES[kind], threads=threads, pause=0.02, slack_every=16) as ships:
            crowd, began = ships.crowd, time.monotonic()
            crowd.discord.faults.rate_limits = False  # fifty writes a second for a whole bot would be the bound
            await asyncio.gather(*(crowd.ask(thread) for _ in range(each) for thread in range(threads)))
            wrong = await crowd.until_answered(1200 if full_size else 60)
            took = time.monotonic() - began
            print(
                f"{kind}: {threads} conversations × {each} messages at once, {len(wrong)} wrong, "
                f"{len(crowd.out_of_order)} answers out of order or overlapping, {threads * each / took:.0f} turns/s"
            )
            assert (wrong, crowd.out_of_order) == ([], []), "\n".join([*wrong, ships.logs()])
            assert await ships.states() == {"done": threads * each}
            assert ships.unpaid() == (0, [])
            assert set(crowd.requests.values()) == {1}
