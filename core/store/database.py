"""The database: one writer connection, a read-only engine beside it, and errors of the tree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout
from sqlalchemy import event, text
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from core.errors import SchemaOutdated, StoreUnavailable

Connection = AsyncConnection
BUSY_SECONDS = 5.0
READERS = 4
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")
_FAULTS_OF_OURS = (IntegrityError, ProgrammingError, DataError)


class Database:
    """SQLite in WAL mode. Writes go one at a time through one connection; reads never wait for them."""

    def __init__(self, file: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self.file = file
        url = f"sqlite+aiosqlite:///{file}"
        self._writer = _engine(url, pool_size=1, reader=False, busy_seconds=busy_seconds)
        self._reader = _engine(url, pool_size=READERS, reader=True, busy_seconds=busy_seconds)

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

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """One transaction that commits when the block ends well. Raises StoreUnavailable."""
        try:
            async with self._writer.begin() as connection:
                yield connection
        except (DatabaseError, PoolTimeout) as error:
            raise _unavailable(self.file, error) from error

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """One snapshot, read-only. Raises StoreUnavailable."""
        try:
            async with self._reader.connect() as connection:
                yield connection
        except (DatabaseError, PoolTimeout) as error:
            raise _unavailable(self.file, error) from error

    async def ping(self) -> None:
        """Raises StoreUnavailable when the database does not answer."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def check(self, newest: str) -> None:
        """Raises SchemaOutdated unless the schema is `newest`, StoreUnavailable when the file cannot be read."""
        if not self.file.exists():  # asking SQLite would make an empty one
            raise SchemaOutdated(f"There is no database {self.file} yet: `bise migrate` makes it.")
        try:
            async with self.read() as connection:
                found = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        except StoreUnavailable as error:
            if isinstance(error.__cause__, DBAPIError) and "no such table" in str(error.__cause__):
                found = None
            else:
                raise
        if found != newest:
            raise SchemaOutdated(
                f"The database {self.file} has schema {found or 'none'}, this version needs {newest}: `bise migrate`."
            )

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()


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


def _engine(url: str, *, pool_size: int, reader: bool, busy_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=busy_seconds * 2,
        connect_args={"timeout": busy_seconds},
        hide_parameters=True,  # an error that is logged must not show people's words
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves
        try:
            for pragma in ("query_only=ON" if reader else "journal_mode=WAL", *_PRAGMAS):
                connection.execute(f"PRAGMA {pragma}").close()
        except connection.dbapi.Error:  # the pool forgets a connection that it never had, and its thread would stay
            connection.close()
            raise

    @event.listens_for(engine.sync_engine, "begin")
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
