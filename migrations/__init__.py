"""The schema and its history. Expand first, contract later: CONTRIBUTING.md has the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alembic.config import Config

# The revision that this code needs; a test holds it against the scripts, so that a start need not load Alembic.
NEWEST = "0001"


def upgrade(file: Path) -> str | None:
    """Brings the SQLite file to NEWEST; returns the revision it had (None: new). Raises StoreUnavailable."""
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DatabaseError
    from sqlalchemy.pool import NullPool

    from core.errors import SchemaOutdated, StoreUnavailable

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.rollback()
            before = MigrationContext.configure(connection).get_current_revision()
            if before is not None and before > NEWEST:
                raise SchemaOutdated(
                    f"The database {file} was made by a newer version (schema {before}): upgrade Bise."
                )
            config = alembic_config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    except (DatabaseError, OSError) as error:
        raise StoreUnavailable(f"The database {file} cannot be opened: {getattr(error, 'orig', error)}.") from error
    file.chmod(0o600)
    return before


def alembic_config() -> Config:
    """Alembic's configuration, without a file of its own."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
