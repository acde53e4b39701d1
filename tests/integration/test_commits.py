"""What one commit holds: SQLite's writes share one when they wait together, and each turn makes as few as it can."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from core.messages import ConversationKind, WorkspaceKey
from core.store import transcript, workspaces
from core.store.conversations import Conversation, by_root
from core.store.database import Connection
from core.store.sqlite_database import TOGETHER, SqliteDatabase
from tests.databases import Place, house
from tests.fakes import PATIENCE, T0, ScriptedModel, message, new_database, rows, said

CONVERSATION = Conversation(
    id=1,
    workspace=1,
    kind=ConversationKind.THREAD,
    channel="C1",
    root="C1:1",
    begun_with_bot=True,
    left=False,
    last_seq=1,
    history_from_seq=0,
    trimmed_to_seq=0,
    asker=1,
    others_since=False,
)
Write = Callable[[Connection], int]


class _Refused(Exception):
    """What a transaction raises in these tests."""


@contextmanager
def counted(name: str = "commit") -> Iterator[list[str]]:
    """What all engines do meanwhile: an entry for each event of that name, a statement's words where it has any."""
    seen: list[str] = []

    def see_commit(connection: Connection) -> None:
        seen.append("")

    def see_statement(c: object, cursor: object, statement: str, values: object, context: object, many: bool) -> None:
        seen.append(statement)

    listener = see_commit if name == "commit" else see_statement
    event.listen(Engine, name, listener)
    try:
        yield seen
    finally:
        event.remove(Engine, name, listener)


def ensure(number: int) -> Write:
    return lambda connection: workspaces.ensure(connection, WorkspaceKey("slack", f"T{number}"), T0)


async def together(file: Path, *writes: Write) -> list[int | BaseException]:
    """What becomes of writes that come while the writer is busy."""
    database, busy, gate = SqliteDatabase.at(file), threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        busy.set()
        gate.wait(PATIENCE)

    try:
        first = asyncio.create_task(database.write(hold))
        await asyncio.to_thread(busy.wait, PATIENCE)
        waiting: list[Awaitable[int]] = [asyncio.create_task(database.write(write)) for write in writes]
        await asyncio.sleep(0)
        gate.set()
        await first
        return list(await asyncio.gather(*waiting, return_exceptions=True))
    finally:
        gate.set()
        await database.close()


def stored(file: Path) -> list[str]:
    return [row[0] for row in rows(file, "SELECT external_id FROM workspace ORDER BY id")]


async def test_writes_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    file = new_database(tmp_path)
    with counted() as commits:
        numbers = await together(file, *(ensure(number) for number in range(TOGETHER + 1)))
    assert numbers == list(range(1, TOGETHER + 2))
    assert len(commits) == 3  # the one that they waited for, as many as may share one, the rest


async def test_a_fault_takes_its_own_writes_back_and_no_neighbours(tmp_path: Path) -> None:
    file = new_database(tmp_path)

    def refuse(connection: Connection) -> int:
        ensure(99)(connection)
        raise _Refused

    outcomes = await together(file, ensure(1), refuse, ensure(2), refuse, ensure(3))
    assert [type(outcome) for outcome in outcomes] == [int, _Refused, int, _Refused, int]
    assert stored(file) == ["T1", "T2", "T3"]


async def test_neighbours_of_a_write_that_undid_everything_are_done_again(tmp_path: Path) -> None:
    file = new_database(tmp_path)

    def undo(connection: Connection) -> int:  # as SQLite does by itself when the disk is full
        connection.exec_driver_sql("ROLLBACK")
        raise _Refused

    outcomes = await together(file, ensure(1), undo, ensure(2))
    assert [type(outcome) for outcome in outcomes] == [int, _Refused, int]
    assert stored(file) == ["T1", "T2"]


async def test_a_write_whose_caller_left_while_it_waited_does_not_stop_the_others(tmp_path: Path) -> None:
    file = new_database(tmp_path)
    database, busy, gate = SqliteDatabase.at(file), threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        busy.set()
        gate.wait(PATIENCE)

    try:
        first = asyncio.create_task(database.write(hold))
        await asyncio.to_thread(busy.wait, PATIENCE)
        left, stayed = (asyncio.create_task(database.write(ensure(number))) for number in (1, 2))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, stayed)
    finally:
        gate.set()
        await database.close()
    assert left.cancelled()
    assert stored(file) == ["T2"]


async def test_a_question_in_a_known_thread_is_accepted_by_six_statements(place: Place) -> None:
    async with house(place, started=False, user_turns_per_minute=10) as home:
        await home.core.accept(message())
        with counted("before_cursor_execute") as statements:
            await home.core.accept(said("And in Nice?", "2", mentioned=True))
    assert len([one for one in statements if not one.startswith("BEGIN")]) == 6


async def test_a_turn_makes_five_commits_and_the_last_closes_its_post(place: Place) -> None:
    async with house(place, model=ScriptedModel(), started=False) as home:
        await home.core.accept(message())
        with counted() as commits:
            await home.core.start()
            await home.settled()
            made = len(commits)
    assert made == 6  # taken up at the start, claimed, held, answer kept and settled, post made, ended
    assert place.rows("SELECT state, closed FROM turn JOIN post ON post.turn_id = turn.id") == [("done", True)]


@pytest.mark.parametrize("others", [0, 3])
async def test_a_history_is_found_by_its_conversation_whatever_else_was_said(place: Place, others: int) -> None:
    async with house(place, started=False) as home:
        for number in range(1, others + 1):
            await home.core.accept(message("elsewhere", str(100 + number)))
        await home.core.accept(message("Hello"))
        await home.core.accept(said("And in Nice?", "2", mentioned=True))
        asked = place.rows("SELECT id FROM message WHERE source_id = 'C1:2'")[0][0]

        def look(connection: Connection) -> list[str]:
            found = by_root(connection, 1, "C1", "C1:1")
            assert found is not None
            return [line.text for line in transcript.lines(connection, found, asked, from_seq=0)]

        assert await home.core.database.read(look) == ["Hello", "And in Nice?"]


async def test_no_history_is_looked_for_among_all_messages_of_a_workspace(tmp_path: Path) -> None:
    file = new_database(tmp_path)
    database = SqliteDatabase.at(file)

    def plan(connection: Connection) -> list[str]:
        with counted("before_cursor_execute") as statements:
            transcript.lines(connection, CONVERSATION, 1, from_seq=0)
        explained = "EXPLAIN QUERY PLAN " + statements[0].replace("?", "1")
        return [row[3] for row in connection.exec_driver_sql(explained)]

    try:
        steps = await database.write(plan)
    finally:
        await database.close()
    assert not [step for step in steps if "workspace_id=?" in step or step == "SCAN message"]
