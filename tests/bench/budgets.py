"""What budgets cost: hold and settle, beside two transactions of plain UPDATEs on the same rows by the same layer."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import bindparam, update

from core.budgets.terms import Terms
from core.messages import Tokens, WorkspaceKey
from core.store import budget_tables, budgets, reservations, tables, workspaces
from core.store.budgets import Room, Spender
from core.store.database import Connection, Database
from core.store.ledger import Call
from core.store.reservations import Hold, Order
from tests.bench.stage import Ground
from tests.bench.stores import KINDS, load, quiet, store
from tests.bench.table import Row, percentile, verdict

LONGEST = 300.0
_WORKSPACES = 1000
_PAIRS = 400
_CALLERS = 10
_ROUNDS = 3
_ALONE = 200  # holds one after the other
_AIM, _AIM_MS = 0.5, 3.0
_TERMS = Terms(2**50, 2**50, 2**50, 2**50, 2**50, "UTC")  # limits that are looked at and never met
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_ADD = (
    update(_budget)
    .where(_budget.c.id == bindparam("row"))
    .values(reserved_microusd=_budget.c.reserved_microusd + bindparam("more"))
)
Pair = Callable[[int], Awaitable[None]]


async def measure(ground: Ground) -> list[Row]:
    rows: list[Row] = []
    with quiet():
        for kind in KINDS:
            with store(kind, ground) as place:
                database = place.open()
                try:
                    rows += await _on(kind, _Calls(database, await database.write(_furnish)))
                finally:
                    await database.close()
    return rows


class _Calls:
    """Calls of many workspaces, by number, and the eight rows in which each counts."""

    def __init__(self, database: Database, orders: list[Order]) -> None:
        self._database = database
        self._orders = orders
        self._rows: dict[int, list[dict[str, int]]] = {}

    async def begin(self) -> None:
        """The period's rows are made, as by the first call of a day."""
        numbers = iter(range(len(self._orders)))

        async def caller() -> None:
            for number in numbers:
                await self.pair(number)
                found = await self._database.read(partial(_rooms, self._orders[number].spender))
                self._rows[number] = [{"row": room.number, "more": 1} for room in found]

        await asyncio.gather(*(caller() for _ in range(_CALLERS)))

    async def hold(self, number: int) -> Hold:
        order, now = self._orders[number], _now()
        return await self._database.write(lambda connection: reservations.hold(connection, order, _TERMS, now))

    async def pair(self, number: int) -> None:
        """A hold and its end, a transaction each."""
        order, now = self._orders[number], _now()
        held = await self.hold(number)
        call = _call(order, held, now)
        await self._database.write(lambda connection: reservations.end(connection, held, call, "settled", _TERMS, now))

    async def updates(self, number: int) -> None:
        """The yardstick: the same rows, twice, each time all eight sent together."""
        rows = self._rows[number]
        for _ in range(2):
            await self._database.write(partial(_add, [rows]))

    async def single_updates(self, number: int) -> None:
        """The same, one UPDATE after the other."""
        rows = [[row] for row in self._rows[number]]
        for _ in range(2):
            await self._database.write(partial(_add, rows))


async def _on(kind: str, calls: _Calls) -> list[Row]:
    await calls.begin()
    rows = []
    for name, spread in (("1000 workspaces", _WORKSPACES), ("one workspace", 1)):
        ours, bare, single = [], [], []
        for _ in range(_ROUNDS):
            ours.append(await _a_second(calls.pair, spread))
            bare.append(await _a_second(calls.updates, spread))
            single.append(await _a_second(calls.single_updates, spread))
        share, other = max(ours) / max(bare), max(ours) / max(single)
        rows.append(
            Row(
                f"hold + settle a second, {kind}, {name}",
                f"{max(ours):.0f}",
                f"{max(bare):.0f}",
                f"{share:.2f} of 2 × 8 UPDATEs sent together, {other:.2f} of those sent one by one, {load()}",
                f"≥ {_AIM}",
                verdict(share >= _AIM),
            )
        )
    taken = []
    for number in range(_ALONE):
        began = time.perf_counter()
        await calls.hold(number)
        taken.append(time.perf_counter() - began)
    p50, p99 = (percentile(taken, share) * 1000 for share in (0.5, 0.99))
    rows.append(
        Row(
            f"hold before a call, p50, {kind}",
            f"{p50:.2f} ms",
            compared=f"p99 {p99:.2f} ms, {load()}",
            aim=f"≤ {_AIM_MS:.0f} ms",
            met=verdict(p50 <= _AIM_MS),
        )
    )
    return rows


async def _a_second(pair: Pair, spread: int) -> float:
    numbers = itertools.count()

    async def caller() -> None:
        for _ in range(_PAIRS // _CALLERS):
            await pair(next(numbers) % spread)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return _PAIRS / (time.perf_counter() - began)


def _add(batches: list[list[dict[str, int]]], connection: Connection) -> None:
    for rows in batches:
        connection.execute(_ADD, rows)


def _rooms(spender: Spender, connection: Connection) -> tuple[Room, ...]:
    return budgets.rooms(connection, spender, _TERMS, _now())


def _now() -> datetime:
    return datetime.now(UTC)


def _furnish(connection: Connection) -> list[Order]:
    """A turn of one person in each workspace."""
    now = _now()
    return [_turn(connection, number, now) for number in range(_WORKSPACES)]


def _turn(connection: Connection, number: int, now: datetime) -> Order:
    workspace = workspaces.ensure(connection, WorkspaceKey("slack", f"T{number}"), now)

    def put(table: Any, **values: Any) -> int:
        made = table.__table__.insert().values(workspace_id=workspace, **values)
        return int(connection.execute(made.returning(table.__table__.c.id)).scalar_one())

    person = put(tables.Person, external_id="U1")
    times = {"created_at": now, "last_at": now}
    conversation = put(tables.Conversation, kind="thread", channel="C1", root="1", begun_with_bot=True, **times)
    said = {"seq": 1, "role": "person", "source": "message", "source_id": "1", "text": "?", "addressed": True}
    message = put(tables.Message, conversation_id=conversation, sent_at=now, **said)
    turn = put(tables.Turn, conversation_id=conversation, message_id=message, cause="asked", created_at=now)
    spender = Spender(workspace, "C1", person)
    return Order(spender, conversation, turn, 1, "mistral", "mistral-large-2512", None, 1000, 4096, 7000)


def _call(order: Order, held: Hold, now: datetime) -> Call:
    return Call(
        workspace=order.spender.workspace,
        conversation=order.conversation,
        turn=order.turn,
        person=order.spender.person,
        channel=order.spender.channel,
        attempt=1,
        home=order.home,
        model=order.model,
        price_from=None,
        tokens=Tokens(1, 300, 100, 0, 300, 0),
        estimated=False,
        periods=held.periods,
        first_text_ms=200,
        total_ms=900,
        outcome="ok",
        correlation_id=None,
        at=now,
        reservation=held.number,
    )
