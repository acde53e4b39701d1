"""The queue of one process and the one in PostgreSQL keep the same promises."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from core import ports
from tests.databases import Place
from tests.desk import Desk, Ledger, desk
from tests.world import soon


async def test_a_queue_has_every_method_of_the_port_with_its_parameters(place: Place) -> None:
    async with desk(place) as one:
        for name, wanted in inspect.getmembers(ports.TurnQueue, inspect.isfunction):
            if not name.startswith("_"):
                found = getattr(type(one.core.queue), name)
                assert inspect.iscoroutinefunction(found) == inspect.iscoroutinefunction(wanted), name
                assert list(inspect.signature(found).parameters) == list(inspect.signature(wanted).parameters), name


async def test_what_was_put_before_and_after_the_start_runs_once_and_in_order(place: Place) -> None:
    async with desk(place) as one:
        asked = [await one.ask(), await one.ask()]
        await one.start()
        asked += [await one.ask(), await one.ask()]
        one.core.queue.put(asked[-1], 1)
        await one.core.queue.idle()
        assert one.ledger.began == one.ledger.ended == asked
        assert one.core.queue.length == 0


async def test_a_conversation_runs_one_turn_at_a_time_and_many_run_side_by_side(place: Place) -> None:
    async with desk(place) as one:
        one.pace = 0.4
        await one.start()
        threads = {thread: [await one.ask(thread) for _ in range(3)] for thread in range(1, 7)}
        await soon(lambda: len(one.ledger.began) - len(one.ledger.ended) >= 4)
        await one.core.queue.idle()
        assert one.ledger.most == 1
        for asked in threads.values():
            assert [turn for turn in one.ledger.ended if turn in asked] == asked


async def test_no_more_turns_run_at_once_than_the_cap(place: Place) -> None:
    async with desk(place, cap=2) as one:
        await one.start()
        gates = [one.hold(await one.ask(thread)) for thread in range(1, 5)]
        await soon(lambda: len(one.ledger.began) == 2)
        await asyncio.sleep(0.3)
        assert len(one.ledger.began) == 2
        for gate in gates:
            gate.set()
        await one.core.queue.idle()
        assert len(one.ledger.ended) == 4


async def test_a_turn_that_is_put_off_keeps_its_place_and_frees_its_slot(place: Place) -> None:
    async with desk(place, cap=1) as one:
        first, second, other = await one.ask(), await one.ask(), await one.ask(2)
        one.pauses[first] = [0.4]
        await one.start()
        await one.core.queue.idle()
        assert one.ledger.began == [first, other, first, second]


async def test_stopping_lets_a_running_turn_end_and_begins_no_other(place: Place) -> None:
    async with desk(place) as one:
        first, second = await one.ask(), await one.ask()
        gate = one.hold(first)
        await one.start()
        await soon(lambda: one.ledger.began == [first])
        stopping = asyncio.create_task(one.core.queue.stop(5.0))
        await asyncio.sleep(0.05)
        gate.set()
        await stopping
        assert one.ledger.ended == [first]
        assert place.rows("SELECT state FROM turn WHERE id = ?", second) == [("queued",)]


@pytest.mark.parametrize("patience", [0.0, 0.1])
async def test_what_takes_longer_than_the_patience_is_given_back_and_goes_on_first_in_the_next_process(
    place: Place, patience: float
) -> None:
    ledger = Ledger()
    async with desk(place, ledger) as one:
        first, second = await one.ask(), await one.ask()
        one.hold(first)
        await one.start()
        await soon(lambda: ledger.began == [first])
        await one.core.queue.stop(patience)
        assert ledger.cancelled == [first]
        async with desk(place, ledger) as two:
            await two.start()
            await two.core.queue.idle()
            assert ledger.ended == [first, second]


async def test_stopping_a_queue_that_never_started_is_quick_and_may_be_done_twice(place: Place) -> None:
    one = Desk(place)
    async with asyncio.timeout(1):
        await one.core.queue.stop(5.0)
        await one.core.queue.stop(5.0)
    await one.core.close()
