"""The queue in PostgreSQL between several workers: together with the turn, in order, taken over, found again."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.clock import SystemClock
from core.errors import StoreUnavailable
from core.messages import Person, Press
from core.service import Core, open_core
from core.store import jobs
from core.store.database import Connection
from core.store.jobs import Job, Jobs
from core.turns.postgres_queue import PostgresQueue
from tests.databases import Place, place_of
from tests.desk import SLACK, Desk, Ledger, desk
from tests.fakes import ADA, TEAM, FakePlatform, ScriptedModel, message, said
from tests.postgres import PostgresServer
from tests.world import soon

JOBS = "SELECT id, status::text FROM procrastinate_jobs ORDER BY id"
SILENT = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '7 seconds'"

NEWEST = "(SELECT max(id) FROM procrastinate_workers)"
BEATING = f"UPDATE procrastinate_workers SET last_heartbeat = now() WHERE id = {NEWEST}"  # noqa: S608
LOST = (  # a second job of the newest turn, fetched by the newest worker, which does not know it
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status, worker_id) "
    "SELECT queue_name, task_name, 'other', args, 'doing', worker_id FROM procrastinate_jobs"
)


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Place]:
    """A database in PostgreSQL."""
    with place_of("postgres", tmp_path) as place:
        yield place


@asynccontextmanager
async def dead_worker(place: Place) -> AsyncIterator[Jobs]:
    """A worker that takes jobs and then does nothing, not even give a sign of life."""
    worker = Jobs(place.url)
    await worker.open()
    try:
        yield worker
    finally:
        await worker.close()


async def taken_by(worker: Jobs) -> Job:
    job = await worker.fetch([SLACK])
    assert job is not None
    return job


async def test_a_turn_and_its_job_commit_together_or_not_at_all(there: Place) -> None:
    class Changed(Exception):
        pass

    async with desk(there) as one:
        turn = await one.ask()
        assert len(there.rows(JOBS)) == 1

        def half(connection: Connection) -> None:
            jobs.defer(connection, SLACK, turn, 1)
            raise Changed

        with pytest.raises(Changed):
            await one.core.database.write(half)
        assert len(there.rows(JOBS)) == 1


async def test_what_one_process_accepts_wakes_another(there: Place) -> None:
    ledger = Ledger()
    waits: list[float] = []
    async with desk(there, ledger) as ingress, desk(there, ledger) as worker:
        assert isinstance(worker.core.queue, PostgresQueue)
        worker.core.queue.poll = 60.0  # only the news can wake it
        await worker.start()
        for thread in range(1, 22):
            turn = await ingress.ask(thread)
            asked_at = asyncio.get_running_loop().time()
            await soon(lambda turn=turn: turn in ledger.at)
            waits.append(ledger.at[turn] - asked_at)
            await asyncio.sleep(0.01)
    middle = statistics.median(waits)
    print(f"wake-up of an idle worker: p50 {middle * 1000:.1f} ms, longest {max(waits) * 1000:.1f} ms")
    assert middle < 5


async def test_the_next_turn_of_a_conversation_begins_right_after_the_last_wherever(there: Place) -> None:
    ledger = Ledger()
    async with desk(there, ledger) as one, desk(there, ledger) as two:
        await one.start()
        await two.start()
        asked = [await one.ask() for _ in range(12)]
        await one.core.queue.idle()
    assert ledger.ended == asked
    assert ledger.most == 1
    gaps = [ledger.at[after] - ledger.at[before] for before, after in itertools.pairwise(asked)]
    assert max(gaps) < 3  # with the usual polling it would be 5 seconds; `make bench` has the figure


async def test_three_workers_keep_the_order_of_each_conversation_and_share_the_work(there: Place) -> None:
    ledger = Ledger()
    async with (
        desk(there, ledger, cap=4) as one,
        desk(there, ledger, cap=4) as two,
        desk(there, ledger, cap=4) as three,
    ):
        threads: dict[int, list[int]] = {thread: [] for thread in range(1, 11)}
        for _ in range(4):
            for thread, asked in threads.items():
                asked.append(await one.ask(thread))
        for worker in (one, two, three):
            worker.pace = 0.02
            await worker.start()
        await one.core.queue.idle()
        assert sorted(ledger.ended) == sorted(turn for asked in threads.values() for turn in asked)
        assert ledger.most == 1
        for asked in threads.values():
            assert [turn for turn in ledger.began if turn in asked] == asked
        assert there.rows(JOBS) == []


async def test_a_dead_workers_job_goes_to_another_under_its_number_before_what_was_asked_later(there: Place) -> None:
    async with desk(there) as one, dead_worker(there) as dead:
        first, second = await one.ask(), await one.ask()
        job = await taken_by(dead)
        assert job.turn == first
        await one.start()
        await one.core.sweep()
        await asyncio.sleep(0.3)
        assert one.ledger.began == []
        there.change(SILENT)
        await one.core.sweep()
        await one.core.queue.idle()
        assert one.ledger.ended == [first, second]
        assert there.rows(JOBS) == []


async def test_a_worker_that_leaves_with_a_job_leaves_it_to_others_at_once(there: Place) -> None:
    async with desk(there) as one:
        turn = await one.ask()
        async with dead_worker(there) as leaving:
            await taken_by(leaving)
        await one.start()
        await one.core.sweep()
        await soon(lambda: one.ledger.ended == [turn], 2)


async def test_a_job_is_held_until_its_turn_is_over_whoever_runs_it(there: Place) -> None:
    """A worker that was believed dead goes on: the one that got its job waits, and so does the conversation."""
    ledger = Ledger()
    async with desk(there, ledger) as slow, desk(there, ledger) as other:
        first, second = await slow.ask(), await slow.ask()
        gate = slow.hold(first)
        await slow.start()
        await soon(lambda: ledger.began == [first])
        there.change(SILENT)
        await other.start()
        there.change(BEATING)
        await other.core.sweep()
        await asyncio.sleep(0.7)
        assert ledger.began == [first]
        gate.set()
        await other.core.queue.idle()
        assert ledger.ended == [first, second]
        assert there.rows(JOBS) == []


async def test_a_queued_turn_without_a_job_gets_one_before_what_was_asked_later(there: Place) -> None:
    async with desk(there) as one:
        first, second, third = await one.ask(), await one.ask(), await one.ask()
        there.change(
            "DELETE FROM procrastinate_jobs WHERE id IN (SELECT id FROM procrastinate_jobs ORDER BY id LIMIT 2)"
        )
        await one.core.sweep()
        assert len(there.rows(JOBS)) == 3
        await one.start()
        await one.core.queue.idle()
        assert one.ledger.ended == [first, second, third]


async def test_two_sweeps_at_once_make_one_job_for_a_turn_without(there: Place) -> None:
    async with desk(there) as one, desk(there) as two:
        await one.ask()
        there.change("DELETE FROM procrastinate_jobs")
        await asyncio.gather(*(each.core.sweep() for each in (one, two)))
        assert len(there.rows(JOBS)) == 1


async def test_a_job_of_a_platform_that_this_process_cannot_write_to_is_left_to_others(there: Place) -> None:
    async with desk(there) as one:
        turn = await one.ask()
        await one.core.queue.start(one.run)
        await asyncio.sleep(0.3)
        assert one.ledger.began == []
        await one.core.take_up("discord")
        await asyncio.sleep(0.3)
        assert one.ledger.began == []
        await one.core.take_up(SLACK)
        await soon(lambda: one.ledger.ended == [turn], 2)


async def test_a_worker_whose_row_is_gone_registers_anew(there: Place) -> None:
    async with desk(there) as one:
        await one.start()
        there.change("DELETE FROM procrastinate_workers")
        turn = await one.ask()
        await soon(lambda: one.ledger.ended == [turn], 3)


async def test_a_turn_that_is_gone_ends_its_job(there: Place) -> None:
    async with desk(there) as one:
        await one.ask()
        there.change("UPDATE turn SET state = 'cancelled'")
        await one.start()
        await one.core.queue.idle()
        assert one.ledger.began == []


async def test_after_a_restart_of_the_database_the_queue_goes_on_and_finds_what_a_lost_fetch_took(
    tmp_path: Path,
) -> None:
    with PostgresServer.make(durable=True) as server, server.database() as url:
        there = Place(tmp_path, url)
        async with desk(there) as one:
            await one.start()
            turn = await one.ask()
            gate = one.hold(turn)
            await soon(lambda: one.ledger.began == [turn])
            there.change(LOST)
            await asyncio.to_thread(server.stop, "immediate")
            await asyncio.sleep(0.5)
            await asyncio.to_thread(server.start)
            after = await _insisting(one)
            await soon(lambda: one.ledger.ended == [after])
            gate.set()
            await asyncio.wait_for(one.core.queue.idle(), 10)
            assert one.ledger.ended == [after, turn]


async def test_a_stop_while_the_database_is_away_does_not_wait_for_it(tmp_path: Path) -> None:
    with PostgresServer.make() as server, server.database() as url:
        async with desk(Place(tmp_path, url)) as one:
            turn = await one.ask()
            one.hold(turn)
            await one.start()
            await soon(lambda: one.ledger.began == [turn])
            await asyncio.to_thread(server.stop, "immediate")
            with capture_logs() as logs:
                async with asyncio.timeout(7):  # with the time-outs of the connections one by one it is over ten
                    await one.core.queue.stop(0.0)
            assert "queue.not_left" in [line["event"] for line in logs]
        await asyncio.to_thread(server.start)  # its database is removed


async def _insisting(one: Desk) -> int:
    """Asks until the database takes it."""
    until = time.monotonic() + 10
    while True:
        try:
            return await one.ask(3)
        except StoreUnavailable:
            assert time.monotonic() < until
            await asyncio.sleep(0.1)


def _core(place: Place, model: ScriptedModel | None = None) -> Core:
    core = open_core(place.settings(), clock=SystemClock(), model=model or ScriptedModel(), shared=True)
    core.attach(FakePlatform())
    return core


async def test_stop_pressed_in_one_process_ends_the_turn_in_another_within_two_seconds(there: Place) -> None:
    gate = asyncio.Event()
    worker, ingress = _core(there, ScriptedModel(["Begun ", gate])), _core(there)
    await worker.start()
    try:
        await ingress.accept(message())
        await soon(lambda: bool(there.rows("SELECT 1 FROM control")), 3)
        [(button,)] = there.rows("SELECT id FROM control")
        await asyncio.sleep(0.2)
        pressed_at = time.monotonic()
        pressed = await ingress.press(Press(TEAM, button, ADA))
        assert pressed.done
        await soon(lambda: there.rows("SELECT state FROM turn") == [("cancelled",)], 3)
        assert time.monotonic() - pressed_at < 2
    finally:
        gate.set()
        for core in (worker, ingress):
            await core.stop(1.0)
            await core.close()


async def test_a_question_written_in_one_process_is_answered_by_the_other_with_its_history(there: Place) -> None:
    model = ScriptedModel()
    worker, ingress = _core(there, model), _core(there)
    await worker.start()
    try:
        await ingress.accept(message("What is a bise?"))
        await ingress.accept(said("And a foehn?", "2", author=Person("U1", "Ada")))
        await asyncio.wait_for(ingress.queue.idle(), 10)
        assert [len(request.messages) for request in model.requests] == [2, 4]
        assert there.rows("SELECT state, attempt FROM turn ORDER BY id") == [("done", 1), ("done", 1)]
    finally:
        for core in (worker, ingress):
            await core.stop(1.0)
            await core.close()
