"""How soon an idle worker has claimed a turn: from the accepted message, its claim's own transaction included."""

from __future__ import annotations

import asyncio
import time

from core.messages import ReplyOrder
from core.ports import PostLog
from core.service import Core
from tests.bench.stage import Ground
from tests.bench.stores import KINDS, QuickPlatform, core_at, load, question, quiet, store
from tests.bench.table import Row, percentile, verdict
from tests.databases import Place
from tests.fakes import FakeReply

_TIMES = 60
_PAUSE = 0.05  # seconds in which nothing happens
_LONGEST = 10.0
_AIM_MS = 10.0


class _Watched(QuickPlatform):
    """Tells when a claimed turn is about to be answered."""

    def __init__(self) -> None:
        super().__init__()
        self.claimed: asyncio.Queue[float] = asyncio.Queue()

    def reply(self, order: ReplyOrder, posts: PostLog) -> FakeReply:
        self.claimed.put_nowait(time.perf_counter())
        return super().reply(order, posts)


async def measure(ground: Ground) -> list[Row]:
    rows = []
    with quiet():
        for kind in KINDS:
            with store(kind, ground) as place:
                waits = await _waits(place)
            p50, p99 = (percentile(waits, share) * 1000 for share in (0.5, 0.99))
            how = "another process's message" if place.postgres else "one process"
            rows.append(
                Row(
                    f"idle wake-up p50, {kind}, {how}",
                    f"{p50:.1f} ms",
                    compared=f"p99 {p99:.1f} ms, {load()}",
                    aim=f"≤ {_AIM_MS:.0f} ms",
                    met=verdict(p50 <= _AIM_MS),
                )
            )
    return rows


async def _waits(place: Place) -> list[float]:
    """Seconds from accepting to claiming. On PostgreSQL the one who accepts and the worker share the database alone."""
    platform = _Watched()
    async with core_at(place, started=True, shared=place.postgres, platform=platform) as worker:
        if not place.postgres:
            return await _from(worker, platform)
        async with core_at(place, started=False, shared=True) as ingress:
            return await _from(ingress, platform)


async def _from(ingress: Core, platform: _Watched) -> list[float]:
    waits = []
    for number in range(1, _TIMES + 1):
        await asyncio.sleep(_PAUSE)
        await ingress.accept(question(number))
        accepted = time.perf_counter()
        async with asyncio.timeout(_LONGEST):
            waits.append(await platform.claimed.get() - accepted)
        await ingress.queue.idle()
    return waits[5:]  # the first ones connect and warm up
