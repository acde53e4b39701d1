"""One turn, start to end: claim, ask, keep the answer, show it, finish."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import structlog

from core.budgets.requests import Requests
from core.errors import BiseError, PlatformError, PlatformUnavailable, StoreUnavailable
from core.messages import Answer, Notice, Outcome, Post, ReplyOrder, WorkspaceKey
from core.metrics import Metrics
from core.ports import ChatPlatform, Clock, Reply, TurnLost
from core.store import conversations, posts, turns
from core.store.budgets import Settled
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.store.leases import StoredLeases
from core.store.turns import Turn
from core.turns.asking import Asking
from core.turns.buffered import BufferedReply
from core.turns.canned import Canned
from core.turns.controls import Controls
from core.turns.lease import Leases, TurnLease
from core.turns.mending import Mending
from core.turns.patience import insist, to_its_end
from core.turns.post_log import TurnPosts
from core.turns.progress import Progress

_log = structlog.get_logger()
_PAUSE = 1.0  # seconds before a turn is run again, doubled each time
_LONGEST_PAUSE = 300.0
_NOBODY_ELSES = frozenset({"budget_refused", "too_fast", "secrets_refused"})  # what is told to the asker alone
_TOO_OLD = timedelta(hours=1)  # an answer that nobody could be shown by then is given up


@dataclass(slots=True)
class _Running:
    """The model's answer under way. `stopping`: a person asked it to stop; `lost`: it is somebody else's now."""

    work: asyncio.Task[Answer]
    stopping: bool = False
    lost: bool = False

    def stop(self) -> None:
        if not self.stopping:  # a renewal may say so again: a second cancellation would cut its cleaning up short
            self.stopping = True
            self.work.cancel()

    def lose(self) -> None:
        self.lost = True
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
        requests: Requests,
        leases: Leases | None = None,
    ) -> None:
        self._database = database
        self._asking = asking
        self._canned = canned
        self._controls = controls
        self._platforms = platforms
        self._clock = clock
        self._metrics = metrics
        self._requests = requests
        self.leases = leases or Leases(StoredLeases(database), clock, controls.interrupt)
        self.mending = Mending(database, clock)

    async def run(self, number: int) -> float | None:
        """Runs a queued turn. None: it is over, or was; else the seconds after which to run it again."""
        asked_at = self._clock.monotonic()
        try:
            claimed = await self._claim(number)
        except StoreUnavailable:
            return _PAUSE
        if claimed is None:
            return None
        turn, conversation, order = claimed
        lease = self.leases.hold(turn.id, turn.attempt, asked_at)
        try:
            return await self._run(turn, conversation, order, lease)
        finally:
            self.leases.drop(lease)

    async def _run(self, turn: Turn, conversation: Conversation, order: ReplyOrder, lease: TurnLease) -> float | None:
        """The claimed turn: its answer, shown and kept, or whatever kept it from that."""
        reply: Reply | None = None
        stored = posts.StoredPosts(self._database, turn.workspace, turn.id, turn.attempt)
        log = TurnPosts(stored, lease, self._clock)
        try:
            platform = self._platforms.get(turn.platform)
            if platform is None:
                raise PlatformUnavailable(f"{turn.platform} is not connected yet")
            reply = BufferedReply(platform.reply(order, log), lease)
            answer = await self._answer(turn, conversation, platform, reply, lease)
            shown_at = self._clock.now()
            # From here on nothing may be cut short: the answer is kept, it has been paid for, people wait for its end.
            await to_its_end(self._deliver(turn, reply, answer, log))
        except asyncio.CancelledError:  # the process is being drained: the next one goes on
            await to_its_end(self._drain(turn, reply, log))
            raise
        except TurnLost:
            await to_its_end(self._leave(turn, reply))
            if reply is not None and lease.overran:
                self.mending.after_loss(turn, reply, lease)
        except (StoreUnavailable, PlatformUnavailable) as error:
            return await self._later(turn, reply, error, log)
        except Exception:  # noqa: BLE001 - a fault of ours: the turn ends, and nobody waits in silence for it
            _log.exception("turn.fault", turn=turn.id)
            await to_its_end(self._fail(turn, reply, log))
        else:
            self.mending.after_takeover(turn, reply, answer, shown_at)
        return None

    async def _leave(self, turn: Turn, reply: Reply | None) -> None:
        """Somebody else has the turn: what was written stays as it is."""
        _log.warning("turn.lost", turn=turn.id, attempt=turn.attempt)
        if reply is not None:
            await reply.abandon()

    async def _drain(self, turn: Turn, reply: Reply | None, log: TurnPosts) -> None:
        try:
            await self._give_back(turn, reply, log)
        except (StoreUnavailable, TurnLost) as error:  # its lease will pass
            _log.warning("turn.not_given_back", turn=turn.id, why=type(error).__name__)
        else:
            _log.info("turn.given_back", turn=turn.id)

    async def _later(self, turn: Turn, reply: Reply | None, error: BiseError, log: TurnPosts) -> float | None:
        """Gives the turn back for a while, until it is too old to be of use."""
        if self._clock.now() - turn.created_at > _TOO_OLD:
            await to_its_end(self._fail(turn, reply, log))
            return None
        pause = min(_PAUSE * 2.0 ** (turn.attempt - 1), _LONGEST_PAUSE)
        _log.warning("turn.later", turn=turn.id, why=error.reason, again_in_seconds=pause)
        try:
            await to_its_end(self._give_back(turn, reply, log))
        except (StoreUnavailable, TurnLost):  # it stays "running" without a runner, which the sweep looks for
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

    async def _answer(
        self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply, lease: TurnLease
    ) -> Answer:
        """The answer, already kept in the store. Raises StoreUnavailable, TurnLost, CancelledError."""
        if turn.outcome is not None:  # an earlier attempt had it, and died before everybody could see it
            return await self._kept(turn)
        if turn.stop_requested:
            answer = Answer("", "cancelled", (Notice("stopped"),))
            return await self._keep(turn, conversation, Progress(), answer, lease)
        if turn.command is not None:
            answer = await self._canned.answer(turn, conversation)
            return await self._keep(turn, conversation, Progress(), answer, lease)
        progress = Progress()
        running = _Running(asyncio.create_task(self._asking.answer(turn, conversation, platform, reply, progress)))
        self._controls.watch(turn.id, running.stop)
        lease.interrupt = running.lose
        try:
            answer = await self._until_done(running, progress)
        except (asyncio.CancelledError, TurnLost):
            await self._asking.billing.write_down(turn, conversation, progress, "abandoned")
            raise
        except StoreUnavailable:
            raise
        except PlatformUnavailable:  # nothing could be written for long, and no more can be buffered
            answer = Answer(progress.text, "failed", (*progress.notices, Notice("stream_cut")))
        except PlatformError:  # the place refuses what we write: reading on would only cost
            answer = Answer(progress.text, "failed", progress.notices)
        except Exception:  # noqa: BLE001 - a fault of ours: nobody waits in silence for it
            _log.exception("turn.fault", turn=turn.id)
            answer = Answer(progress.text, "failed", (*progress.notices, Notice("unexpected")))
        finally:
            self._controls.unwatch(turn.id)
            lease.interrupt = None
        return await to_its_end(self._keep(turn, conversation, progress, answer, lease))

    async def _until_done(self, running: _Running, progress: Progress) -> Answer:
        try:
            return await running.work
        except asyncio.CancelledError:
            if running.lost and running.work.cancelled():
                raise TurnLost from None
            if running.stopping and running.work.cancelled():
                return Answer(progress.text, "cancelled", (*progress.notices, Notice("stopped")))
            running.work.cancel()
            await asyncio.gather(running.work, return_exceptions=True)
            raise

    async def _keep(
        self, turn: Turn, conversation: Conversation, progress: Progress, answer: Answer, lease: TurnLease
    ) -> Answer:
        """The answer and its last call's ledger row in one transaction, before the last write to the platform.

        So a crash in between costs no second call: the next attempt only shows what is kept. Of a turn that is
        somebody else's by now only the call is written down: it was made.
        """
        outcome = {"done": "ok", "cancelled": "stopped"}.get(answer.outcome, "failed")
        billing = self._asking.billing
        due = billing.bill(turn, conversation, progress, outcome)
        progress.call = None
        trimmed = {} if progress.trimmed_to is None else {"trimmed_to_seq": progress.trimmed_to}

        today = billing.today(turn)

        def keep(connection: Connection) -> tuple[Answer | None, Settled | None]:
            kept = keep_answer(connection)
            return kept, None if due is None else billing.settle(connection, due)

        def keep_answer(connection: Connection) -> Answer | None:
            said = bool(answer.text.strip()) and turn.command is None
            # The conversation is locked before the turn, as by those who accept messages: else the two could deadlock.
            seq = 0
            if said:
                seq = conversations.next_seq(connection, turn.conversation, self._clock.now(), **trimmed)
            elif trimmed:
                conversations.change(connection, turn.conversation, **trimmed)
            if not turns.answered(
                connection, turn, answer, today, saved_by=progress.saved, refused_by=progress.refused_by
            ):
                return None
            if said:
                turns.kept_as(connection, turn, self._append(connection, turn, answer, seq))
            again = self._controls.ensure_again(connection, turn, answer)
            return replace(answer, again=again, ask_admin=self._requests.ensure_ask(connection, turn, answer))

        try:
            kept, settled = await insist(lambda: self._database.write(keep), lease, self._clock)
        except (StoreUnavailable, TurnLost):
            billing.owe(due)
            raise
        if due is not None:
            billing.note(due, settled)
        if kept is None:
            raise TurnLost
        return kept

    def _append(self, connection: Connection, turn: Turn, answer: Answer, seq: int) -> int:
        return conversations.append(
            connection,
            turn.workspace,
            turn.conversation,
            seq=seq,
            role="assistant",
            source="turn",
            source_id=str(turn.id),
            person=None,
            parent=turn.message,
            text=answer.text,
            addressed=False,
            sent_at=self._clock.now(),
        )

    async def _kept(self, turn: Turn) -> Answer:
        def look(connection: Connection) -> Answer:
            kept = turn.answer_id
            text = "" if kept is None else conversations.text_of(connection, turn.workspace, kept)
            again = self._controls.again_of(connection, turn)
            alone = not text and any(notice.name in _NOBODY_ELSES for notice in turn.notices)
            outcome, ask = cast("Outcome", turn.outcome), self._requests.ask_of(connection, turn)
            return Answer(text, outcome, turn.notices, again, ask, only_asker=alone)

        return await self._database.read(look)

    async def _deliver(self, turn: Turn, reply: Reply, answer: Answer, log: TurnPosts) -> None:
        outcome: str = answer.outcome
        log.defer_closing()
        try:
            await reply.finish(answer)
        except PlatformUnavailable:
            raise
        except PlatformError as error:
            outcome = "failed"
            _log.warning("answer.not_shown", turn=turn.id, why=error.reason, code=error.code)
        await self._end(turn, outcome, log)
        _log.info("turn.finished", turn=turn.id, outcome=outcome, notices=[notice.name for notice in answer.notices])

    async def _fail(self, turn: Turn, reply: Reply | None, log: TurnPosts) -> None:
        """Ends a turn that cannot be ended well, with a sentence if the place still takes one."""
        if reply is not None:
            try:
                await reply.finish(Answer("", "failed", (Notice("unexpected"),)))
            except Exception as error:  # noqa: BLE001 - it was broken before
                _log.warning("answer.not_shown", turn=turn.id, why=type(error).__name__)
                await reply.abandon()
        try:
            await self._end(turn, "failed", log)
        except TurnLost:
            _log.warning("turn.lost", turn=turn.id, attempt=turn.attempt)

    async def _end(self, turn: Turn, outcome: str, log: TurnPosts) -> None:
        """Raises TurnLost where somebody else goes on with the turn."""

        closed = log.deferred()

        def end(connection: Connection) -> bool:
            ours = turns.finish(connection, turn, outcome, self._clock.now())
            if ours:
                posts.close(connection, turn.workspace, turn.id, closed)
            return ours

        if not await insist(lambda: self._database.write(end), log.lease, self._clock):
            raise TurnLost
        log.lease.settle()
        self._metrics.turn_ended(turn.platform, outcome)

    async def _give_back(self, turn: Turn, reply: Reply | None, log: TurnPosts) -> None:
        """For the next attempt, which need not wait for any write of ours: they have ended."""
        if reply is not None:
            await reply.abandon()

        closed = log.deferred()

        def give_back(connection: Connection) -> None:
            if turns.give_back(connection, turn):
                posts.close(connection, turn.workspace, turn.id, closed)

        await insist(lambda: self._database.write(give_back), log.lease, self._clock)
