"""The tables of the queue on PostgreSQL: procrastinate's own, brought up together with ours."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, insert, select, table, text

PREFIX = "procrastinate_"  # of everything that is not ours
# procrastinate ships scripts and does not write down which of them a database has had: this does.
_SCRIPTS = table(f"{PREFIX}script", column("name"))


def bring_up(connection: Connection) -> None:
    """Makes procrastinate's tables, or takes the steps that its version here has more; commits each."""
    from procrastinate.schema import SchemaManager

    folder = Path(SchemaManager.get_migrations_path())
    shipped = sorted(file.name for file in folder.glob("*.sql"))
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {_SCRIPTS.name} (name text PRIMARY KEY)"))
    had = set(connection.execute(select(_SCRIPTS.c.name)).scalars())
    if not had:
        _take(connection, SchemaManager.get_schema(), shipped)
        return
    for name in shipped:
        if name not in had:
            _take(connection, (folder / name).read_text(), [name])


def _take(connection: Connection, script: str, names: list[str]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - it has just run a statement
    driver.execute(script)  # many statements at once, which SQLAlchemy would send as one with parameters
    connection.execute(insert(_SCRIPTS), [{"name": name} for name in names])
    connection.commit()  # a later script may use what this one added to an enumeration
