"""The schema and its history. Expand first, contract later: CONTRIBUTING.md has the recipe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

# The revision that this code needs; a test holds it against the scripts, so that a start need not load Alembic.
NEWEST = "0008"
_LOCK = 0x42697365  # "Bise": PostgreSQL's advisory lock of whoever migrates


def upgrade(database: str | Path, revision: str = NEWEST) -> str | None:
    """Brings a database to `revision`; returns the revision it had (None: new), which may be that already.

    `database`: a DATABASE_URL, or a SQLite file. One process at a time; others wait and then find it done. Raises
    StoreUnavailable, SchemaOutdated.
    """
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy.exc import DatabaseError

    from core.errors import SchemaOutdated, StoreUnavailable
    from core.store.database import SQLITE, shown
    from migrations import queue_schema

    url = f"{SQLITE}{database}" if isinstance(database, Path) else database
    try:
        with _connected(url) as connection:
            before = MigrationContext.configure(connection).get_current_revision()
            if before is not None and before > NEWEST:
                raise SchemaOutdated(
                    f"The database {shown(url)} was made by a newer version (schema {before}): upgrade Bise."
                )
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            if connection.dialect.name == "postgresql":
                queue_schema.bring_up(connection)
            connection.commit()
    except (DatabaseError, OSError) as error:
        cause = str(getattr(error, "orig", error)).partition("\n")[0].rstrip(".")
        raise StoreUnavailable(f"The database {shown(url)} cannot be opened: {cause}.") from error
    return before


def alembic_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """A connection that alone may migrate; a new SQLite file is made, for its owner only."""
    from sqlalchemy import create_engine, func, select
    from sqlalchemy.pool import NullPool

    from core.store import postgres_engine
    from core.store.database import SQLITE

    if url.startswith(SQLITE):
        file = Path(url.removeprefix(SQLITE))
        file.parent.mkdir(parents=True, exist_ok=True)
        with create_engine(f"sqlite:///{file}", poolclass=NullPool).connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.rollback()
            yield connection
        file.chmod(0o600)
        return
    with postgres_engine.single(url).connect() as connection:
        connection.execute(select(func.pg_advisory_lock(_LOCK)))  # freed when the connection closes
        connection.commit()
        yield connection
