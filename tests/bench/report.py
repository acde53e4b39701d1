"""How long a report takes, alone and among the rows of many workspaces, and whether writers wait for it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import count

import sqlalchemy

from core.budgets.terms import Terms
from core.messages import WorkspaceKey
from core.mistral.catalogue import Catalogue
from core.reports.basis import Basis
from core.reports.daily import figures
from core.reports.prices import Prices
from core.reports.report import Kind, Report
from core.settings import Settings
from core.store import tables
from core.store.database import Connection, Database
from tests.bench.stage import Ground
from tests.bench.stores import KINDS, load, quiet, store
from tests.bench.table import Row, percentile, verdict
from tests.databases import Place

ROWS = "BISE_BENCH_ROWS"  # of the full ledger; 10000000 takes several minutes to lay down
LONGEST = 1800.0
_OWN = 200_000
_ROWS = 1_000_000
_DAYS = 60
_ON = date(2026, 11, 22)
_NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_ROUNDS = 12
_MILLISECONDS, _TIMES, _WAIT = 300, 1.5, 5.0
# These rows point where they should, and can be laid down again.
_POSTGRES = (
    *("SET session_replication_role = replica", "SET synchronous_commit = off", "SET maintenance_work_mem = '1GB'"),
)
_SQLITE = ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -500000", "PRAGMA temp_store = FILE")
_usage = tables.Usage.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_numbers = count(1)


async def measure(ground: Ground) -> list[Row]:
    rows: list[Row] = []
    size = int(os.environ.get(ROWS, _ROWS))
    with quiet():
        for kind in KINDS:
            with store(kind, ground) as alone, store(kind, ground) as full:
                await asyncio.to_thread(_fill, alone, _OWN)
                began = time.monotonic()
                await asyncio.to_thread(_fill, full, size)
                sys.stderr.write(f"{size:,} rows on {kind}: {time.monotonic() - began:.0f} s\n")
                rows += await _compared(kind, alone, full, size)
                if kind == "SQLite":
                    rows.append(await _writers(full))
    return rows


async def _compared(kind: str, alone: Place, full: Place, size: int) -> list[Row]:
    databases = [place.open() for place in (full, alone)]
    rows = []
    for what in ("daily", "monthly"):
        taken: tuple[list[float], list[float]] = ([], [])
        for turn in range(_ROUNDS * 2 + 2):
            began = time.perf_counter()
            await databases[turn % 2].read(partial(_report, kind=what))
            if turn > 1:  # the first of each warms up
                taken[turn % 2].append(time.perf_counter() - began)
        ours, bare = (percentile(one, 0.25) * 1000 for one in taken)
        # Half of the rows are of one month: that report only has to keep its distance from the others' rows.
        met = (ours <= _MILLISECONDS or what == "monthly") and ours <= _TIMES * bare
        name = f"{what} report of {_OWN:,} rows among {size:,} (bare: alone), {kind}"
        aim = f"≤ {_MILLISECONDS} ms, ≤ {_TIMES} ×" if what == "daily" else f"≤ {_TIMES} ×"
        compared = f"{ours / bare:.2f} ×, {load()}"
        rows.append(Row(name, f"{ours:.0f} ms", f"{bare:.0f} ms", compared, aim, verdict(met)))
    for database in databases:
        await database.close()
    return rows


async def _writers(place: Place) -> Row:
    """How long a write takes while reports are made one after the other, and while none is."""
    database = place.open()
    idle = await _written(database)
    reading = asyncio.ensure_future(_reports(database))
    busy = await _written(database)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await database.close()
    ours, bare = (percentile(one, 0.5) * 1000 for one in (busy, idle))
    late = (percentile(one, 0.95) * 1000 for one in (busy, idle))
    compared = "95 of 100: {:.1f} / {:.1f} ms, {}".format(*late, load())
    aim = f"≤ {_WAIT:.0f} ms longer"
    met = verdict(ours - bare <= _WAIT)
    return Row("a write while reports are made (bare: while none is), SQLite", _ms(ours), _ms(bare), compared, aim, met)


def _ms(value: float) -> str:
    return f"{value:.1f} ms"


async def _reports(database: Database) -> None:
    while True:
        await database.read(partial(_report, kind="daily"))


async def _written(database: Database) -> list[float]:
    taken = []
    for _ in range(100):
        number = next(_numbers)
        began = time.perf_counter()
        await database.write(lambda connection, number=number: _write(connection, number))
        taken.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)
    return taken


def _write(connection: Connection, number: int) -> None:
    connection.execute(sqlalchemy.update(_turn).where(_turn.c.id == number).values(outcome="done"))


def _report(connection: Connection, *, kind: Kind) -> Report:
    on = _ON if kind == "daily" else date(2026, 10, 31)
    terms = Terms.of(Settings(mistral_api_key="a-key-of-the-bench"))
    basis = Basis(_NOW, terms, Prices(Catalogue.load(), {"mistral-global": 10}))
    return figures(connection, 1, WorkspaceKey("slack", "T1"), kind, on, basis=basis)


def _fill(place: Place, size: int) -> None:
    """Rows of sixty days, those of all workspaces mixed as time brought them; each workspace has as many.

    Indexes are made when all rows are there, which takes a tenth of the time.
    """
    workspaces = size // _OWN
    first = _ON - timedelta(days=_DAYS - 1)
    numbers = "WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {})".format
    passed = f"i * {_DAYS} / {size}"
    on = (
        f"date '{first}' + CAST({passed} AS int)"
        if place.postgres
        else f"date('{first}', '+' || ({passed}) || ' days')"
    )
    at = "'2026-11-23 12:00:00.000000'"
    usage = f"""INSERT INTO usage (workspace_id, conversation_id, turn_id, person_id, channel, attempt, home, model,
    price_from, prompt_tokens, completion_tokens, cached_tokens, cost_microusd, estimated, estimated_microusd,
    local_date, day_period, month_period, first_text_ms, total_ms, outcome, at) {numbers(0, size - 1)}
    SELECT 1 + i % {workspaces}, 1 + i % 9973, 1 + i / 2, 1 + i % 499, 'C012345678' || i % 23, 1, 'mistral-global',
    CASE i % 7 WHEN 0 THEN 'mistral-small-2603' WHEN 1 THEN 'pixtral-large-2411' ELSE 'mistral-large-2512' END,
    '2025-12-02', 1000 + i % 3001, 100 + i % 701, i % 997, 700 + i % 1999, FALSE, 0, {on}, '2026-11-22', '2026-11',
    300 + i % 4001, 4000, 'ok', {at} FROM n"""  # noqa: S608
    turn = f"""INSERT INTO turn (workspace_id, conversation_id, message_id, cause, ordinal, state, attempt, address,
    local_date, refused_by, created_at) {numbers(0, size // 2 - 1)} SELECT 1 + i % {workspaces}, 1 + i % 9973, 1 + i,
    'asked', 1, CASE i % 50 WHEN 0 THEN 'failed' ELSE 'done' END, 1, '{{}}', {on.replace(str(size), str(size // 2))},
    CASE i % 100 WHEN 0 THEN 'person' END, {at} FROM n"""  # noqa: S608
    with ExitStack() as stack:
        connection = stack.enter_context(place.connected())
        for faster in _POSTGRES if place.postgres else _SQLITE:
            connection.exec_driver_sql(faster)
        indexes = [index for table in (_usage, _turn) for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        _workspaces(connection, workspaces)
        for statement in (usage, turn):
            connection.execute(sqlalchemy.text(statement))
        for index in indexes:
            index.create(connection)
        connection.commit()
        if place.postgres:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")
        else:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _workspaces(connection: Connection, number: int) -> None:
    rows = [{"id": one, "name": f"T{one}", "at": "2026-01-01 00:00:00"} for one in range(1, number + 1)]
    statement = """INSERT INTO workspace (id, platform, external_id, recent_messages, created_at)
    VALUES (:id, 'slack', :name, FALSE, :at)"""
    connection.execute(sqlalchemy.text(statement), rows)
