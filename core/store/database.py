"""The database: one writer beside some readers, each in a thread of its own, and errors of the tree.

A transaction is a plain function of a connection that runs whole in its thread: one hop there and back, whatever the
number of its statements. A driver that hops once a statement costs several times as much (CHANGELOG.md has figures).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy
from filelock import FileLock, Timeout
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.errors import SchemaOutdated, StoreUnavailable

Connection = sqlalchemy.Connection
Result = TypeVar("Result")
BUSY_SECONDS = 5.0
READERS = 4
WAITING_AT_MOST = 1000  # writes; more would only be answered too late
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
_FAULTS_OF_OURS = (IntegrityError, ProgrammingError, DataError)


class Database:
    """SQLite in WAL mode. Writes go one at a time through one connection; reads never wait for them."""

    def __init__(self, file: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self.file = file
        self._writer = _engine(file, pool_size=1, reader=False, busy_seconds=busy_seconds)
        self._reader = _engine(file, pool_size=READERS, reader=True, busy_seconds=busy_seconds)
        self._waiting = 0
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")

    @classmethod
    def open(cls, file: Path, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Makes the file's folder if need be; touches nothing else. Raises StoreUnavailable.

        `busy_seconds`: how long a write waits for another process's.
        """
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The folder {file.parent} cannot be made: {error.strerror}.") from error
        return cls(file, busy_seconds)

    async def write(self, transaction: Callable[[Connection], Result]) -> Result:
        """Runs a transaction that commits when it returns; gives its result. Raises StoreUnavailable.

        A caller that is cancelled leaves it to end by itself: it is never half done.
        """
        if self._waiting >= WAITING_AT_MOST:
            raise StoreUnavailable(f"The database {self.file} does not answer: too many are waiting for it.")
        self._waiting += 1
        try:
            return await self._run(self._writing, self._commit, transaction)
        finally:
            self._waiting -= 1

    async def read(self, query: Callable[[Connection], Result]) -> Result:
        """Runs a read-only transaction on one snapshot; gives its result. Raises StoreUnavailable."""
        return await self._run(self._reading, self._look, query)

    async def ping(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        if not self.file.exists():  # an open one would go on for a while as if nothing were amiss
            raise StoreUnavailable(f"The database {self.file} is gone.")
        await self.read(lambda connection: connection.execute(text("SELECT version_num FROM alembic_version")).scalar())

    async def check(self, newest: str) -> None:
        """Raises SchemaOutdated unless the schema is `newest`, StoreUnavailable when the file cannot be read."""
        if not self.file.exists():  # asking SQLite would make an empty one
            raise SchemaOutdated(f"There is no database {self.file} yet: run `bise migrate`.")
        asked = text("SELECT version_num FROM alembic_version")
        try:
            found = await self.read(lambda connection: connection.execute(asked).scalar())
        except StoreUnavailable as error:
            if isinstance(error.__cause__, DBAPIError) and "no such table" in str(error.__cause__):
                found = None
            else:
                raise
        if found != newest:
            is_ = f"has schema {found}" if found else "is empty"
            raise SchemaOutdated(f"The database {self.file} {is_}, this version needs {newest}: run `bise migrate`.")

    async def close(self) -> None:
        """Waits for what is under way, then closes all connections; a later use opens them again."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        for threads in (self._writing, self._reading):
            threads.shutdown(wait=True)
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="database-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="database-reader")
        self._writer.dispose()
        self._reader.dispose()

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        how: Callable[[Callable[[Connection], Result]], Result],
        what: Callable[[Connection], Result],
    ) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, how, what)
        except (DatabaseError, PoolTimeout) as error:
            raise _unavailable(self.file, error) from error

    def _commit(self, transaction: Callable[[Connection], Result]) -> Result:
        with self._writer.begin() as connection:
            return transaction(connection)

    def _look(self, query: Callable[[Connection], Result]) -> Result:
        with self._reader.connect() as connection:
            return query(connection)


class ServeLock:
    """Only one `bise serve` works on a SQLite file; other commands need no lock. The system frees it at a crash."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = FileLock(f"{file}.lock", is_singleton=False)

    def take(self) -> None:
        """Raises StoreUnavailable when another process has it."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreUnavailable(
                f"Another `bise serve` already uses {self._file}. Stop it first, or give this one its own DATABASE_URL."
            ) from None
        except OSError as error:
            raise StoreUnavailable(f"{self._file} cannot be locked: {error.strerror}.") from error

    def free(self) -> None:
        self._lock.release()


def _engine(file: Path, *, pool_size: int, reader: bool, busy_seconds: float) -> Engine:
    engine = create_engine(
        f"sqlite:///{file}",
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_seconds * 2,
        connect_args={"timeout": busy_seconds, "check_same_thread": False},
        hide_parameters=True,  # an error that is logged must not show people's words
    )

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        try:
            for pragma in ("query_only=ON" if reader else "journal_mode=WAL", *_PRAGMAS):
                connection.execute(f"PRAGMA {pragma}").close()
        except sqlite3.Error:  # the pool forgets a connection that it never had
            connection.close()
            raise

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Any) -> None:
        # IMMEDIATE: a deferred writer that read first would fail at once, not wait, when another wrote meanwhile.
        connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")

    return engine


def _unavailable(file: Path, error: Exception) -> Exception:
    """What to raise for a driver's error: a fault in what we asked for stays as it is."""
    if isinstance(error, _FAULTS_OF_OURS):
        return error
    cause = str(getattr(error, "orig", "")) or "too many are waiting for it"
    return StoreUnavailable(f"The database {file} does not answer: {cause}.")
