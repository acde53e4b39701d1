"""Crashes, drains and a database that goes away: nothing is lost, nothing is asked or answered twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from core.errors import StoreUnavailable
from core.messages import LOCAL, Answer, Attachment, Post
from core.store.serve_lock import ServeLock
from tests import fakes
from tests.databases import Place, house
from tests.fakes import PATIENCE, FakePlatform, House, ManualClock, ScriptedModel, message, said

MINUTE = 60.0


def broken_by_a_crash(home: House) -> None:
    """The process ends while the platform is written to."""
    home.platform.failing = asyncio.CancelledError()


async def test_a_crash_between_keeping_and_showing_costs_no_second_call(place: Place) -> None:
    first, second = ScriptedModel(["A wind."]), ScriptedModel()
    async with house(place, model=first, stopped=False) as home:
        broken_by_a_crash(home)
        await home.hear(message())
        assert home.states() == ["queued"]
        assert home.platform.answers == [None]
    async with house(place, model=second) as home:
        await home.settled()
        (reply,) = home.platform.replies
        assert reply.answer == Answer("A wind.", "done")
        assert (reply.order.attempt, reply.order.posts) == (2, (Post(0, "post-of-1", 0, False),))
        assert home.states() == ["done"]
        assert home.rows("SELECT count(*) FROM usage") == home.rows("SELECT count(*) FROM post") == [(1,)]
    assert (len(first.requests), second.requests) == (1, [])


async def test_notices_and_a_failure_are_kept_over_a_crash_as_well(place: Place) -> None:
    async with house(place, stopped=False) as home:
        broken_by_a_crash(home)
        await home.hear(message("x" * 100_000))
    async with house(place) as home:
        await home.settled()
        answer = home.platform.answers[0]
        assert answer is not None
        assert (answer.outcome, home.platform.told()) == ("failed", ["too_long"])
        assert dict(answer.notices[0].values) == {"longest": 48_000}


async def test_what_a_dead_process_left_running_is_taken_up_oldest_first(place: Place) -> None:
    async with house(place, started=False, stopped=False) as home:
        for one in (message("one"), said("two", "2"), message("three", "3")):
            await home.core.accept(one)
        place.change("UPDATE turn SET state = 'running', attempt = 1 WHERE id = 1")
    model = ScriptedModel()
    async with house(place, model=model, max_concurrent_turns=1) as home:
        await home.settled()
        assert home.states() == ["done"] * 3
        assert [reply.order.attempt for reply in home.platform.replies] == [2, 1, 1]
    assert [prompt[-1][1] for prompt in model.prompts()] == ["Ada: one", "Ada: three", "Ada: two"]


async def test_turns_of_a_platform_that_is_not_attached_wait_for_it(place: Place) -> None:
    async with house(place, started=False, stopped=False) as home:
        await home.core.accept(message())
    async with house(place, platform=FakePlatform("discord")) as home:
        await home.core.sweep()
        await home.settled()
        assert home.states() == ["queued"]


async def test_a_drain_gives_back_what_it_cannot_finish_and_the_next_process_goes_on(place: Place) -> None:
    first, second = ScriptedModel(["A cold ", asyncio.Event()]), ScriptedModel(["A cold wind."])
    async with house(place, model=first) as home:
        await home.core.accept(message())
        await home.core.accept(said("And?", "2"))
        await first.asked(1)
        async with asyncio.timeout(PATIENCE):
            await home.platform.replies[0].wrote.wait()
        await home.core.stop(patience=0.0)
        assert home.states() == ["queued", "queued"]
        assert (home.platform.replies[0].abandoned, first.closed_early) == (True, 1)
        assert home.rows("SELECT outcome, estimated FROM usage") == [("abandoned", 1)]
    async with house(place, model=second) as home:
        await home.settled()
        assert home.states() == ["done", "done"]
        assert home.platform.replies[0].order.attempt == 2
        assert home.platform.replies[0].text == "A cold wind."
    assert [outcome for (outcome,) in home.rows("SELECT outcome FROM usage")] == ["abandoned", "ok", "ok"]


async def test_a_drain_lets_an_answer_finish_that_is_being_shown(place: Place) -> None:
    async with house(place) as home:
        home.platform.slow = asyncio.Event()
        await home.core.accept(message())
        while not home.rows("SELECT 1 FROM post"):
            await asyncio.sleep(0.005)
        draining = asyncio.create_task(home.core.stop(patience=0.0))
        await asyncio.sleep(0.02)
        assert not draining.done()
        home.platform.slow.set()
        await draining
        assert home.states() == ["done"]
        assert home.platform.answers[0] is not None


async def test_a_drain_while_an_answer_is_being_kept_does_not_lose_what_was_paid_for(place: Place) -> None:
    gate = asyncio.Event()
    first, second = ScriptedModel(["A wind.", gate]), ScriptedModel()
    async with house(place, model=first) as home:
        await home.core.accept(message())
        await first.asked(1)
        async with asyncio.timeout(PATIENCE):
            await home.platform.replies[0].wrote.wait()
        with place.held():
            gate.set()
            while first.under_way:
                await asyncio.sleep(0)
            await asyncio.sleep(0.02)  # the answer waits for the other writer
            draining = asyncio.create_task(home.core.stop(patience=0.0))
            await asyncio.sleep(0.02)
        await draining
        assert home.states() == ["queued"]
        assert home.rows("SELECT outcome FROM usage") == [("ok",)]
    async with house(place, model=second) as home:
        await home.settled()
        assert home.platform.answers == [Answer("A wind.", "done")]
    assert second.requests == []


async def test_a_fault_of_our_own_is_told_and_the_conversation_goes_on(place: Place) -> None:
    async with house(place) as home:
        home.platform.files["https://files/a"] = RuntimeError("a fault in an adapter")
        await home.hear(message("Look", attachments=(Attachment("F1", "a.png", "image/png", 9, "https://files/a"),)))
        await home.hear(message("And?", "2"))
        assert home.states() == ["failed", "done"]
        assert home.platform.told(0) == ["unexpected"]


async def test_a_turn_that_the_queue_does_not_know_is_swept_up(place: Place) -> None:
    async with house(place, started=False, stopped=False) as other, house(place) as home:
        await other.core.accept(message())
        assert home.states() == ["queued"]
        await home.core.sweep()
        await home.core.sweep()
        await home.settled()
        assert home.states() == ["done"]
        assert len(home.platform.replies) == 1


async def test_two_processes_never_run_the_same_turn(place: Place) -> None:
    async with house(place) as one, house(place) as two:
        accepted = await one.core.accept(message())
        assert accepted.turn is not None
        two.core.queue.put(accepted.turn, 1)  # a sweep is for the holder of the lock alone
        await asyncio.gather(one.settled(), two.settled())
        assert len(one.platform.replies) + len(two.platform.replies) == 1


class Outage(ManualClock):
    """The ledger's table is away until somebody has slept so many times."""

    def __init__(self, place: Place, sleeps: int) -> None:
        super().__init__()
        self._place = place
        self._sleeps = sleeps

    def begin(self) -> None:
        self._place.change("ALTER TABLE usage RENAME TO usage_away")

    def end(self) -> None:
        self._place.change("ALTER TABLE usage_away RENAME TO usage")

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if len(self.slept) == self._sleeps:
            self.end()


async def test_an_answer_outlasts_a_short_absence_of_the_database(place: Place) -> None:
    gate, outage = asyncio.Event(), Outage(place, sleeps=5)
    model = ScriptedModel(["A wind.", gate])
    async with house(place, model=model, clock=outage) as home:
        await home.core.accept(message())
        await model.asked(1)
        outage.begin()
        gate.set()
        await home.settled()
        assert outage.slept == [0.2, 0.5, 1.0, 2.0, 4.0]
        assert home.states() == ["done"]
        assert home.platform.answers == [Answer("A wind.", "done")]
    assert len(model.requests) == 1


async def test_a_turn_that_the_database_could_not_keep_is_run_again_when_it_is_back(place: Place) -> None:
    gate, outage = asyncio.Event(), Outage(place, sleeps=99)
    model = ScriptedModel(["A wi", gate], ["A wind."])
    async with house(place, model=model, clock=outage) as home:
        await home.core.accept(message())
        await model.asked(1)
        outage.begin()
        gate.set()
        with capture_logs():
            async with asyncio.timeout(10):
                while not home.platform.replies[0].abandoned:
                    await asyncio.sleep(0.01)
        outage.end()
        await home.settled()
        assert home.states() == ["done"]
        assert home.platform.replies[1].order.attempt == 2
        await home.core.sweep()
        assert home.rows("SELECT count(*) FROM usage") == [(2,)], "no paid call is forgotten"


async def test_turns_of_the_terminal_left_by_a_dead_process_fail_after_their_lease(place: Place) -> None:
    clock = ManualClock()
    async with house(place, started=False, stopped=False, platform=FakePlatform("local")) as home:
        await home.core.accept(message(workspace=LOCAL))
        place.change("UPDATE turn SET state = 'running', lease_until = '2026-11-23 12:15:00.000000'")
    async with house(place, started=False, clock=clock, platform=FakePlatform("local")) as home:
        clock.advance(14 * MINUTE)
        await home.core.expire("local")
        assert home.states() == ["running"]
        clock.advance(2 * MINUTE)
        await home.core.expire("slack")
        assert home.states() == ["running"]
        await home.core.expire("local")
        assert home.states() == ["failed"]


def test_two_services_cannot_take_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "bise.db"
    first, second = ServeLock(file), ServeLock(file)
    first.take()
    with pytest.raises(StoreUnavailable, match="Another `bise serve` already uses"):
        second.take()
    first.free()
    second.take()
    second.free()


async def test_other_commands_work_beside_a_service_that_holds_the_lock(tmp_path: Path) -> None:
    lock = ServeLock(tmp_path / "bise.db")
    lock.take()
    async with fakes.house(tmp_path) as home:
        await home.hear(message())
        assert home.states() == ["done"]
    lock.free()
