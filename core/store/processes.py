"""The processes that work on this database: each shows itself from time to time, or is taken for dead."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from core.ports import Clock
from core.store import tables
from core.store.database import Connection, Database

_process = tables.Process.__table__  # type: ignore[attr-defined]

ALIVE = timedelta(seconds=10)  # after its last sign; a sweep each second gives one, and may be late
_FORGOTTEN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Process:
    """One live `bise serve`. `seen_at`: its last sign of life, by its own clock."""

    id: str
    roles: frozenset[str]
    seen_at: datetime


def show(connection: Connection, process: str, roles: Collection[str], now: datetime) -> None:
    """Writes down that this process is alive; a new one sweeps out what has been dead for long."""
    signs = {"roles": ",".join(sorted(roles)), "seen_at": now}
    shown = connection.execute(update(_process).where(_process.c.id == process).values(**signs))
    if shown.rowcount == 0:
        connection.execute(delete(_process).where(_process.c.seen_at < now - _FORGOTTEN))
        connection.execute(insert(_process).values(id=process, **signs))


def alive(connection: Connection, now: datetime) -> list[Process]:
    """Those that gave a sign lately, in the order of their ids."""
    lately = select(_process).where(_process.c.seen_at >= now - ALIVE).order_by(_process.c.id)
    rows = connection.execute(lately).all()
    return [Process(row.id, frozenset(filter(None, row.roles.split(","))), row.seen_at) for row in rows]


class Processes:
    """This process among the others; `id` is its own and new with each start."""

    def __init__(self, database: Database, clock: Clock, roles: Collection[str]) -> None:
        self.id = secrets.token_hex(8)
        self.roles = frozenset(roles)
        self._database = database
        self._clock = clock

    async def beat(self) -> None:
        """Gives a sign of life; to be called every few seconds. Raises StoreUnavailable."""
        now = self._clock.now()
        await self._database.write(lambda connection: show(connection, self.id, self.roles, now))

    async def alive(self, role: str | None = None) -> list[Process]:
        """The live ones, or those with a role; this one is among them once it has beaten. Raises StoreUnavailable."""
        now = self._clock.now()
        found = await self._database.read(lambda connection: alive(connection, now))
        return [process for process in found if role is None or role in process.roles]

    async def leave(self) -> None:
        """Ends in an orderly way: the others need not wait. Raises StoreUnavailable."""
        await self._database.write(
            lambda connection: connection.execute(delete(_process).where(_process.c.id == self.id))
        )
