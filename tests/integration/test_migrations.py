"""The migrations make exactly the tables that the code has, and may be run at any time."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

import migrations
from core.errors import SchemaOutdated
from core.store import tables
from core.store.columns import METADATA
from tests.fakes import house, message, rows


def test_the_newest_revision_is_the_head_and_there_is_one() -> None:
    script = ScriptDirectory.from_config(migrations.alembic_config())
    assert script.get_heads() == [migrations.NEWEST]


def test_an_upgraded_file_has_the_tables_of_the_code_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "bise.db"
    assert migrations.upgrade(file) is None
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    assert {table.name for table in METADATA.sorted_tables} >= {tables.Turn.__tablename__, tables.Usage.__tablename__}


def test_constraints_and_indexes_are_those_of_the_code(tmp_path: Path) -> None:
    """Autogenerate does not look at every constraint on SQLite, so both schemas are made and held side by side."""
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    migrations.upgrade(migrated)
    engine = create_engine(f"sqlite:///{made}", poolclass=NullPool)
    METADATA.create_all(engine)
    assert shape(migrated) == shape(made)


def shape(file: Path) -> dict[str, list[object]]:
    """Columns, foreign keys and indexes of every table."""
    found: dict[str, list[object]] = {}
    for (table,) in rows(file, "SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'alembic_version'"):
        columns = sorted(row[1:4] + row[5:] for row in rows(file, f"PRAGMA table_info({table})"))
        keys = sorted(row[2:5] for row in rows(file, f"PRAGMA foreign_key_list({table})"))
        indexes = []
        for _, name, unique, *_ in rows(file, f"PRAGMA index_list({table})"):
            indexes.append((unique, [row[2] for row in rows(file, f"PRAGMA index_info({name})")]))
        found[table] = [columns, keys, sorted(indexes)]
    return found


async def test_an_upgrade_of_the_newest_changes_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.hear(message())
    before = dump(tmp_path / "bise.db")
    assert migrations.upgrade(tmp_path / "bise.db") == migrations.NEWEST
    assert dump(tmp_path / "bise.db") == before


async def test_an_upgrade_works_beside_a_running_service(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.hear(message())
        assert migrations.upgrade(home.file) == migrations.NEWEST
        await home.hear(message(id="2"))
        assert home.states() == ["done", "done"]


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "bise.db"
    migrations.upgrade(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "bise.db"
    migrations.upgrade(file)
    connection = sqlite3.connect(file)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaOutdated, match="made by a newer version"):
        migrations.upgrade(file)
    assert rows(file, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_the_way_back_leaves_no_table(tmp_path: Path) -> None:
    file = tmp_path / "bise.db"
    migrations.upgrade(file)
    config = migrations.alembic_config()
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert rows(file, "SELECT name FROM sqlite_master WHERE type = 'table'") == [("alembic_version",)]
