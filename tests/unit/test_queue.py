"""The queue of one process: order within a conversation, side by side otherwise, under a cap, nothing lost."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from core.turns.local_queue import LocalQueue


class Work:
    """Runs turns for a queue: each waits for its gate, if it has one, or gives way that many times."""

    def __init__(self, steps: dict[int, int] | None = None) -> None:
        self.steps = steps or {}
        self.gates: dict[int, asyncio.Event] = {}
        self.began: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self.failing: set[int] = set()
        self.most = 0

    async def run(self, turn: int) -> None:
        self.began.append(turn)
        self.most = max(self.most, len(self.began) - len(self.ended) - len(self.cancelled))
        try:
            if turn in self.gates:
                await self.gates[turn].wait()
            for _ in range(self.steps.get(turn, 0)):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled.append(turn)
            raise
        self.ended.append(turn)
        if turn in self.failing:
            raise RuntimeError("a fault in one turn")

    def hold(self, *turns: int) -> None:
        for turn in turns:
            self.gates[turn] = asyncio.Event()


async def breathe(times: int = 20) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 2)), max_size=30),
    st.integers(1, 5),
    st.integers(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_when_all_of_it_runs_once_in_order_and_under_the_cap(
    puts: list[tuple[int, int, int]], cap: int, started_after: int
) -> None:
    """`puts`: the conversation, how long its turn takes, and how long until the next one comes."""

    async def scenario() -> None:
        work = Work({turn: steps for turn, (_, steps, _) in enumerate(puts)})
        queue = LocalQueue(cap)
        for turn, (conversation, _, pause) in enumerate(puts):
            if turn == started_after:
                await queue.start(work.run)
            queue.put(turn, conversation)
            queue.put(turn, conversation)
            await breathe(pause)
        if started_after >= len(puts):
            await queue.start(work.run)
        await queue.idle()
        assert sorted(work.began) == list(range(len(puts)))
        by_conversation: defaultdict[int, list[int]] = defaultdict(list)
        for turn in work.began:
            by_conversation[puts[turn][0]].append(turn)
        assert all(turns == sorted(turns) for turns in by_conversation.values())
        assert work.most <= cap
        assert queue.length == 0

    asyncio.run(scenario())


async def test_a_conversation_runs_one_turn_at_a_time() -> None:
    work, queue = Work(), LocalQueue(10)
    work.hold(1)
    await queue.start(work.run)
    queue.put(1, 7)
    queue.put(2, 7)
    await breathe()
    assert work.began == [1]
    work.gates[1].set()
    await queue.idle()
    assert work.ended == [1, 2]


async def test_below_the_cap_no_conversation_waits_for_another() -> None:
    work, queue = Work(), LocalQueue(3)
    work.hold(1, 2, 3, 4)
    await queue.start(work.run)
    for turn in (1, 2, 3, 4):
        queue.put(turn, turn)
    await breathe()
    assert work.began == [1, 2, 3]
    work.gates[2].set()
    await breathe()
    assert work.began == [1, 2, 3, 4]
    for gate in work.gates.values():
        gate.set()
    await queue.idle()


async def test_a_busy_conversation_does_not_keep_the_others_from_their_place() -> None:
    work, queue = Work(), LocalQueue(1)
    work.hold(1)
    await queue.start(work.run)
    for turn, conversation in ((1, 7), (2, 7), (3, 7), (4, 8)):
        queue.put(turn, conversation)
    await breathe()
    work.gates[1].set()
    await queue.idle()
    assert work.began.index(4) < work.began.index(3)


async def test_one_turns_fault_ends_neither_its_conversation_nor_the_queue() -> None:
    work, queue = Work(), LocalQueue(2)
    work.failing = {1}
    await queue.start(work.run)
    with capture_logs() as logs:
        queue.put(1, 7)
        queue.put(2, 7)
        await queue.idle()
    assert work.ended == [1, 2]
    assert [entry["turn"] for entry in logs if entry["event"] == "turn.crashed"] == [1]


async def test_a_turn_that_is_over_may_be_put_again() -> None:
    work, queue = Work(), LocalQueue(2)
    await queue.start(work.run)
    for _ in range(2):
        queue.put(1, 7)
        await queue.idle()
    assert work.began == [1, 1]


async def test_stopping_lets_running_turns_end_and_begins_no_more() -> None:
    work, queue = Work(), LocalQueue(1)
    work.hold(1)
    await queue.start(work.run)
    for turn, conversation in ((1, 7), (2, 7), (3, 8)):
        queue.put(turn, conversation)
    await breathe()
    stopping = asyncio.create_task(queue.stop(patience=5.0))
    await breathe()
    queue.put(4, 9)
    work.gates[1].set()
    await stopping
    assert (work.ended, work.cancelled) == ([1], [])
    assert work.began == [1]


async def test_stopping_cancels_what_takes_longer_than_its_patience() -> None:
    work, queue = Work(), LocalQueue(2)
    work.hold(1, 2)
    await queue.start(work.run)
    queue.put(1, 7)
    queue.put(2, 8)
    await breathe()
    await queue.stop(patience=0.01)
    assert sorted(work.cancelled) == [1, 2]


@pytest.mark.parametrize("patience", [0.0, 1.0])
async def test_stopping_an_idle_queue_is_quick_and_may_be_done_twice(patience: float) -> None:
    queue = LocalQueue(2)
    async with asyncio.timeout(0.5):
        await queue.stop(patience)
        await queue.stop(patience)
