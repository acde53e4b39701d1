"""Statements of the hottest transactions: made into a database's own SQL once, then sent to its driver as they are.

SQLAlchemy finds a statement anew by its shape each time that it is run, which costs more than SQLite needs to run it.
Here only values change between two runs, never the shape: no list of any length, no optional part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, Delete, Dialect, Insert, Select, Update

from core.store.database import Connection

Values = Mapping[str, Any]
_Change = Callable[[Any], Any] | None


class Prepared:
    """One statement. It is compiled on its first run on a kind of database, for the names of the values given then."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: dict[str, _Compiled] = {}  # threads that are first at once make the same

    def run(self, connection: Connection, values: Values) -> CursorResult[Any]:
        """Runs it; what it returns has the driver's own types, of which `rows` makes ours."""
        compiled = self._on(connection.dialect, values)
        return connection.exec_driver_sql(compiled.sql, compiled.sent(values))

    def run_each(self, connection: Connection, many: Sequence[Values]) -> int:
        """Runs it for each of these values in turn, at least one; returns how many rows were changed."""
        compiled = self._on(connection.dialect, many[0])
        result = connection.exec_driver_sql(compiled.sql, [compiled.sent(values) for values in many])
        return result.rowcount

    def rows(self, connection: Connection, values: Values) -> list[tuple[Any, ...]]:
        """Runs it and returns all its rows, with our types."""
        compiled = self._on(connection.dialect, values)
        found = connection.exec_driver_sql(compiled.sql, compiled.sent(values))
        if not compiled.read:
            return [tuple(row) for row in found]
        rows = []
        for row in found:
            columns = list(row)
            for index, change in compiled.read:
                columns[index] = change(columns[index])
            rows.append(tuple(columns))
        return rows

    def _on(self, dialect: Dialect, values: Values) -> _Compiled:
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _Compiled.of(self._statement, dialect, values)
        return compiled


@dataclass(frozen=True, slots=True)
class _Compiled:
    """SQL with places for parameters. `write` and `read`: what has to be changed on the way there and back."""

    sql: str
    names: tuple[str, ...]
    positional: bool
    fixed: dict[str, Any]  # values that are written into the statement
    write: tuple[tuple[str, Callable[[Any], Any]], ...]
    read: tuple[tuple[int, Callable[[Any], Any]], ...]

    @staticmethod
    def of(statement: Select[Any] | Insert | Update | Delete, dialect: Dialect, values: Values) -> _Compiled:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(values))
        names = tuple(compiled.positiontup or compiled.binds)
        changes: dict[str, _Change] = {
            name: compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names
        }
        columns = statement.selected_columns if isinstance(statement, Select) else ()
        back: list[_Change] = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        return _Compiled(
            sql=str(compiled),
            names=names,
            positional=compiled.positiontup is not None,
            fixed={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            write=tuple((name, change) for name, change in changes.items() if change is not None),
            read=tuple((index, change) for index, change in enumerate(back) if change is not None),
        )

    def sent(self, values: Values) -> Any:
        """The parameters as the driver takes them. Raises KeyError for one that is missing."""
        written = {**self.fixed, **values}
        for name, change in self.write:
            written[name] = change(written[name])
        if self.positional:
            return tuple(written[name] for name in self.names)
        return written
