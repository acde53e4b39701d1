"""After a takeover: a write of the last owner may land upon the answer, which is then shown once more."""

from __future__ import annotations

from datetime import datetime, timedelta

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
_log = structlog.get_logger()


class Mending:
    """Shows the answer of a turn that is over once more, where a late write may have changed it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def after_takeover(self, turn: Turn, reply: Reply, answer: Answer, shown_at: datetime) -> None:
        """By the new owner, whose last write began at `shown_at`: needless where that was late enough."""
        if turn.stale_from is None or shown_at >= turn.stale_from + UNDER_WAY:
            return
        rest = turn.stale_from + UNDER_WAY - self._clock.now()
        await self._clock.sleep(max(rest.total_seconds(), 0.0))
        try:
            shown = await self._database.read(lambda connection: posts.of_turn(connection, turn.workspace, turn.id))
        except StoreUnavailable as error:
            _log.warning("answer.not_mended", turn=turn.id, why=error.reason)
        else:
            await self._show(turn, reply, answer, shown)

    async def after_loss(self, turn: Turn, reply: Reply, lease: TurnLease) -> None:
        """By the last owner, whose write ended after its lease: when the new owner is done, the answer is shown again.

        A process that was stopped in the middle of a write may send it at any later time, long after the new owner
        could have waited for it.
        """
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
