"""The migrations make exactly the tables that the code has, on both databases, and may be run at any time."""

from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

import migrations
from core.errors import SchemaOutdated, StoreUnavailable
from core.store import budget_tables, report_tables, tables
from core.store.columns import METADATA
from migrations.queue_schema import PREFIX
from tests import postgres
from tests.databases import Place, house, place_of
from tests.fakes import message, rows

VERSION = "SELECT version_num FROM alembic_version"


def test_the_newest_revision_is_the_head_and_there_is_one() -> None:
    script = ScriptDirectory.from_config(migrations.alembic_config())
    assert script.get_heads() == [migrations.NEWEST]


def test_an_upgraded_database_has_the_tables_of_the_code_and_no_others(empty_place: Place) -> None:
    assert migrations.upgrade(empty_place.url) is None
    with empty_place.connected() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": not_the_queues}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
    every = (tables.Turn, tables.Usage, budget_tables.Budget, report_tables.ReportRun)
    assert {table.name for table in METADATA.sorted_tables} >= {table.__tablename__ for table in every}


def not_the_queues(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or not str(name).startswith(PREFIX)


def test_constraints_and_indexes_are_those_of_the_code(tmp_path: Path) -> None:
    """Autogenerate does not look at every constraint on SQLite, so both schemas are made and held side by side."""
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    migrations.upgrade(migrated)
    METADATA.create_all(create_engine(f"sqlite:///{made}", poolclass=NullPool))
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


def test_constraints_and_indexes_are_those_of_the_code_on_postgresql(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path) as migrated, place_of("postgres", tmp_path, migrated=False) as made:
        with made.connected() as connection:
            METADATA.create_all(connection)
            connection.commit()
        assert described(migrated) == described(made)


def described(place: Place) -> dict[str, list[object]]:
    """The same on PostgreSQL, names included."""
    with place.connected() as connection:
        seen = inspect(connection)
        return {
            table: [
                sorted(
                    (one["name"], str(one["type"]), one["nullable"], one["default"]) for one in seen.get_columns(table)
                ),
                seen.get_pk_constraint(table),
                sorted(map(str, seen.get_foreign_keys(table))),
                sorted(map(str, seen.get_unique_constraints(table))),
                sorted(map(str, seen.get_indexes(table))),
            ]
            for table in seen.get_table_names()
            if table != "alembic_version" and not table.startswith(PREFIX)
        }


async def test_an_upgrade_of_the_newest_changes_nothing(tmp_path: Path) -> None:
    with place_of("sqlite", tmp_path) as place:
        async with house(place) as home:
            await home.hear(message())
        before = dump(place.file)
        assert migrations.upgrade(place.file) == migrations.NEWEST
        assert dump(place.file) == before


async def test_an_upgrade_works_beside_a_running_service(place: Place) -> None:
    async with house(place) as home:
        await home.hear(message())
        assert migrations.upgrade(place.url) == migrations.NEWEST
        await home.hear(message(id="2"))
        assert home.states() == ["done", "done"]


def dump(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_four_who_migrate_at_once_take_turns(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path, migrated=False) as place:
        found: list[str | None] = []
        threads = [threading.Thread(target=lambda: found.append(migrations.upgrade(place.url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(map(str, found)) == [migrations.NEWEST] * 3 + ["None"]
        assert place.rows(VERSION) == [(migrations.NEWEST,)]


FUNCTIONS = "SELECT proname FROM pg_proc WHERE proname LIKE 'procrastinate%' ORDER BY 1"


def test_the_tables_of_the_queue_come_with_ours_and_follow_its_version(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path) as new, place_of("postgres", tmp_path, migrated=False) as old:
        names = [name for (name,) in new.rows("SELECT name FROM procrastinate_script ORDER BY name")]
        older = [name for name in names if name < "03.02"]
        assert 10 < len(older) < len(names)
        for name in older:  # as an older version of it left the database
            old.change((Path(SchemaManager.get_migrations_path()) / name).read_text())
        old.change("CREATE TABLE procrastinate_script (name text PRIMARY KEY)")
        for name in older:
            old.change(f"INSERT INTO procrastinate_script VALUES ('{name}')")  # noqa: S608
        migrations.upgrade(old.url)
        assert old.rows(FUNCTIONS) == new.rows(FUNCTIONS)
        assert old.rows("SELECT count(*) FROM procrastinate_script") == [(len(names),)]


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "bise.db"
    migrations.upgrade(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_database_of_a_newer_version_is_left_alone(place: Place) -> None:
    place.change("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaOutdated, match="made by a newer version"):
        migrations.upgrade(place.url)
    assert place.rows(VERSION) == [("9999",)]


def test_a_server_that_does_not_answer_is_one_plain_error_without_the_password() -> None:
    with pytest.raises(StoreUnavailable) as caught:
        migrations.upgrade("postgresql+psycopg://bise:hidden@127.0.0.1:1/bise")
    assert str(caught.value).startswith("The database bise on 127.0.0.1 cannot be opened: ")
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_the_version_before_goes_on_until_a_step_takes_away_what_it_needs(place: Place) -> None:
    database = place.open()
    newer = f"{int(migrations.NEWEST) + 1:04}"
    try:
        place.change(f"UPDATE alembic_version SET version_num = '{newer}'")  # noqa: S608 - a revision of ours
        await database.check(migrations.NEWEST)
        place.change(f"UPDATE schema_floor SET oldest = '{newer}'")  # noqa: S608 - a revision of ours
        with pytest.raises(SchemaOutdated, match="newer version"):
            await database.check(migrations.NEWEST)
    finally:
        await database.close()


async def test_an_older_schema_asks_for_migrate(empty_place: Place) -> None:
    migrations.upgrade(empty_place.url, f"{int(migrations.NEWEST) - 1:04}")
    database = empty_place.open()
    try:
        with pytest.raises(SchemaOutdated, match="bise migrate"):
            await database.check(migrations.NEWEST)
    finally:
        await database.close()


def test_every_step_leaves_the_version_before_able_to_work(empty_place: Place) -> None:
    """Processes of the version before still run while it is taken: nothing of theirs goes, nothing new is demanded."""
    script = ScriptDirectory.from_config(migrations.alembic_config())
    before: dict[tuple[str, str], tuple[str, bool]] = {}
    for revision in reversed([step.revision for step in script.walk_revisions()]):
        migrations.upgrade(empty_place.url, revision)
        after, demanded = columns(empty_place)
        assert {name: after.get(name) for name in before} == before, revision
        old_tables = {table for table, _ in before}
        assert {(table, column) for table, column in demanded - set(before) if table in old_tables} == set(), revision
        before = after


def columns(place: Place) -> tuple[dict[tuple[str, str], tuple[str, bool]], set[tuple[str, str]]]:
    """Type and nullability of every column, and the columns that an insert must name."""
    with place.connected() as connection:
        seen = inspect(connection)
        found = [(table, one) for table in seen.get_table_names() for one in seen.get_columns(table)]
    described = {(table, one["name"]): (str(one["type"]), one["nullable"]) for table, one in found}
    return described, {(table, one["name"]) for table, one in found if not one["nullable"] and one["default"] is None}


def test_the_way_back_leaves_no_table(place: Place) -> None:
    config = migrations.alembic_config()
    with place.connected() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
        left = [table for table in inspect(connection).get_table_names() if not table.startswith(PREFIX)]
        assert left == ["alembic_version"]


def test_a_template_is_what_the_migrations_make(tmp_path: Path) -> None:
    with postgres.server().database() as url:
        assert postgres.rows(url, VERSION) == [(migrations.NEWEST,)]
