"""SQLite in WAL mode: one writer beside some readers, each in a thread of its own.

Transactions that wait for the writer at the same time share one commit: to wait for the disk takes longer than all else
that most of them do.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from core.errors import SchemaOutdated, StoreUnavailable
from core.store.database import Connection, Database, Result

BUSY_SECONDS = 5.0
READERS = 4
TOGETHER = 32  # transactions that share a commit, at most: the first waits for the last
_PRAGMAS = ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")


@dataclass(slots=True)
class _Write:
    """A transaction that waits for the writer, and then its result, or else its own error."""

    transaction: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)
    result: Any = None
    error: BaseException | None = None

    def tell(self) -> None:
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class SqliteDatabase(Database):
    """A file. Writes go one at a time through one connection; reads never wait for them."""

    def __init__(self, file: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        super().__init__(str(file), writers=1, readers=READERS)
        self.file = file
        self._writer = _engine(file, pool_size=1, reader=False, busy_seconds=busy_seconds)
        self._reader = _engine(file, pool_size=READERS, reader=True, busy_seconds=busy_seconds)
        self._queued: deque[_Write] = deque()

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

    def _hand_over(self, transaction: Callable[[Connection], Result]) -> Future[Result]:
        write = _Write(transaction)
        self._queued.append(write)
        self._writing.submit(self._commit_queued)  # one of these finds what several have put there; the others nothing
        return write.future

    def _commit_queued(self) -> None:
        writes: list[_Write] = []
        while self._queued and len(writes) < TOGETHER:
            write = self._queued.popleft()
            if write.future.set_running_or_notify_cancel():
                writes.append(write)
        if len(writes) < 2 or not self._commit_together(writes):
            for write in writes:
                self._commit_alone(write)
        for write in writes:
            write.tell()

    def _commit_together(self, writes: Sequence[_Write]) -> bool:
        """Each in a savepoint of its own, so that a fault of one leaves the others. False: nothing of any was kept."""
        begun = False
        try:
            with self._writer.begin() as connection:
                begun = True
                for write in writes:
                    _attempt(connection, write)
        except BaseException as error:  # noqa: BLE001 - told to all of them
            for write in writes:
                write.error = error
            return not begun
        return True

    def _commit_alone(self, write: _Write) -> None:
        write.error = None
        try:
            write.result = self._commit(write.transaction)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits for it
            write.error = error

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


def _attempt(connection: Connection, write: _Write) -> None:
    """Raises what made SQLite undo the whole transaction, as it does when the disk is full."""
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - the connection is open
    driver.execute("SAVEPOINT one")
    try:
        write.result = write.transaction(connection)
    except BaseException as error:
        if not driver.in_transaction:
            raise
        write.error = error
        driver.execute("ROLLBACK TO one")
    driver.execute("RELEASE one")


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
