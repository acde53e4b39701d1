"""Discord's gateway shards, shared out among the processes by leases: one holder a shard, all about the same number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from core.errors import StoreUnavailable
from core.ports import Clock
from core.store import processes, tables
from core.store.database import Connection, Database
from core.store.processes import Processes

_shard = tables.GatewayShard.__table__  # type: ignore[attr-defined]
_door = tables.GatewayDoor.__table__  # type: ignore[attr-defined]
_process = tables.Process.__table__  # type: ignore[attr-defined]

_SETTLING = 2  # looks after an absence of the database, in which live processes renew before theirs are taken


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a lease holds without being renewed, by how much clocks may differ, how often each process looks after
    its shards, and the pause between two sessions that begin through one door: Discord wants five. In seconds.

    A dead process's shards are taken over after lease, skew and one look, and connected after the pause at most.
    """

    lease: float = 6.0
    skew: float = 1.0
    look: float = 2.0
    identify: float = 5.5


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Share:
    """The shards of this process, of `count` in all. `surplus`: the one to give up, as others have two fewer."""

    count: int
    ours: frozenset[int]
    surplus: int | None = None


def keep(
    connection: Connection, process: str, wanted: int, now: datetime, *, pace: Pace = PACE, settling: bool = False
) -> Share:
    """Renews the leases of this process, and takes what is free of its share. All decide one after the other.

    `wanted` is the number of shards where nobody holds any yet; after that the number is kept, as two processes must
    not divide servers differently. `settling`: a lease that has passed is still its holder's.
    """
    connection.execute(update(_process).where(_process.c.id == process).values(gateway_at=now))
    passed = now - timedelta(seconds=pace.skew)
    rows = _locked(connection, wanted, passed)
    renewed = {"process": process, "until": now + timedelta(seconds=pace.lease)}
    connection.execute(update(_shard).where(_shard.c.process == process).values(**renewed))
    free = [row.number for row in rows if row.process != process and not _held(row, passed, settling=settling)]
    ours = {row.number for row in rows if row.process == process}
    held = dict.fromkeys(_candidates(connection, passed - timedelta(seconds=pace.lease)), 0)
    for row in rows:
        if row.process in held:
            held[row.process] += 1
    held.pop(process, None)
    fewest, fair = min(held.values(), default=len(rows)), len(rows) // (len(held) + 1)
    while free and (len(ours) < fair or len(ours) <= fewest):
        number = free.pop(0)
        connection.execute(update(_shard).where(_shard.c.number == number).values(**renewed))
        ours.add(number)
    surplus = max(ours) if not free and held and len(ours) >= fewest + 2 else None
    return Share(len(rows), frozenset(ours), surplus)


def free(connection: Connection, process: str, number: int | None = None) -> None:
    """Gives up one shard of this process, or all: anybody may take them at once."""
    mine = update(_shard).where(_shard.c.process == process)
    connection.execute((mine if number is None else mine.where(_shard.c.number == number)).values(process=None))
    if number is None:
        connection.execute(update(_process).where(_process.c.id == process).values(gateway_at=None))


def enter(connection: Connection, door: int, now: datetime, pause: timedelta) -> float:
    """Seconds to wait before asking again to pass this door; 0: passed, and it is shut behind for `pause`."""
    row = connection.execute(select(_door).where(_door.c.number == door).with_for_update()).one_or_none()
    if row is None:
        connection.execute(insert(_door).values(number=door, opens_at=now + pause))
        return 0.0
    # A clock that ran ahead must not keep it shut for longer than a pause.
    opens = min(row.opens_at, now + pause)
    if opens > now:
        return float((opens - now).total_seconds())
    connection.execute(update(_door).where(_door.c.number == door).values(opens_at=now + pause))
    return 0.0


def _locked(connection: Connection, wanted: int, passed: datetime) -> Sequence[Any]:
    """All shards, theirs by number, locked until the end; made anew where nobody holds any of another number."""
    every = select(_shard).order_by(_shard.c.number).with_for_update()
    rows = connection.execute(every).all()
    if len(rows) == wanted or any(_held(row, passed) for row in rows):
        return rows
    connection.execute(delete(_shard))
    connection.execute(insert(_shard), [{"number": number, "until": passed} for number in range(wanted)])
    return connection.execute(every).all()


def _held(row: Any, passed: datetime, *, settling: bool = False) -> bool:
    return row.process is not None and (settling or row.until >= passed)


def _candidates(connection: Connection, since: datetime) -> Sequence[str]:
    """The processes that share in the shards: those that were here lately."""
    lately = select(_process.c.id).where(_process.c.gateway_at >= since)
    return connection.execute(lately).scalars().all()


class StoredShards:
    """The shares of several processes, in their database."""

    def __init__(self, database: Database, clock: Clock, process: Processes, pace: Pace = PACE) -> None:
        self.look_every = pace.look
        self._database = database
        self._clock = clock
        self._process = process
        self._pace = pace
        self._settling = 0  # looks; the database was away

    async def keep(self, wanted: int) -> Share:
        """To be called every `look_every` seconds, before the first shard is connected too. Raises StoreUnavailable."""
        now, me, settling = self._clock.now(), self._process, self._settling > 0

        def renew(connection: Connection) -> Share:
            processes.show(connection, me.id, me.roles, now)
            return keep(connection, me.id, wanted, now, pace=self._pace, settling=settling)

        try:
            share = await self._database.write(renew)
        except StoreUnavailable:
            self._settling = _SETTLING
            raise
        self._settling = max(0, self._settling - 1)
        return share

    async def free(self, number: int | None = None) -> None:
        """Gives up a shard whose connection is closed, or all. Raises StoreUnavailable."""
        await self._database.write(lambda connection: free(connection, self._process.id, number))

    async def enter(self, door: int) -> float:
        """Seconds to wait before asking again; 0: go, the others wait for a while. Raises StoreUnavailable."""
        now, pause = self._clock.now(), timedelta(seconds=self._pace.identify)
        return await self._database.write(lambda connection: enter(connection, door, now, pause))
