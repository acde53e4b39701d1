"""The tables of the queue on PostgreSQL: procrastinate's own, brought up together with ours."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, column, insert, select, table, text

from core.errors import SchemaOutdated

PREFIX = "procrastinate_"  # of everything that is not ours
# procrastinate ships scripts and does not write down which of them a database has had: this does.
# A fetch asks, for each job, what else waits or runs in its line; procrastinate's own indexes do not lead by the line.
_LINE_INDEX = f"""CREATE INDEX IF NOT EXISTS {PREFIX}line ON {PREFIX}jobs (lock, priority DESC, id)
WHERE status IN ('todo', 'doing')"""
_SCRIPTS = table(f"{PREFIX}script", column("name"))


def bring_up(connection: Connection) -> None:
    """Makes procrastinate's tables, or takes the steps that its version here has more; commits each."""
    from procrastinate.schema import SchemaManager

    folder, shipped = Path(SchemaManager.get_migrations_path()), _shipped()
    connection.execute(text(f"CREATE TABLE IF NOT EXISTS {_SCRIPTS.name} (name text PRIMARY KEY)"))
    had = set(connection.execute(select(_SCRIPTS.c.name)).scalars())
    if not had:
        _take(connection, SchemaManager.get_schema(), shipped)
    for name in shipped if had else ():
        if name not in had:
            _take(connection, (folder / name).read_text(), [name])
    connection.execute(text(_LINE_INDEX))


def _take(connection: Connection, script: str, names: list[str]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - it has just run a statement
    driver.execute(script)  # many statements at once, which SQLAlchemy would send as one with parameters
    connection.execute(insert(_SCRIPTS), [{"name": name} for name in names])
    connection.commit()  # a later script may use what this one added to an enumeration


def check(connection: Connection) -> None:
    """Raises SchemaOutdated unless a database has had every script of procrastinate's version here."""
    missing = set(_shipped()) - set(connection.execute(select(_SCRIPTS.c.name)).scalars())
    if missing:
        raise SchemaOutdated(f"The tables of the queue lack {len(missing)} steps: run `bise migrate`.")


def _shipped() -> list[str]:
    from procrastinate.schema import SchemaManager

    return sorted(file.name for file in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
