"""One turn, start to end: claim, ask, keep the answer, show it, finish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar, cast

import structlog

from core.errors import BiseError, PlatformError, PlatformUnavailable, StoreUnavailable
from core.messages import Answer, Notice, Outcome, Post, ReplyOrder, WorkspaceKey
from core.metrics import Metrics
from core.ports import ChatPlatform, Clock, Reply
from core.store import conversations, ledger, posts, turns
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.store.turns import Turn
from core.turns.asking import Asking, Progress
from core.turns.canned import Canned
from core.turns.controls import Controls

_log = structlog.get_logger()
Result = TypeVar("Result")
_PAUSE = 1.0  # seconds before a turn is run again, doubled each time
_LONGEST_PAUSE = 300.0
_TOO_OLD = timedelta(hours=1)  # an answer that nobody could be shown by then is given up
_STORE_PATIENCE = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries to keep an answer that has been paid for


@dataclass(slots=True)
class _Running:
    """A turn that runs here. `stopping`: a person asked it to stop."""

    work: asyncio.Task[Answer] | None = None
    stopping: bool = False

    def interrupt(self) -> None:
        self.stopping = True
        if self.work is not None:
            self.work.cancel()


class Runner:
    """Runs turns. What it needs from a platform is a Reply; what it leaves behind is in the store."""

    def __init__(
        self,
        database: Database,
        asking: Asking,
        canned: Canned,
        controls: Controls,
        platforms: Mapping[str, ChatPlatform],
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._asking = asking
        self._canned = canned
        self._controls = controls
        self._platforms = platforms
        self._clock = clock
        self._metrics = metrics

    async def run(self, number: int) -> float | None:
        """Runs a queued turn. None: it is over, or was; else the seconds after which to run it again."""
        try:
            claimed = await self._claim(number)
        except StoreUnavailable:
            return _PAUSE
        if claimed is None:
            return None
        turn, conversation, order = claimed
        reply: Reply | None = None
        try:
            platform = self._platforms.get(turn.platform)
            if platform is None:
                raise PlatformUnavailable(f"{turn.platform} is not connected yet")
            reply = platform.reply(order, posts.StoredPosts(self._database, turn.workspace, turn.id))
            answer = await self._answer(turn, conversation, platform, reply)
            # From here on nothing may be cut short: the answer is kept, it has been paid for, people wait for its end.
            await _to_its_end(self._deliver(turn, reply, answer))
        except asyncio.CancelledError:  # the process is being drained: the next one goes on
            await _to_its_end(self._give_back(turn, reply))
            _log.info("turn.given_back", turn=turn.id)
            raise
        except (StoreUnavailable, PlatformUnavailable) as error:
            return await self._later(turn, reply, error)
        except Exception:  # noqa: BLE001 - a fault of ours: the turn ends, and nobody waits in silence for it
            _log.exception("turn.fault", turn=turn.id)
            await _to_its_end(self._fail(turn, reply))
        return None

    async def _later(self, turn: Turn, reply: Reply | None, error: BiseError) -> float | None:
        """Gives the turn back for a while, until it is too old to be of use."""
        if self._clock.now() - turn.created_at > _TOO_OLD:
            await _to_its_end(self._fail(turn, reply))
            return None
        pause = min(_PAUSE * 2.0 ** (turn.attempt - 1), _LONGEST_PAUSE)
        _log.warning("turn.later", turn=turn.id, why=error.reason, again_in_seconds=pause)
        try:
            await _to_its_end(self._give_back(turn, reply))
        except StoreUnavailable:  # it stays "running" without a runner, which the sweep looks for
            return None
        return pause

    async def _claim(self, number: int) -> tuple[Turn, Conversation, ReplyOrder] | None:
        def claim(connection: Connection) -> tuple[Turn, Conversation, str, tuple[Post, ...]] | None:
            turn = turns.claim(connection, number, self._clock.now())
            if turn is None:
                return None
            conversation = conversations.by_id(connection, turn.workspace, turn.conversation)
            stop = "" if turn.command else self._controls.ensure_stop(connection, turn)
            shown = posts.of_turn(connection, turn.workspace, turn.id) if turn.attempt > 1 else ()
            return turn, conversation, stop, shown

        claimed = await self._database.write(claim)
        if claimed is None:
            return None
        turn, conversation, stop, shown = claimed
        order = ReplyOrder(
            turn=turn.id,
            attempt=turn.attempt,
            workspace=WorkspaceKey(turn.platform, turn.workspace_id),
            kind=conversation.kind,
            channel=conversation.channel,
            root=conversation.root,
            asker=turn.asker,
            question=turn.question,
            asked=turn.asked,
            address=turn.address,
            stop=stop,
            posts=shown,
        )
        return turn, conversation, order

    async def _answer(self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply) -> Answer:
        """The answer, already kept in the store. Raises StoreUnavailable, CancelledError."""
        if turn.outcome is not None:  # an earlier attempt had it, and died before everybody could see it
            return await self._kept(turn)
        if turn.stop_requested:
            answer = Answer("", "cancelled", (Notice("stopped"),))
            return await self._keep(turn, conversation, Progress(), answer)
        if turn.command is not None:
            answer = await self._canned.answer(turn, conversation)
            return await self._keep(turn, conversation, Progress(), answer)
        progress, running = Progress(), _Running()
        running.work = asyncio.create_task(self._asking.answer(turn, conversation, platform, reply, progress))
        self._controls.watch(turn.id, running.interrupt)
        try:
            answer = await self._until_done(running, progress)
        except asyncio.CancelledError:
            await self._asking.write_down(turn, conversation, progress, "abandoned")
            raise
        except StoreUnavailable:
            raise
        except PlatformError:  # the place refuses what we write: reading on would only cost
            answer = Answer(progress.text, "failed", progress.notices)
        except Exception:  # noqa: BLE001 - a fault of ours: nobody waits in silence for it
            _log.exception("turn.fault", turn=turn.id)
            answer = Answer(progress.text, "failed", (*progress.notices, Notice("unexpected")))
        finally:
            self._controls.unwatch(turn.id)
        return await _to_its_end(self._keep(turn, conversation, progress, answer))

    async def _until_done(self, running: _Running, progress: Progress) -> Answer:
        assert running.work is not None  # noqa: S101
        try:
            return await running.work
        except asyncio.CancelledError:
            if running.stopping and running.work.cancelled():
                return Answer(progress.text, "cancelled", (*progress.notices, Notice("stopped")))
            running.work.cancel()
            await asyncio.gather(running.work, return_exceptions=True)
            raise

    async def _keep(self, turn: Turn, conversation: Conversation, progress: Progress, answer: Answer) -> Answer:
        """The answer and its last call's ledger row in one transaction, before the last write to the platform.

        So a crash in between costs no second call: the next attempt only shows what is kept.
        """
        outcome = {"done": "ok", "cancelled": "stopped"}.get(answer.outcome, "failed")
        call = self._asking.call_of(turn, conversation, progress, outcome)
        progress.call = None

        def keep(connection: Connection) -> None:
            if call is not None:
                ledger.record(connection, call)
            message = None
            if answer.text.strip() and turn.command is None:
                message = self._append(connection, turn, answer)
            if progress.trimmed_to is not None:
                conversations.change(connection, conversation.id, trimmed_to_seq=progress.trimmed_to)
            turns.answered(connection, turn, message, answer)

        try:
            await self._insist(keep)
        except StoreUnavailable:
            self._asking.owe(call)
            raise
        if call is not None:
            self._metrics.called(call)
        return answer

    def _append(self, connection: Connection, turn: Turn, answer: Answer) -> int:
        now = self._clock.now()
        return conversations.append(
            connection,
            turn.workspace,
            turn.conversation,
            seq=conversations.next_seq(connection, turn.conversation, now),
            role="assistant",
            source="turn",
            source_id=str(turn.id),
            person=None,
            parent=turn.message,
            text=answer.text,
            addressed=False,
            sent_at=now,
        )

    async def _kept(self, turn: Turn) -> Answer:
        text, kept = "", turn.answer_id
        if kept is not None:
            text = await self._database.read(lambda connection: conversations.text_of(connection, turn.workspace, kept))
        return Answer(text, cast("Outcome", turn.outcome), turn.notices)

    async def _deliver(self, turn: Turn, reply: Reply, answer: Answer) -> None:
        outcome: str = answer.outcome
        try:
            await reply.finish(answer)
        except PlatformUnavailable:
            raise
        except PlatformError as error:
            outcome = "failed"
            _log.warning("answer.not_shown", turn=turn.id, why=error.reason, code=error.code)
        await self._end(turn, outcome)
        _log.info("turn.finished", turn=turn.id, outcome=outcome, notices=[notice.name for notice in answer.notices])

    async def _fail(self, turn: Turn, reply: Reply | None) -> None:
        """Ends a turn that cannot be ended well, with a sentence if the place still takes one."""
        if reply is not None:
            try:
                await reply.finish(Answer("", "failed", (Notice("unexpected"),)))
            except Exception as error:  # noqa: BLE001 - it was broken before
                _log.warning("answer.not_shown", turn=turn.id, why=type(error).__name__)
                await reply.abandon()
        await self._end(turn, "failed")

    async def _end(self, turn: Turn, outcome: str) -> None:
        await self._insist(lambda connection: turns.finish(connection, turn, outcome, self._clock.now()))
        self._metrics.turn_ended(turn.platform, outcome)

    async def _give_back(self, turn: Turn, reply: Reply | None) -> None:
        if reply is not None:
            await reply.abandon()
        await self._insist(lambda connection: turns.give_back(connection, turn))

    async def _insist(self, transaction: Callable[[Connection], object]) -> None:
        """Tries a transaction some times while the database is away. Raises StoreUnavailable in the end."""
        for wait in _STORE_PATIENCE:
            try:
                await self._database.write(transaction)
            except StoreUnavailable:
                await self._clock.sleep(wait)
            else:
                return
        await self._database.write(transaction)


async def _to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Awaits what must not be cut short: a cancellation takes effect when it is over."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
