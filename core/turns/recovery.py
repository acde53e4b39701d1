"""What lies about: turns that nobody runs any more, found at the start and by a sweep from time to time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from core.store import turns
from core.store.database import Database
from core.turns.lease import Leases
from core.turns.local_queue import LocalQueue

if TYPE_CHECKING:
    from core.turns.postgres_queue import PostgresQueue

_log = structlog.get_logger()
_MEND_EVERY = 10  # sweeps


class Recovery(Protocol):
    """Brings turns that nobody runs back to whoever can. Both raise StoreUnavailable. `every`: seconds for a sweep."""

    every: float

    async def take_up(self, platforms: tuple[str, ...]) -> None:
        """These platforms can be written to from now on."""
        ...

    async def sweep(self, platforms: tuple[str, ...]) -> None:
        """To be called every so often, one call at a time."""
        ...


class LocalRecovery:
    """For the one process that holds the ServeLock: what is running is ours, or nobody's."""

    every = 30.0

    def __init__(self, database: Database, queue: LocalQueue) -> None:
        self._database = database
        self._queue = queue

    async def take_up(self, platforms: tuple[str, ...]) -> None:
        """Goes on with what an earlier process left unfinished, oldest first."""
        unfinished = await self._database.write(lambda connection: turns.take_up(connection, platforms))
        if unfinished:
            _log.info("turns.taken_up", count=len(unfinished))
        for turn, line in unfinished:
            self._queue.put(turn, line)

    async def sweep(self, platforms: tuple[str, ...]) -> None:
        """Takes up turns that the queue does not know, and running ones that nobody runs."""
        running = await self._database.read(lambda connection: turns.running(connection, platforms))
        if lost := [turn for turn in running if not self._queue.knows(turn)]:
            _log.warning("turns.lost", count=len(lost))
            await self._database.write(lambda connection: turns.take_back(connection, lost))
        for turn, line in await self._database.read(lambda connection: turns.queued(connection, platforms)):
            self._queue.put(turn, line)


class SharedRecovery:
    """For each of several processes: a running turn is taken from nobody but by its lease."""

    every = 1.0

    def __init__(self, queue: PostgresQueue, leases: Leases) -> None:
        self._queue = queue
        self._leases = leases
        self._swept = 0

    async def take_up(self, platforms: tuple[str, ...]) -> None:
        for platform in platforms:
            self._queue.attend(platform)

    async def sweep(self, platforms: tuple[str, ...]) -> None:
        """Ends the leases and the jobs of dead workers; now and then looks for turns without a job."""
        await self._leases.expire(platforms)  # the jobs of these turns are there still: nothing to put
        await self._queue.recover()
        if self._swept % _MEND_EVERY == 0:
            await self._queue.mend(platforms)
        self._swept += 1
