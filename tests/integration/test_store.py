"""The store's promises on both databases, and what SQLite's file may do: one plain error when it is away."""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

import migrations
from core.chat import ImagePart
from core.errors import SchemaOutdated, StoreUnavailable
from core.messages import WorkspaceKey
from core.store import blobs, tables, workspaces
from core.store.database import WAITING_AT_MOST, Connection, Database
from core.store.sqlite_database import SqliteDatabase
from tests.databases import Place
from tests.fakes import PATIENCE, T0, house, message, new_database, settings_at


def ensured(connection: Connection) -> int:
    return workspaces.ensure(connection, WorkspaceKey("slack", "T1"), T0)


PRAGMAS = {"foreign_keys": 1, "synchronous": 2, "secure_delete": 1}


async def test_both_engines_keep_what_was_promised_about_the_file(tmp_path: Path) -> None:
    database = SqliteDatabase.at(new_database(tmp_path))
    try:
        mode = text("PRAGMA journal_mode")
        assert await database.write(lambda connection: connection.execute(mode).scalar()) == "wal"

        def found(connection: Connection) -> dict[str, int]:
            return {pragma: connection.execute(text(f"PRAGMA {pragma}")).scalar_one() for pragma in PRAGMAS}

        assert await database.write(found) == PRAGMAS
        assert await database.read(found) == PRAGMAS
    finally:
        await database.close()


async def test_a_row_that_points_nowhere_is_refused_and_is_our_own_fault(place: Place) -> None:
    database = place.open()
    try:
        image = ImagePart(b"x", "image/png", 1, 1)
        with pytest.raises(IntegrityError):
            await database.write(lambda connection: blobs.put(connection, 404, "hash", image, T0))
    finally:
        await database.close()
    assert place.rows("SELECT count(*) FROM blob") == [(0,)]


async def test_the_reader_cannot_write(place: Place) -> None:
    database = place.open()
    try:
        with pytest.raises(StoreUnavailable, match=r"readonly|read-only"):
            await database.read(ensured)
    finally:
        await database.close()


async def test_a_transaction_that_fails_leaves_nothing(place: Place) -> None:
    database = place.open()

    def fail_halfway(connection: Connection) -> None:
        ensured(connection)
        raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            await database.write(fail_halfway)
    finally:
        await database.close()
    assert place.rows("SELECT count(*) FROM workspace") == [(0,)]


async def test_reads_do_not_wait_for_a_write_under_way(place: Place) -> None:
    database = place.open()
    try:
        begun, looked = threading.Event(), threading.Event()

        def write(connection: Connection) -> None:
            ensured(connection)
            begun.set()
            assert looked.wait(PATIENCE)

        writing = asyncio.create_task(database.write(write))
        await asyncio.to_thread(begun.wait, PATIENCE)
        async with asyncio.timeout(PATIENCE / 2):
            assert await database.read(lambda c: workspaces.find(c, WorkspaceKey("slack", "T1"))) is None
        looked.set()
        await writing
    finally:
        await database.close()


async def test_times_come_back_as_they_were_and_naive_ones_are_refused(place: Place) -> None:
    database = place.open()
    zone = timezone(timedelta(hours=5, minutes=30))
    try:

        def transaction(connection: Connection) -> None:
            workspaces.ensure(connection, WorkspaceKey("slack", "T1"), datetime(2026, 1, 1, 5, 30, tzinfo=zone))
            found = connection.execute(select(tables.Workspace.__table__.c.created_at)).scalar()  # type: ignore[attr-defined]
            assert found == datetime(2026, 1, 1, tzinfo=UTC)

        await database.write(transaction)
        other, naive = WorkspaceKey("slack", "T2"), T0.replace(tzinfo=None)
        with pytest.raises(StatementError, match="naive"):
            await database.write(lambda connection: workspaces.ensure(connection, other, naive))
    finally:
        await database.close()


async def test_an_image_is_kept_once_per_workspace_and_seen_by_no_other(place: Place) -> None:
    database = place.open()
    image = ImagePart(b"bytes", "image/png", 3, 4)
    try:

        def transaction(connection: Connection) -> None:
            ours = workspaces.ensure(connection, WorkspaceKey("slack", "T1"), T0)
            theirs = workspaces.ensure(connection, WorkspaceKey("slack", "T2"), T0)
            for _ in range(2):
                blobs.put(connection, ours, "hash", image, T0)
            assert blobs.get(connection, ours, "hash") == image
            assert blobs.get(connection, theirs, "hash") is None

        await database.write(transaction)
    finally:
        await database.close()


# away


async def refused(database: Database) -> str:
    """What a write says that cannot be done."""
    try:
        with pytest.raises(StoreUnavailable) as caught:
            await database.write(ensured)
    finally:
        await database.close()
    return str(caught.value)


async def test_a_folder_in_the_files_place_is_one_plain_error(tmp_path: Path) -> None:
    (tmp_path / "bise.db").mkdir()
    assert "does not answer: unable to open database file" in await refused(SqliteDatabase.at(tmp_path / "bise.db"))


async def test_a_file_that_is_no_database_is_one_plain_error(tmp_path: Path) -> None:
    file = tmp_path / "bise.db"
    file.write_bytes(b"Dear diary, " * 100)
    assert "file is not a database" in await refused(SqliteDatabase.at(file))
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        migrations.upgrade(file)


def test_a_path_through_a_file_is_one_plain_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        SqliteDatabase.at(tmp_path / "file" / "bise.db")
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        migrations.upgrade(tmp_path / "file" / "bise.db")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
async def test_a_read_only_folder_is_one_plain_error(tmp_path: Path) -> None:
    file = new_database(tmp_path)
    file.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert "does not answer" in await refused(SqliteDatabase.at(file))
    finally:
        tmp_path.chmod(0o700)


async def test_a_full_disk_is_one_plain_error(tmp_path: Path) -> None:
    database = SqliteDatabase.at(new_database(tmp_path))
    image = ImagePart(b"x" * 4_000_000, "image/png", 1, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        workspace = await database.write(ensured)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await database.write(lambda connection: blobs.put(connection, workspace, "hash", image, T0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await database.close()


async def test_a_database_that_another_program_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    file = new_database(tmp_path)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "database is locked" in await refused(SqliteDatabase.at(file, busy_seconds=0.05))
    database = SqliteDatabase.at(file, busy_seconds=5)
    waiting = asyncio.create_task(database.write(ensured))
    await asyncio.sleep(0.05)
    other.execute("COMMIT")
    other.close()
    assert await waiting == 1
    await database.close()


async def test_too_many_who_wait_for_the_writer_are_told(place: Place) -> None:
    database = place.open()
    enough = threading.Event()
    first = asyncio.create_task(database.write(lambda _: enough.wait(PATIENCE)))
    others = [asyncio.create_task(database.write(ensured)) for _ in range(WAITING_AT_MOST)]
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="too many are waiting"):
        await database.write(ensured)
    enough.set()
    await asyncio.gather(first, *others[:-1])
    await asyncio.gather(others[-1], return_exceptions=True)
    await database.close()


async def test_a_message_that_cannot_be_stored_is_not_accepted(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        home.file.unlink()
        home.file.mkdir()
        with pytest.raises(StoreUnavailable):
            await home.core.accept(message())


async def test_an_error_of_the_database_does_not_show_peoples_words(tmp_path: Path) -> None:
    async with house(tmp_path, started=False) as home:
        connection = sqlite3.connect(home.file)
        connection.execute("DROP TABLE turn")
        connection.commit()
        connection.close()
        with pytest.raises(StoreUnavailable) as caught:
            await home.core.accept(message("a secret of mine"))
        assert "secret" not in f"{caught.value} {caught.value.__cause__}"
        assert isinstance(caught.value.__cause__, OperationalError)


# the schema's version


async def test_a_schema_that_is_not_ours_names_what_to_do(place: Place) -> None:
    database = place.open()
    try:
        await database.check(migrations.NEWEST)
        told = rf"has schema {migrations.NEWEST}, this version needs 9999: run `bise migrate`\."
        with pytest.raises(SchemaOutdated, match=told):
            await database.check("9999")
    finally:
        await database.close()


async def test_a_database_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    database = SqliteDatabase.at(tmp_path / "bise.db")
    with pytest.raises(SchemaOutdated, match="run `bise migrate`"):
        await database.check(migrations.NEWEST)
    await database.close()
    assert not (tmp_path / "bise.db").exists()


async def test_an_empty_file_has_no_schema(tmp_path: Path) -> None:
    (tmp_path / "bise.db").touch()
    database = SqliteDatabase.at(tmp_path / "bise.db")
    with pytest.raises(SchemaOutdated, match="is empty"):
        await database.check(migrations.NEWEST)
    await database.close()


def test_the_settings_name_the_file(tmp_path: Path) -> None:
    assert settings_at(tmp_path / "bise.db").database_file == tmp_path / "bise.db"
