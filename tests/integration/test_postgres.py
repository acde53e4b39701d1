"""PostgreSQL: many at once do what one after the other would have done, and a server that dies is one plain error."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import IntegrityError

import migrations
from core.chat import ImagePart
from core.errors import SchemaOutdated, StoreUnavailable
from core.messages import Person, WorkspaceKey
from core.store import blobs, conversations, postgres_engine, workspaces
from core.store.database import Connection, Database, shown
from core.store.postgres_database import WRITERS, PostgresDatabase
from tests import postgres
from tests.databases import Place, house, place_of
from tests.fakes import PATIENCE, T0, TEAM, House, ManualClock, direct, message, said

PROCESSES = 4


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_of("postgres", tmp_path) as place:
        yield place


def ensured(connection: Connection) -> int:
    return workspaces.ensure(connection, TEAM, T0)


async def processes(place: Place, stack: AsyncExitStack, count: int = PROCESSES) -> list[House]:
    """Cores that accept on one database, each with connections and a memory of its own, as processes have."""
    return [await stack.enter_async_context(house(place, started=False)) for _ in range(count)]


# many at once


async def test_sixteen_deliveries_of_a_first_message_by_four_processes_make_one_turn(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        twins = [message(), replace(message(), mentioned=False)]
        accepted = await asyncio.gather(*(homes[n % 4].core.accept(twins[n // 4 % 2]) for n in range(16)))
    assert [one.outcome for one in accepted].count("turn") == 1
    assert {one.outcome for one in accepted} <= {"turn", "duplicate", "ignored"}
    for table in ("workspace", "person", "conversation", "message", "turn"):
        assert place.rows(f"SELECT count(*) FROM {table}") == [(1,)], table  # noqa: S608


async def test_twins_of_stored_context_make_one_turn(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        await homes[0].core.accept(message())
        twin = said("And in Nice?", "2", author=Person("U2", "Ben"))
        assert (await homes[0].core.accept(twin)).outcome == "context"
        twin = replace(twin, mentioned=True)
        accepted = await asyncio.gather(*(homes[n % 4].core.accept(twin) for n in range(16)))
    assert sorted(one.outcome for one in accepted) == ["duplicate"] * 15 + ["turn"]
    assert place.rows("SELECT count(*) FROM turn") == [(2,)]


async def test_what_many_people_say_in_one_new_thread_is_counted_without_a_gap(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        lines = [said(f"Line {n}", str(n), mentioned=True, author=Person(f"U{n}", f"P{n}")) for n in range(1, 33)]
        accepted = await asyncio.gather(*(homes[n % 4].core.accept(line) for n, line in enumerate(lines)))
    assert [one.outcome for one in accepted] == ["turn"] * 32
    assert place.rows("SELECT count(*) FROM conversation") == [(1,)]
    assert place.rows("SELECT seq FROM message ORDER BY seq") == [(n,) for n in range(1, 33)]
    assert place.rows("SELECT last_seq FROM conversation") == [(32,)]


async def test_turns_of_a_conversation_are_numbered_as_its_messages_are(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        lines = [said(f"Line {n}", str(n), mentioned=True) for n in range(1, 33)]
        await asyncio.gather(*(homes[n % 4].core.accept(line) for n, line in enumerate(lines)))
    in_order = place.rows("SELECT m.seq FROM turn t JOIN message m ON m.id = t.message_id ORDER BY t.id")
    assert in_order == [(n,) for n in range(1, 33)]


async def test_two_first_direct_messages_at_once_are_one_conversation(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        for number, home in enumerate(homes):  # she is known already, and every process is connected
            await home.core.accept(message(id=f"9{number}"))
        await asyncio.gather(*(homes[n % 4].core.accept(direct(f"Line {n}", str(n))) for n in range(1, 17)))
    assert place.rows("SELECT count(*) FROM conversation WHERE kind = 'dm'") == [(1,)]


async def test_answers_that_are_kept_while_people_go_on_lose_no_place(place: Place) -> None:
    async with AsyncExitStack() as stack:
        homes = await processes(place, stack)
        await homes[0].core.accept(message())

        def answer(number: int, connection: Connection) -> None:
            seq = conversations.next_seq(connection, 1, T0)
            conversations.append(
                connection, 1, 1, seq=seq, role="assistant", source="turn", source_id=str(number), person=None,
                parent=1, text="Yes.", addressed=False, sent_at=T0,
            )  # fmt: skip

        said_ = [homes[n % 4].core.accept(said(f"Line {n}", str(n), mentioned=True)) for n in range(2, 18)]
        kept = [homes[n % 4].core.database.write(partial(answer, n)) for n in range(16)]
        await asyncio.gather(*said_, *kept)
    assert place.rows("SELECT seq FROM message ORDER BY seq") == [(n,) for n in range(1, 34)]
    assert place.rows("SELECT last_seq FROM conversation") == [(33,)]


async def test_one_image_that_two_bring_at_once_is_kept_once(place: Place) -> None:
    database = place.open()
    image = ImagePart(b"bytes", "image/png", 3, 4)
    workspace = await database.write(ensured)
    writes = [database.write(lambda c: blobs.put(c, workspace, "hash", image, T0)) for _ in range(8)]
    await asyncio.gather(*writes)
    await database.close()
    assert place.rows("SELECT count(*) FROM blob") == [(1,)]


async def test_two_who_wait_for_each_other_both_end_well(place: Place) -> None:
    database = place.open()
    keys = [WorkspaceKey("slack", "T1"), WorkspaceKey("slack", "T2")]
    for key in keys:
        await database.write(partial(workspaces.ensure, key=key, now=T0))
    both, tries = threading.Barrier(2), list[str]()
    rename = text("UPDATE workspace SET name = name || :letter WHERE external_id = :id")
    await database.write(lambda c: c.execute(text("UPDATE workspace SET name = ''")))

    def crossed(first: int, connection: Connection) -> None:
        letter = "ab"[first]
        tries.append(letter)
        connection.execute(rename, {"letter": letter, "id": keys[first].id})
        if len(tries) <= 2:
            both.wait(PATIENCE)
        connection.execute(rename, {"letter": letter, "id": keys[1 - first].id})

    await asyncio.gather(*(database.write(partial(crossed, n)) for n in (0, 1)))
    await database.close()
    assert len(tries) == 3
    names = {"".join(sorted(name)) for (name,) in place.rows("SELECT name FROM workspace")}
    assert names == {"ab"}


async def test_a_fault_that_no_try_mends_is_told_after_some_and_without_words(place: Place) -> None:
    database = place.open()
    workspace = await database.write(ensured)
    insert = text("INSERT INTO person (workspace_id, external_id) VALUES (:workspace, :id)")
    tries = 0

    def again(connection: Connection) -> None:
        nonlocal tries
        tries += 1
        for _ in range(2):
            connection.execute(insert, {"workspace": workspace, "id": "a secret"})

    with pytest.raises(IntegrityError, match="uq_person_workspace_id_external_id") as caught:
        await database.write(again)
    await database.close()
    assert tries > 2
    assert "secret" not in "".join(traceback.format_exception(caught.value))


# away


async def test_a_server_that_is_not_there_is_one_plain_error_without_the_password() -> None:
    database = Database.open("postgresql+psycopg://bise:hidden@127.0.0.1:1/bise")
    with pytest.raises(StoreUnavailable, match=r"The database bise on 127\.0\.0\.1 does not answer") as caught:
        await database.write(ensured)
    await database.close()
    assert "hidden" not in str(caught.value)


async def test_a_connection_that_died_while_nobody_used_it_is_not_noticed(place: Place) -> None:
    database = place.open()
    await asyncio.gather(*(database.write(lambda c: c.execute(text("SELECT 1")).scalar()) for _ in range(WRITERS)))
    cut_all(place)
    assert await database.write(ensured) == 1
    await database.close()
    assert await database.read(lambda c: workspaces.find(c, TEAM)) == 1
    cut_all(place)
    assert await database.read(lambda c: workspaces.find(c, TEAM)) == 1
    await database.close()


async def test_a_transaction_that_lost_its_connection_is_run_again_whole(place: Place) -> None:
    database = place.open()
    tries = 0

    def cut_halfway(connection: Connection) -> int:
        nonlocal tries
        tries += 1
        number = ensured(connection)
        if tries == 1:
            cut_all(place)
        return number + 0 * workspaces.ensure_person(connection, number, Person("U1", "Ada"))

    await database.write(cut_halfway)
    await database.close()
    assert tries == 2
    assert place.rows("SELECT count(*) FROM workspace") == place.rows("SELECT count(*) FROM person") == [(1,)]


def cut_all(place: Place) -> None:
    """Ends every other connection to the database."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    postgres.execute(place.url, f"SELECT pg_terminate_backend(pid, 5000) {others}")


async def test_what_was_committed_survives_a_restart_and_the_pool_recovers_by_itself(tmp_path: Path) -> None:
    with postgres.PostgresServer.make(durable=True) as server:
        url = server.create("bise")
        database = Database.open(url)
        number = await database.write(ensured)
        server.stop("immediate")
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await database.write(ensured)
            with pytest.raises(StoreUnavailable, match="does not answer"):
                await database.ping()
        server.start()
        await database.ping()
        assert await database.write(ensured) == number
        server.restart_immediate()
        assert await database.write(ensured) == number
        await database.close()


async def test_a_row_that_somebody_keeps_is_not_waited_for_without_end(place: Place) -> None:
    database = PostgresDatabase(place.url, {"lock_timeout": "100"})
    await database.write(ensured)
    with place.held(), pytest.raises(StoreUnavailable, match="lock timeout"):
        await database.write(lambda c: c.execute(text("UPDATE turn SET state = state")))
    await database.close()


async def test_a_statement_without_end_is_ended(place: Place) -> None:
    database = PostgresDatabase(place.url, {"statement_timeout": "100"})
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await database.read(lambda c: c.execute(text("SELECT pg_sleep(5)")))
    await database.close()


async def test_a_read_sees_one_snapshot(place: Place) -> None:
    database = place.open()

    def twice(connection: Connection) -> list[int | None]:
        before = workspaces.find(connection, TEAM)
        place.change("INSERT INTO workspace (platform, external_id, created_at) VALUES ('slack', 'T1', now())")
        return [before, workspaces.find(connection, TEAM)]

    assert await database.read(twice) == [None, None]
    assert await database.read(lambda c: workspaces.find(c, TEAM)) == 1
    await database.close()


async def test_an_empty_database_and_one_that_is_not_there_say_what_to_do(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path, migrated=False) as place:
        database = place.open()
        with pytest.raises(SchemaOutdated, match=r"is empty, this version needs .*: run `bise migrate`"):
            await database.check(migrations.NEWEST)
        await database.close()
    database = Database.open(place.url)
    with pytest.raises(StoreUnavailable, match="does not exist"):
        await database.check(migrations.NEWEST)
    await database.close()


async def test_times_are_kept_with_their_zone(place: Place) -> None:
    async with house(place, clock=ManualClock(), started=False) as home:
        await home.core.accept(message())
    assert place.rows("SELECT data_type FROM information_schema.columns WHERE column_name = 'sent_at'") == [
        ("timestamp with time zone",)
    ]
    assert place.rows("SELECT sent_at AT TIME ZONE 'UTC' FROM message")[0][0].isoformat() == "2026-11-23T12:00:01"


# how it is reached


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("//bise@/bise", None),
        ("//bise@/bise?host=/var/run/postgresql", None),
        ("//bise@localhost/bise", None),
        ("//bise@127.0.0.1:5432/bise", None),
        ("//bise@[::1]/bise", None),
        ("//bise@db.example.org/bise", "require"),
        ("//bise@/bise?host=/tmp,db.example.org:5432", "require"),
        ("//bise@10.0.0.7/bise", "require"),
        ("//bise@db.example.org/bise?sslmode=disable", None),
        ("//bise@db.example.org/bise?sslmode=verify-full", None),
    ],
)
def test_nothing_goes_beyond_this_machine_unencrypted_unless_the_url_says_so(url: str, sslmode: str | None) -> None:
    assert postgres_engine.connect_args(make_url(f"postgresql+psycopg:{url}")).get("sslmode") == sslmode


def test_what_people_read_of_a_database_is_neither_user_nor_password() -> None:
    assert shown("postgresql+psycopg://bise:hidden@db.example.org:6432/team") == "team on db.example.org"
    assert shown("postgresql+psycopg://bise@/team?host=/tmp/socket") == "team"
    assert shown("sqlite+aiosqlite:///data/bise.db") == "data/bise.db"
