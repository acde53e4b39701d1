"""After a takeover: a write of the last owner may land upon the answer, which is then shown once more."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog

from core.errors import PlatformError, StoreUnavailable
from core.messages import Answer, Post
from core.ports import Clock, Reply
from core.store import conversations, posts, turns
from core.store.database import Connection, Database
from core.store.turns import Turn
from core.turns.lease import TurnLease

UNDER_WAY = timedelta(seconds=5)  # after the end of its lease a dead worker's last write has surely arrived
_LOOK_EVERY = 1.0  # seconds
_LOOKS = 600
_CUT_SHORT_WITHIN = 2.0  # seconds
_log = structlog.get_logger()


class Mending:
    """Shows the answer of a turn that is over once more, where a late write may have changed it.

    Neither a place among the running turns nor the next turn of a conversation waits for that: each is a task here.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def after_takeover(self, turn: Turn, reply: Reply, answer: Answer, shown_at: datetime) -> None:
        """By the new owner, whose last write began at `shown_at`: needless where that was late enough."""
        if turn.stale_from is not None and shown_at < turn.stale_from + UNDER_WAY:
            self._begin(self._once_more(turn, turn.stale_from + UNDER_WAY, reply, answer))

    def after_loss(self, turn: Turn, reply: Reply, lease: TurnLease) -> None:
        """By the last owner, whose write ended after its lease: when the new owner is done, the answer is shown again.

        A process that was stopped in the middle of a write may send it at any later time, long after the new owner
        could have waited for it.
        """
        self._begin(self._when_over(turn, reply, lease))

    async def idle(self) -> None:
        """Returns when nothing is left to be mended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, patience: float) -> None:
        """Waits `patience` seconds, and no longer than a late write takes; what is still to be mended then is not."""
        tasks = set(self._tasks)
        if not tasks:
            return
        try:
            await asyncio.wait(tasks, timeout=min(patience, UNDER_WAY.total_seconds()))
        finally:  # also when we are told to hurry
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CUT_SHORT_WITHIN)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._mend(work), name="mending")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _mend(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - a fault of ours, after the turn: nobody else would tell of it
            _log.exception("answer.not_mended")

    async def _once_more(self, turn: Turn, at: datetime, reply: Reply, answer: Answer) -> None:
        rest = at - self._clock.now()
        await self._clock.sleep(max(rest.total_seconds(), 0.0))
        try:
            shown = await self._database.read(lambda connection: posts.of_turn(connection, turn.workspace, turn.id))
        except StoreUnavailable as error:
            _log.warning("answer.not_mended", turn=turn.id, why=error.reason)
        else:
            await self._show(turn, reply, answer, shown)

    async def _when_over(self, turn: Turn, reply: Reply, lease: TurnLease) -> None:
        for _ in range(_LOOKS):
            await self._clock.sleep(_LOOK_EVERY)
            try:
                found = await self._database.read(lambda connection: _ended(connection, turn))
            except StoreUnavailable:
                continue
            if found is None:
                continue
            answer, shown = found
            lease.settle()
            if answer is not None:
                await self._show(turn, reply, answer, shown)
            return
        _log.warning("answer.not_mended", turn=turn.id, why="not_over")

    async def _show(self, turn: Turn, reply: Reply, answer: Answer, shown: tuple[Post, ...]) -> None:
        if not shown:
            return
        try:
            await reply.again(answer, shown)
        except PlatformError as error:
            _log.warning("answer.not_mended", turn=turn.id, why=error.reason, code=error.code)
        else:
            _log.info("answer.mended", turn=turn.id, attempt=turn.attempt)


def _ended(connection: Connection, turn: Turn) -> tuple[Answer | None, tuple[Post, ...]] | None:
    """The kept answer, if any, and its posts; None while the turn is not over."""
    ended = turns.ended(connection, turn.workspace, turn.id)
    if ended is None:
        return None
    if ended.outcome is None:
        return None, ()
    text = "" if ended.answer_id is None else conversations.text_of(connection, turn.workspace, ended.answer_id)
    again = posts.unused_control(connection, turn.workspace, turn.id, "again") or ""
    return Answer(text, ended.outcome, ended.notices, again), posts.of_turn(connection, turn.workspace, turn.id)
