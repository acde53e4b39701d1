"""Two answers that are settled at once: what they reach together is announced all the same."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

from core.budgets import alerts
from core.budgets.terms import Terms
from core.store import budgets, workspaces
from core.store.budgets import Spender
from core.store.database import Connection
from core.store.ledger import Periods
from tests.databases import Place
from tests.fakes import ADA, T0, TEAM

DOLLAR = 1_000_000
TERMS = Terms(None, None, None, DOLLAR, None, "UTC")
PERIODS = Periods(T0.date(), "2026-11-23", "2026-11", "2026-11-23", "2026-11")
PATIENCE = 10.0


def known(connection: Connection) -> Spender:
    workspace = workspaces.ensure(connection, TEAM, T0)
    spender = Spender(workspace, "C1", workspaces.ensure_person(connection, workspace, ADA))
    budgets.rooms(connection, spender, TERMS, T0)
    return spender


def spend(spender: Spender, cost: int, connection: Connection) -> int:
    rows = budgets.move(connection, spender, PERIODS, TERMS, less=0, cost=cost)
    return alerts.note(connection, rows, cost, TERMS, T0)


async def test_half_of_a_limit_that_two_reach_together_is_announced_once(place: Place) -> None:
    database = place.open()
    spender = await database.write(known)
    added, other_began = threading.Event(), threading.Event()

    def first(connection: Connection) -> int:
        made = spend(spender, DOLLAR * 3 // 10, connection)
        added.set()
        if place.postgres:  # SQLite lets nobody else begin before this one has ended
            other_began.wait(PATIENCE)
            threading.Event().wait(0.2)  # for the other to come as far as it can
        return made

    def second(connection: Connection) -> int:
        other_began.set()
        return spend(spender, DOLLAR * 3 // 10, connection)

    one = asyncio.ensure_future(database.write(first))
    await asyncio.to_thread(added.wait, PATIENCE)
    assert await database.write(second) == 1
    assert await one == 0
    await database.close()
    assert place.rows("SELECT count(*) FROM announcement") == [(1,)]


async def test_what_was_there_before_is_told_as_it_was(place: Place) -> None:
    database = place.open()
    spender = await database.write(known)
    await database.write(partial(spend, spender, 7))
    rows = await database.write(
        lambda connection: budgets.move(connection, spender, PERIODS, TERMS, less=0, cost=DOLLAR)
    )
    await database.close()
    assert [(room.spent, room.reserved) for room in rows] == [(7, 0)] * 8
    assert [room.place for room in rows] == [place for place in spender.places() for _ in range(2)]
