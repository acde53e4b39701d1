"""Statements that go to the driver as they are: the same values, errors and transactions as by SQLAlchemy."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from core.store import budget_tables
from core.store.database import Connection, Database
from core.store.postgres_database import WRITERS
from core.store.prepared import Prepared
from tests import postgres
from tests.databases import Place
from tests.fakes import T0

_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
MADE = Prepared(insert(_budget).returning(_budget.c.id))
FOUND = Prepared(
    select(_budget).where(_budget.c.place == bindparam("its_place"), _budget.c.kind == "day").order_by(_budget.c.id)
)
SPENT = Prepared(
    update(_budget).where(_budget.c.id == bindparam("row")).values(spent_microusd=_budget.c.spent_microusd + 2**40)
)


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Database]:
    opened = place.open()
    yield opened
    await opened.close()


def values(period: str = "2026-11-23", place: str = "installation") -> dict[str, Any]:
    return {
        "workspace_id": None,
        "place": place,
        "kind": "day",
        "period": period,
        "starts_at": T0,
        "resets_at": T0,
        "extra_microusd": 0,
        "reserved_microusd": 0,
        "spent_microusd": 2**60,
    }


async def test_what_is_written_is_what_is_read_by_either_way(database: Database) -> None:
    number = await database.write(lambda connection: MADE.number(connection, values()))
    assert number == 1
    ours = await database.read(lambda connection: FOUND.rows(connection, {"its_place": "installation"}))
    theirs = await database.read(lambda connection: connection.execute(select(_budget)).all())
    assert [tuple(row) for row in ours] == [tuple(row) for row in theirs]
    assert dict(zip(_budget.c.keys(), ours[0], strict=True)) == {"id": 1, **values()}


async def test_each_change_of_several_is_counted_and_done(database: Database) -> None:
    def change(connection: Connection) -> int:
        rows = [MADE.number(connection, values(period)) for period in ("2026-11-22", "2026-11-23")]
        return SPENT.run_each(connection, [{"row": row} for row in (*rows, 99)])

    assert await database.write(change) == 2
    found = await database.read(lambda connection: connection.execute(select(_budget.c.spent_microusd)).scalars().all())
    assert found == [2**60 + 2**40] * 2


async def test_a_row_that_is_not_there_is_no_number(database: Database) -> None:
    assert await database.read(lambda connection: FOUND.number(connection, {"its_place": "nowhere"})) is None


async def test_a_fault_undoes_its_transaction_and_is_told_without_values(database: Database) -> None:
    def twins(connection: Connection) -> None:
        MADE.number(connection, values(place="a secret place"))
        connection.execute(insert(_budget), values(place="a secret place"))

    def prepared_twins(connection: Connection) -> None:
        MADE.number(connection, values(place="a secret place"))
        MADE.number(connection, values(place="a secret place"))

    told = []
    for transaction in (twins, prepared_twins):
        with pytest.raises(IntegrityError) as caught:
            await database.write(transaction)
        told.append(caught.value)
        assert await database.read(lambda connection: FOUND.rows(connection, {"its_place": "a secret place"})) == []
    assert str(told[1].orig) == str(told[0].orig)
    assert "a secret place" not in "".join(traceback.format_exception_only(told[1]))


async def test_values_are_never_read_as_sql(database: Database) -> None:
    odd = "'; DROP TABLE budget; -- %s %(x)s ? :place"
    await database.write(lambda connection: MADE.number(connection, values(place=odd)))
    assert len(await database.read(lambda connection: FOUND.rows(connection, {"its_place": odd}))) == 1


async def test_a_value_that_is_missing_is_an_error(database: Database) -> None:
    await database.write(lambda connection: MADE.number(connection, values()))
    with pytest.raises(Exception, match="its_place"):
        await database.read(lambda connection: FOUND.rows(connection, {}))


async def test_connections_that_died_while_nobody_used_them_are_not_noticed(database: Database, place: Place) -> None:
    if not place.postgres:
        pytest.skip("SQLite has no server that could die")
    await database.write(lambda connection: MADE.number(connection, values()))
    await asyncio.gather(*(database.write(lambda c: SPENT.run(c, {"row": 1})) for _ in range(WRITERS)))
    cut_all(place)
    assert await database.write(lambda connection: SPENT.run(connection, {"row": 1})) == 1
    cut_all(place)
    assert await database.read(lambda connection: FOUND.number(connection, {"its_place": "installation"})) == 1


async def test_a_transaction_that_lost_its_connection_is_run_again_whole(database: Database, place: Place) -> None:
    if not place.postgres:
        pytest.skip("SQLite has no server that could die")
    tries = 0

    def cut_halfway(connection: Connection) -> int:
        nonlocal tries
        tries += 1
        number = MADE.number(connection, values())
        if tries == 1:
            cut_all(place)
        return SPENT.run(connection, {"row": number})

    await asyncio.gather(*(database.write(lambda c: SPENT.run(c, {"row": 1})) for _ in range(WRITERS)))
    assert await database.write(cut_halfway) == 1
    assert tries == 2
    assert place.rows("SELECT count(*) FROM budget") == [(1,)]


def cut_all(place: Place) -> None:
    """Ends every other connection to the database."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    postgres.execute(place.url, f"SELECT pg_terminate_backend(pid, 5000) {others}")
