"""Turns a second when the model answers at once: what claiming, asking, keeping and posting cost."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.bench.stage import Ground
from tests.bench.stores import core_at, load, question, quiet, store
from tests.bench.subject import clean_environment
from tests.bench.table import Row
from tests.databases import Place

_TURNS = 300
_ROUNDS = 2
_HERE = (("SQLite", 1), ("PostgreSQL", 1), ("PostgreSQL", 4))
_UNFINISHED = "SELECT count(*) FROM turn WHERE state IN ('queued', 'running')"
_READY_SECONDS = 30.0


async def measure(ground: Ground) -> list[Row]:
    rows = []
    with quiet():
        for kind, processes in _HERE:
            with store(kind, ground) as place:
                paces = [await _pace(place, processes, 1 + number * _TURNS) for number in range(_ROUNDS)]
            each = f"{1000 * processes / max(paces):.1f} ms each of a process, {os.cpu_count()} cores, {load()}"
            name = f"turns a second, instant model, {kind}, {processes} process{'es' if processes > 1 else ''}"
            rows.append(Row(name, f"{max(paces):.0f}", compared=each))
    return rows


async def _pace(place: Place, processes: int, first: int) -> float:
    """Turns a second, all of them waiting when the workers begin; `first`: the number of the first message."""
    async with core_at(place, started=False, shared=place.postgres) as core:
        for some in range(first, first + _TURNS, 20):
            await asyncio.gather(*(core.accept(question(number)) for number in range(some, some + 20)))
    async with AsyncExitStack() as stack:
        workers = [await stack.enter_async_context(_worker(place)) for _ in range(processes)]
        for worker in workers:
            await _tell(worker)
        began = time.perf_counter()
        while (await asyncio.to_thread(place.rows, _UNFINISHED))[0][0]:
            await asyncio.sleep(0.05)
        return _TURNS / (time.perf_counter() - began)


@asynccontextmanager
async def _worker(place: Place) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that is ready to begin."""
    shared = ["--shared"] if place.postgres else []
    command = [sys.executable, "-m", "tests.bench.turn_worker", place.url, *shared]
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(
        *command, env=clean_environment({}), cwd=place.folder, stdin=pipe, stdout=pipe
    )
    try:
        assert worker.stdout is not None
        if await asyncio.wait_for(worker.stdout.readline(), _READY_SECONDS) != b"ready\n":
            raise RuntimeError("a worker did not begin")
        yield worker
    finally:
        assert worker.stdin is not None
        worker.stdin.close()
        try:
            await asyncio.wait_for(worker.wait(), _READY_SECONDS)
        except TimeoutError:
            worker.kill()
            await worker.wait()


async def _tell(worker: asyncio.subprocess.Process) -> None:
    assert worker.stdin is not None
    worker.stdin.write(b"begin\n")
    await worker.stdin.drain()
