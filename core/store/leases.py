"""Leases of running turns: renewed together, and taken from workers that renew no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, select, tuple_, update

from core.store import tables, turns
from core.store.database import Connection, Database

_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]

Owned = tuple[int, int]  # a turn and the attempt at it that is ours
CLOCK_SKEW = timedelta(seconds=1)  # by which the clocks of two machines may differ


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal found: the attempts that are still ours, and the turns of them that a person asked to stop."""

    ours: frozenset[Owned]
    stopping: frozenset[int]


def renew(connection: Connection, owned: Sequence[Owned], until: datetime) -> Renewed:
    """Lengthens the leases of these attempts in one statement; those that are not named any more are lost."""
    still = (
        update(_turn)
        .where(_turn.c.state == "running", tuple_(_turn.c.id, _turn.c.attempt).in_(list(owned)))
        .values(lease_until=until)
        .returning(_turn.c.id, _turn.c.attempt, _turn.c.stop_requested_at)
    )
    rows = connection.execute(still).all()
    stopping = frozenset(row.id for row in rows if row.stop_requested_at is not None)
    return Renewed(frozenset((row.id, row.attempt) for row in rows), stopping)


def expire_leases(connection: Connection, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
    """running → queued for turns of these platforms whose lease has passed, as (turn, line), oldest first.

    The attempt stays, and so does the end of the lease: the next claim counts on from it, and knows how long a write
    of the last owner may still arrive. Any worker may do this at any time.
    """
    ours = exists().where(_workspace.c.id == _turn.c.workspace_id, _workspace.c.platform.in_(platforms))
    late = (
        select(_turn.c.id, _turn.c.attempt, _turn.c.conversation_id, _turn.c.command)
        .where(_turn.c.state == "running", ours, _turn.c.lease_until < now - CLOCK_SKEW)
        .order_by(_turn.c.id)
        .with_for_update(skip_locked=True, key_share=True)  # what is being renewed or ended right now is left alone
    )
    expired = []
    for row in connection.execute(late).all():
        same = and_(_turn.c.id == row.id, _turn.c.attempt == row.attempt, _turn.c.state == "running")
        if connection.execute(update(_turn).where(same).values(state="queued")).rowcount == 1:
            expired.append((row.id, turns.line(row.id, row.conversation_id, row.command)))
    return expired


class StoredLeases:
    """The leases of this process's turns, in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed:
        """Raises StoreUnavailable."""
        return await self._database.write(lambda connection: renew(connection, owned, until))

    async def expire(self, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
        """Raises StoreUnavailable."""
        return await self._database.write(lambda connection: expire_leases(connection, now, platforms))
