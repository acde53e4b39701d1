"""SQLite in WAL mode: one writer beside some readers, each in a thread of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from core.errors import SchemaOutdated, StoreUnavailable
from core.store.database import Connection, Database, Result

BUSY_SECONDS = 5.0
READERS = 4
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


class SqliteDatabase(Database):
    """A file. Writes go one at a time through one connection; reads never wait for them."""

    def __init__(self, file: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        super().__init__(str(file), writers=1, readers=READERS)
        self.file = file
        self._writer = _engine(file, pool_size=1, reader=False, busy_seconds=busy_seconds)
        self._reader = _engine(file, pool_size=READERS, reader=True, busy_seconds=busy_seconds)

    @classmethod
    def at(cls, file: Path, busy_seconds: float = BUSY_SECONDS) -> Self:
        """Makes the file's folder if need be; touches nothing else. Raises StoreUnavailable.

        `busy_seconds`: how long a write waits for another process's.
        """
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"The folder {file.parent} cannot be made: {error.strerror}.") from error
        return cls(file, busy_seconds)

    async def ping(self) -> None:
        if not self.file.exists():  # an open one would go on for a while as if nothing were amiss
            raise StoreUnavailable(f"The database {self.file} is gone.")
        await super().ping()

    async def check(self, newest: str) -> None:
        if not self.file.exists():  # asking SQLite would make an empty one
            raise SchemaOutdated(f"There is no database {self.file} yet: run `bise migrate`.")
        await super().check(newest)

    def _commit(self, transaction: Callable[[Connection], Result]) -> Result:
        with self._writer.begin() as connection:
            return transaction(connection)

    def _look(self, query: Callable[[Connection], Result]) -> Result:
        with self._reader.connect() as connection:
            return query(connection)

    def _misses_table(self, error: DBAPIError) -> bool:
        return "no such table" in str(error.orig)

    def _dispose(self) -> None:
        self._writer.dispose()
        self._reader.dispose()


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
