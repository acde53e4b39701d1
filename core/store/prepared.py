"""Statements of the hottest transactions: made into a database's own SQL once, then given to its driver as they are.

SQLAlchemy finds a statement anew by its shape each time that it is run, and describes each result; both cost more than
SQLite needs to run it. Here only values change between two runs, never the shape: no list of any length, no optional
part. The transaction and the errors stay SQLAlchemy's; its events see nothing of these statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Update
from sqlalchemy.exc import DBAPIError

from core.store.database import Connection

Values = Mapping[str, Any]
Row = Sequence[Any]
_Change = Callable[[Any], Any]


class Prepared:
    """One statement. It is compiled on its first run on a kind of database, for the names of the values given then."""

    def __init__(self, statement: Select[Any] | Insert | Update) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}  # threads that are first at once make the same

    def run(self, connection: Connection, values: Values) -> int:
        """Runs it; returns how many rows were changed."""
        compiled = self._on(connection, values)
        return int(_executed(connection, compiled.sql, compiled.sent(values)).rowcount)

    def run_each(self, connection: Connection, many: Sequence[Values]) -> int:
        """Runs it for each of these values in turn, at least one; returns how many rows were changed."""
        compiled = self._on(connection, many[0])
        return int(_executed(connection, compiled.sql, [compiled.sent(values) for values in many]).rowcount)

    def number(self, connection: Connection, values: Values) -> int | None:
        """Runs it and returns the first column of its row; None: there is no row."""
        compiled = self._on(connection, values)
        rows = _executed(connection, compiled.sql, compiled.sent(values)).fetchall()  # all, or SQLite is not done
        return int(rows[0][0]) if rows else None

    def rows(self, connection: Connection, values: Values) -> list[Row]:
        """Runs it and returns all its rows, with our types."""
        compiled = self._on(connection, values)
        return [compiled.received(row) for row in _executed(connection, compiled.sql, compiled.sent(values)).fetchall()]

    def _on(self, connection: Connection, values: Values) -> _Compiled:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled.of(self._statement, dialect, values)
        return compiled


@dataclass(frozen=True, slots=True)
class _Compiled:
    """SQL with places for parameters. `write`, `read`: what is changed on the way there and back."""

    sql: str
    names: tuple[str, ...]
    positional: bool
    fixed: dict[str, Any]  # constants of the statement
    write: tuple[tuple[str, _Change], ...]
    read: tuple[tuple[int, _Change], ...]

    @staticmethod
    def of(statement: Select[Any] | Insert | Update, dialect: Dialect, values: Values) -> _Compiled:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
        write = {name: one.type.dialect_impl(dialect).bind_processor(dialect) for name, one in compiled.binds.items()}
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        read = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        return _Compiled(
            sql=str(compiled),
            names=tuple(compiled.positiontup or compiled.binds),
            positional=compiled.positiontup is not None,
            fixed={name: one.value for name, one in compiled.binds.items() if not one.required},
            write=tuple((name, change) for name, change in write.items() if change is not None),
            read=tuple((index, change) for index, change in enumerate(read) if change is not None),
        )

    def sent(self, values: Values) -> Any:
        """The parameters as the driver takes them. Raises KeyError for one that is missing."""
        if self.fixed or self.write:
            values = {**self.fixed, **values}
            for name, change in self.write:
                values[name] = change(values[name])
        return tuple([values[name] for name in self.names]) if self.positional else values

    def received(self, row: Row) -> Row:
        """A row of the driver's with our types."""
        if not self.read:
            return row
        columns = list(row)
        for index, change in self.read:
            columns[index] = change(columns[index])
        return columns


def _executed(connection: Connection, sql: str, values: Any) -> Any:
    """The driver's cursor after the statement; a list of values runs it once for each. Raises DBAPIError."""
    if not connection.in_transaction():
        connection.begin()
    dialect, driver = connection.dialect, connection.connection
    errors = dialect.loaded_dbapi.Error
    try:
        cursor = driver.cursor()
        if isinstance(values, list):
            cursor.executemany(sql, values)
        else:
            cursor.execute(sql, values)
    except errors as error:
        lost = dialect.is_disconnect(error, driver.dbapi_connection, None)
        if lost:  # the pool's others mostly went with it
            connection.invalidate(error)
            connection.engine.dispose()
        told = DBAPIError.instance(
            sql, None, error, errors, hide_parameters=True, connection_invalidated=lost, dialect=dialect
        )
        raise told from error
    return cursor
