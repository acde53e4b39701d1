"""How fast messages are accepted: stored, durable, with a turn each, beside a bare insert of the same words."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local

import psycopg

from core.store.postgres_database import WRITERS
from tests.bench.stage import Ground
from tests.bench.stores import KINDS, core_at, load, question, quiet, store
from tests.bench.table import Row, percentile, verdict
from tests.databases import Place

_ROUNDS = 4
_MESSAGES = 800
_CALLERS = 10  # who each wait for one message before they bring the next
_AIM_MS = 50.0
_AIMS = {"SQLite": 300, "PostgreSQL": 500}
_TABLE = "CREATE TABLE bare (id {key} PRIMARY KEY, source_id text UNIQUE, said text)"
_numbers = [itertools.count(2) for _ in range(_CALLERS)]


@dataclass(frozen=True, slots=True)
class Pace:
    """Of one round: messages a second, and seconds for one, 99 of 100 taking no longer; CPU seconds for one."""

    a_second: float
    p99: float
    cpu: float


async def measure(ground: Ground) -> list[Row]:
    rows = []
    with quiet():
        for kind in KINDS:
            with store(kind, ground) as place:
                rows.append(await _on(kind, place))
    return rows


async def _on(kind: str, place: Place) -> Row:
    bare = _Bare(place)
    ours, theirs = [], []
    async with core_at(place, started=False) as core:

        async def accept(number: int, caller: int) -> None:
            root = number - number % 2  # a new thread, then a question in it
            await core.accept(question(number, place=caller, root=root))

        for _ in range(_ROUNDS + 1):
            ours.append(await _pace(accept))
            theirs.append(await _pace(bare.insert))
    bare.close()
    best, other = (_best(paces[1:]) for paces in (ours, theirs))  # the first round warms up
    aim = _AIMS[kind]
    return Row(
        f"messages accepted a second, {kind}, {_CALLERS} at once",
        f"{best.a_second:.0f}",
        f"{other.a_second:.0f}",
        f"p99 {best.p99 * 1000:.0f} and {other.p99 * 1000:.0f} ms, CPU {best.cpu * 1000:.2f} ms, {load()}",
        f"≥ {aim}, p99 ≤ {_AIM_MS:.0f} ms",
        verdict(best.a_second >= aim and best.p99 * 1000 <= _AIM_MS),
    )


def _best(paces: list[Pace]) -> Pace:
    """Each figure of the round that was disturbed least."""
    figures = (max(one.a_second for one in paces), min(one.p99 for one in paces), min(one.cpu for one in paces))
    return Pace(*figures)


async def _pace(bring: Callable[[int, int], Awaitable[None]]) -> Pace:
    taken: list[float] = []

    async def caller(place: int) -> None:
        for _ in range(_MESSAGES // _CALLERS):
            number, start = next(_numbers[place]), time.perf_counter()
            await bring(number, place)
            taken.append(time.perf_counter() - start)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(place) for place in range(_CALLERS)))
    passed, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Pace(len(taken) / passed, percentile(taken, 0.99), cpu / len(taken))


class _Bare:
    """One insert and one commit for each message, by the driver alone."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._own = local()
        self._connections: list[psycopg.Connection | sqlite3.Connection] = []
        key = "bigserial" if place.postgres else "integer"
        place.change(_TABLE.format(key=key))
        self._threads = ThreadPoolExecutor(WRITERS if place.postgres else 1)

    async def insert(self, number: int, caller: int) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, self._insert, number, caller)

    def close(self) -> None:
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _insert(self, number: int, caller: int) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
            self._connections.append(connection)
        mark = "%s" if self._place.postgres else "?"
        values = (f"C{caller}:{number}:{time.perf_counter_ns()}", "What is a bise, and where does it come from?")
        connection.execute(f"INSERT INTO bare (source_id, said) VALUES ({mark}, {mark})", values)  # noqa: S608
        connection.commit()

    def _connect(self) -> psycopg.Connection | sqlite3.Connection:
        if self._place.postgres:
            return psycopg.connect(self._place.url.replace("+psycopg", ""))
        connection = sqlite3.connect(self._place.file, check_same_thread=False)
        connection.execute("PRAGMA synchronous=FULL")
        return connection
