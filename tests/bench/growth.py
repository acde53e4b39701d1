"""What a turn costs in a long thread and in a full store, against a short thread and an empty store."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from core.messages import IncomingMessage, WorkspaceKey
from core.service import Core
from tests.bench.stage import Ground
from tests.bench.stores import KINDS, core_at, load, question, quiet, store
from tests.bench.table import Row, percentile, verdict
from tests.databases import Place

_LONG, _SHORT = 10_000, 50
_WORKSPACES, _MESSAGES = 10_000, 1_000_000
_THREADS = 10  # in each workspace of the full store
_ROUNDS = 4
_TURNS = 10  # in each round
_AIM = 1.2
_AT = "'2026-11-23 12:00:00.000000'"
_WORDS = "'" + "The bise is a cold and dry wind from the north-east. " * 6 + "'"
_COUNTED = "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
_MESSAGE = """INSERT INTO message
(workspace_id, conversation_id, seq, role, source, source_id, person_id, text, addressed, sent_at) """
_numbers = itertools.count(1_000)


async def measure(ground: Ground) -> list[Row]:
    rows = []
    with quiet():
        for kind in KINDS:
            with store(kind, ground) as place, store(kind, ground) as full:
                rows.append(await _long_thread(kind, place))
                began = time.monotonic()
                await asyncio.to_thread(_fill, full)
                sys.stderr.write(f"{_MESSAGES} messages on {kind}: {time.monotonic() - began:.0f} s\n")
                rows.append(await _full_store(kind, place, full))
    return rows


async def _long_thread(kind: str, place: Place) -> Row:
    async with core_at(place, started=True) as core:
        for number, length in ((1, _LONG), (2, _SHORT)):
            await _ask(core, question(number))
            await asyncio.to_thread(_lengthen, place, number, length)
        long, short = await _compared(kind, lambda which: (core, question(next(_numbers), root=1 + which)))
    return _row(f"a turn, thread of {_LONG} messages (bare: of {_SHORT}), {kind}", long, short)


async def _full_store(kind: str, empty: Place, full: Place) -> Row:
    async with AsyncExitStack() as stack:
        cores = [await stack.enter_async_context(core_at(place, started=True)) for place in (full, empty)]

        def asked(which: int) -> tuple[Core, IncomingMessage]:
            number = next(_numbers)
            workspace = WorkspaceKey("slack", f"T{number * 7 % _WORKSPACES if which == 0 else 1}")
            return cores[which], replace(question(number), workspace=workspace)

        ours, bare = await _compared(kind, asked)
    return _row(f"a turn, store of {_MESSAGES} messages (bare: empty), {kind}", ours, bare)


async def _compared(kind: str, asked: Callable[[int], tuple[Core, IncomingMessage]]) -> tuple[float, float]:
    """Seconds a turn of either, in rounds that take turns: what a quarter of them do not pass, the least disturbed.

    SQLite works in this process, whose CPU alone is counted: its waiting for a busy disk says nothing about growth.
    """
    clock = time.process_time if kind == "SQLite" else time.perf_counter
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(_ROUNDS):
        for which in (0, 1):
            await _ask(*asked(which))  # this one warms up
            for _ in range(_TURNS):
                began = clock()
                await _ask(*asked(which))
                taken[which].append(clock() - began)
    return percentile(taken[0], 0.25), percentile(taken[1], 0.25)


async def _ask(core: Core, message: IncomingMessage) -> None:
    await core.accept(message)
    await core.queue.idle()


def _row(name: str, ours: float, bare: float) -> Row:
    compared = f"{ours / bare:.2f} ×, {load()}"
    aim = f"≤ {_AIM} ×"
    name = name.replace("a turn", "CPU of a turn") if name.endswith("SQLite") else name
    return Row(name, f"{ours * 1000:.1f} ms", f"{bare * 1000:.1f} ms", compared, aim, verdict(ours <= _AIM * bare))


def _lengthen(place: Place, number: int, length: int) -> None:
    """Adds questions and answers to the thread of a message until there are so many."""
    counted = _COUNTED.format(first=3, last=length)
    values = f"""{counted} SELECT conversation.workspace_id, conversation.id, i,
    CASE i & 1 WHEN 1 THEN 'person' ELSE 'assistant' END, 'message', 'long{number}:' || i,
    CASE i & 1 WHEN 1 THEN person.id END, {_WORDS}, (i & 1) = 1, {_AT}
    FROM n, conversation JOIN person ON person.workspace_id = conversation.workspace_id WHERE root = 'C0:{number}'"""  # noqa: S608
    with place.connected() as connection:
        connection.exec_driver_sql(_MESSAGE + values)
        connection.exec_driver_sql(f"UPDATE conversation SET last_seq = {length} WHERE root = 'C0:{number}'")  # noqa: S608
        connection.commit()


def _fill(place: Place) -> None:
    """A million messages, a tenth of them questions with a turn that is over."""
    a_thread = _MESSAGES // _WORKSPACES // _THREADS
    statements = (
        f"""INSERT INTO workspace (platform, external_id, created_at, recent_messages)
        {_COUNTED.format(first=0, last=_WORKSPACES - 1)} SELECT 'slack', 'T' || i, {_AT}, FALSE FROM n""",  # noqa: S608
        "INSERT INTO person (workspace_id, external_id, name) SELECT id, 'U0', 'Person 0' FROM workspace",
        f"""INSERT INTO conversation (workspace_id, kind, channel, root, begun_with_bot, "left", last_seq,
        history_from_seq, trimmed_to_seq, others_since, created_at, last_at)
        {_COUNTED.format(first=1, last=_THREADS)} SELECT id, 'thread', 'C' || i, 'old:' || i, TRUE, FALSE, {a_thread},
        0, 0, FALSE, {_AT}, {_AT} FROM workspace, n""",  # noqa: S608
        f"""{_MESSAGE} {_COUNTED.format(first=1, last=a_thread)} SELECT conversation.workspace_id, conversation.id, i,
        'person', 'message', conversation.id || ':' || i, person.id, 'What is a bise?', i = 1, {_AT}
        FROM conversation JOIN person ON person.workspace_id = conversation.workspace_id, n""",  # noqa: S608
        f"""INSERT INTO turn (workspace_id, conversation_id, message_id, cause, ordinal, state, attempt, address,
        created_at) SELECT workspace_id, conversation_id, id, 'asked', 1, 'done', 1, '{{}}', {_AT}
        FROM message WHERE seq = 1""",  # noqa: S608
        "ANALYZE" if place.postgres else "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    with place.connected() as connection:
        if place.postgres:  # these rows point where they should: to look each time takes most of the time
            connection.exec_driver_sql("SET session_replication_role = replica")
        for statement in statements:
            connection.exec_driver_sql(statement)
            connection.commit()
