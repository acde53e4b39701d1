"""PostgreSQL: a bounded pool with a thread for each running transaction; what lost a race is run again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from sqlalchemy.exc import DatabaseError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.store import postgres_engine
from core.store.database import Connection, Database, Result

WRITERS = 6
READERS = 2  # what people look up does not wait behind writes that wait for a row
TRIES = 8
# Twins that insert the same row at once, two transactions in a circle, a snapshot that was overtaken: none of them
# has left anything, and to the next try the winner's rows are visible.
_LOST_A_RACE = frozenset({"23505", "40001", "40P01"})
_UNDEFINED_TABLE = "42P01"


class PostgresDatabase(Database):
    """A database for several processes. Transactions are READ COMMITTED and lock the rows that they decide by."""

    def __init__(self, url: str, timeouts: dict[str, str] | None = None) -> None:
        super().__init__(postgres_engine.shown(url), writers=WRITERS, readers=READERS)
        self._engine = postgres_engine.pooled(url, WRITERS + READERS, timeouts)
        self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _commit(self, transaction: Callable[[Connection], Result]) -> Result:
        tried = 1
        while True:
            with self._engine.connect() as connection:
                begun = connection.begin()
                try:
                    result = transaction(connection)
                except BaseException as error:
                    begun.rollback()
                    if not _worth_another_try(error, tried):
                        raise
                else:
                    begun.commit()  # a connection lost here may have committed: never tried again
                    return result
            time.sleep(random.uniform(0.0, 0.01) * tried)  # a thread of our own: the event loop goes on
            tried += 1

    def _look(self, query: Callable[[Connection], Result]) -> Result:
        try:
            return self._look_once(query)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._look_once(query)

    def _look_once(self, query: Callable[[Connection], Result]) -> Result:
        with self._reader.connect() as connection:
            return query(connection)

    def _misses_table(self, error: DBAPIError) -> bool:
        return _sqlstate(error) == _UNDEFINED_TABLE

    def _told(self, error: DatabaseError | PoolTimeout) -> Exception:
        told = super()._told(error)
        return _without_words(error) if told is error and isinstance(error, DBAPIError) else told

    def _dispose(self) -> None:
        self._engine.dispose()


def _worth_another_try(error: BaseException, tried: int) -> bool:
    """A lost race; or, once, a connection that had died in the pool: the others went with it, the next is new."""
    if not isinstance(error, DBAPIError):
        return False
    return (_sqlstate(error) in _LOST_A_RACE and tried < TRIES) or (error.connection_invalidated and tried == 1)


def _sqlstate(error: DBAPIError) -> str | None:
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


def _without_words(error: DBAPIError) -> DBAPIError:
    """The same fault without PostgreSQL's details, which quote whole rows."""
    about = getattr(error.orig, "diag", None)
    named = [getattr(about, part, None) for part in ("table_name", "column_name", "constraint_name")]
    words = " ".join([type(error.orig).__name__, *(str(name) for name in named if name)])
    return type(error)(error.statement, None, Exception(words), hide_parameters=True)
