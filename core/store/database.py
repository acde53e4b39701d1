"""The database: transactions as plain functions, each run whole in a thread, and errors of the tree.

A transaction is a plain function of a connection: one hop to its thread and back, whatever the number of its
statements. A driver that hops once a statement costs several times as much (CHANGELOG.md has figures). It may be run
more than once, so it changes nothing but the database.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import sqlalchemy
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import SchemaOutdated, StoreUnavailable

Connection = sqlalchemy.Connection
Result = TypeVar("Result")
WAITING_AT_MOST = 5000  # writes, some seconds of them; more would only be answered too late
SQLITE = "sqlite+aiosqlite:///"
_FAULTS_OF_OURS = (IntegrityError, ProgrammingError, DataError)
_VERSION = text("SELECT version_num FROM alembic_version")
_FLOOR = text("SELECT oldest FROM schema_floor")


def shown(url: str) -> str:
    """The database of a DATABASE_URL as people may read it, without user and password."""
    if url.startswith(SQLITE):
        return url.removeprefix(SQLITE)
    from core.store import postgres_engine

    return postgres_engine.shown(url)


class Database(ABC):
    """What holds everything. `name`: what people may read of it, without a password."""

    def __init__(self, name: str, *, writers: int, readers: int) -> None:
        self.name = name
        self._writers = writers
        self._readers = readers
        self._waiting = 0
        self._begin_threads()

    @staticmethod
    def open(url: str) -> Database:
        """The database that the setting DATABASE_URL names; nothing is connected yet. Raises StoreUnavailable."""
        if url.startswith(SQLITE):
            from core.store.sqlite_database import SqliteDatabase

            return SqliteDatabase.at(Path(url.removeprefix(SQLITE)))
        from core.store.postgres_database import PostgresDatabase

        return PostgresDatabase(url)

    async def write(self, transaction: Callable[[Connection], Result]) -> Result:
        """Runs a transaction that commits when it returns; gives its result. Raises StoreUnavailable.

        A caller that is cancelled leaves it to end by itself: it is never half done.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise StoreUnavailable(f"The database {self.name} does not answer: too many are waiting for it.")
        self._waiting += 1
        try:
            return await self._outcome(self._hand_over(transaction))
        finally:
            self._waiting -= 1

    async def read(self, query: Callable[[Connection], Result]) -> Result:
        """Runs a read-only transaction on one snapshot; gives its result. Raises StoreUnavailable."""
        return await self._outcome(self._reading.submit(self._look, query))

    async def ping(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        await self.read(lambda connection: connection.execute(_VERSION).scalar())

    async def check(self, newest: str) -> None:
        """Raises SchemaOutdated unless code that needs the schema `newest` can work here, StoreUnavailable.

        A newer schema will do as long as it says so: while a new version is rolled out, the old one goes on.
        """
        try:
            found = await self.read(lambda connection: connection.execute(_VERSION).scalar())
        except StoreUnavailable as error:
            if not (isinstance(error.__cause__, DBAPIError) and self._misses_table(error.__cause__)):
                raise
            found = None
        if found is not None and found > newest:
            oldest = await self.read(lambda connection: connection.execute(_FLOOR).scalar())
            if oldest is None or oldest > newest:
                raise SchemaOutdated(
                    f"The database {self.name} was made by a newer version (schema {found}): upgrade Bise."
                )
        elif found != newest:
            is_ = f"has schema {found}" if found else "is empty"
            raise SchemaOutdated(f"The database {self.name} {is_}, this version needs {newest}: run `bise migrate`.")

    async def close(self) -> None:
        """Waits for what is under way, then closes all connections; a later use opens them again."""
        await asyncio.to_thread(self._close)

    @abstractmethod
    def _commit(self, transaction: Callable[[Connection], Result]) -> Result:
        """Runs a transaction and commits it."""

    @abstractmethod
    def _look(self, query: Callable[[Connection], Result]) -> Result:
        """Runs a read-only transaction."""

    @abstractmethod
    def _misses_table(self, error: DBAPIError) -> bool:
        """Whether a statement named a table that there is not."""

    @abstractmethod
    def _dispose(self) -> None:
        """Closes all connections."""

    def _begin_threads(self) -> None:
        self._writing = ThreadPoolExecutor(self._writers, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(self._readers, thread_name_prefix="database-reader")

    def _close(self) -> None:
        before = (self._writing, self._reading)
        self._begin_threads()  # first: whoever asks meanwhile is served by the new ones
        for threads in before:
            threads.shutdown(wait=True)
        self._dispose()

    def _hand_over(self, transaction: Callable[[Connection], Result]) -> Future[Result]:
        """Gives a transaction to the thread that will commit it."""
        return self._writing.submit(self._commit, transaction)

    async def _outcome(self, work: Future[Result]) -> Result:
        try:
            return await asyncio.wrap_future(work)
        except (DatabaseError, PoolTimeout) as error:
            told = self._told(error)
            if told is error:
                raise
            raise told from (error if isinstance(told, StoreUnavailable) else None)

    def _told(self, error: DatabaseError | PoolTimeout) -> Exception:
        """What to raise for a driver's error: a fault in what we asked for stays as it is."""
        if isinstance(error, _FAULTS_OF_OURS) and not self._misses_table(error):
            return error
        cause = str(getattr(error, "orig", "")).partition("\n")[0] or "too many are waiting for it"
        return StoreUnavailable(f"The database {self.name} does not answer: {cause.rstrip('.')}.")
