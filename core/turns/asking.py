"""Asking a model for one turn: history, attempts, the ledger. What to do after a failure is `core/turns/retry.py`'s."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

import structlog

from core import errors
from core.chat import ChatRequest, Delta, Finish, ImagePart, TextDelta, TextPart, Usage
from core.messages import Answer, ConversationKind, Notice, Tokens, WorkspaceKey
from core.metrics import Metrics
from core.mistral.models import Model
from core.ports import ChatPlatform, Clock, LanguageModel, Reply
from core.settings import Settings
from core.store import conversations, ledger
from core.store.conversations import Conversation, Line
from core.store.database import Connection, Database
from core.store.turns import Turn
from core.turns import history, images, prompts, retry
from core.turns.choosing import ModelChoice, Models
from core.turns.estimate import TokenEstimate

_log = structlog.get_logger()
_ALONE = (ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL)


@dataclass(slots=True)
class Progress:
    """How far a turn has come: read by whoever must end it early.

    `call` is the attempt under way, if any; `trimmed_to`: from where on the history was shown, if it was trimmed anew.
    """

    texts: list[str] = field(default_factory=list)
    call: _Attempt | None = None
    notices: tuple[Notice, ...] = ()
    trimmed_to: int | None = None

    @property
    def text(self) -> str:
        return "".join(self.texts)


@dataclass(slots=True)
class _Attempt:
    number: int
    model: Model
    request: ChatRequest
    sent_bytes: int
    images: int
    began: datetime
    began_at: float
    first_text_at: float | None = None
    finish: Finish | None = None


class Asking:
    """Asks the model, as often as it makes sense; each attempt is one request and one row of the ledger."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        model: LanguageModel,
        choice: ModelChoice,
        pictures: images.Images,
        clock: Clock,
        *,
        home: str,
        price_tenths: int,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._database = database
        self._model = model
        self._choice = choice
        self._pictures = pictures
        self._clock = clock
        self._home = home
        self._price_tenths = price_tenths
        self._estimate = TokenEstimate()
        self._metrics = metrics
        self._random = random.Random()
        self._owed: list[ledger.Call] = []

    async def answer(
        self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply, progress: Progress
    ) -> Answer:
        """The model's answer, or what went wrong as a notice with the text so far. Raises StoreUnavailable."""
        lines = await self._lines(turn, conversation, platform, reply)
        question = lines[-1]
        refused = images.notices(question.attachments)
        progress.notices = refused
        ready = [file for line in lines for file in line.attachments if file.state == "ready"]
        try:
            models = self._choice.models()
        except errors.UnknownModel as error:
            return Answer("", "failed", (*refused, Notice(error.reason, {"model": self._settings.model})))
        shown: dict[int, ImagePart] = {}
        if ready and models.vision is not None:
            shown = await self._pictures.load(turn.workspace, ready[-history.IMAGES_SHOWN :])
        blind = any(file.state == "ready" for file in question.attachments) and models.vision is None
        progress.notices = (*refused, Notice("cannot_see")) if blind else refused
        if not question.text.strip() and not shown:
            return Answer("", "done", progress.notices)
        return await self._attempts(turn, conversation, lines, models, shown, reply, progress)

    async def _lines(self, turn: Turn, conversation: Conversation, platform: ChatPlatform, reply: Reply) -> list[Line]:
        """The history with the newest files read."""
        from_seq = max(conversation.history_from_seq, conversation.trimmed_to_seq)
        lines = await self._database.read(
            lambda connection: conversations.lines(connection, conversation, turn.message, from_seq=from_seq)
        )
        pending = [line for line in lines if any(file.state == "pending" for file in line.attachments)]
        if not pending:
            reply.status("thinking")
            return lines
        reply.status("reading_images", sum(len(line.attachments) for line in pending))
        key = WorkspaceKey(turn.platform, turn.workspace_id)
        read = {
            line.id: await self._pictures.prepare(platform, turn.workspace, key, line.attachments)
            for line in pending[-history.IMAGES_SHOWN :]
        }
        reply.status("thinking")
        return [
            Line(line.id, line.seq, line.author, line.text, tuple(read.get(line.id, line.attachments)))
            for line in lines
        ]

    async def _attempts(
        self,
        turn: Turn,
        conversation: Conversation,
        lines: list[Line],
        models: Models,
        shown: dict[int, ImagePart],
        reply: Reply,
        progress: Progress,
    ) -> Answer:
        model = models.vision if shown and models.vision is not None else models.text
        limit = self._settings.history_tokens
        attempt, waited, replaced, trimmed = 0, 0.0, False, False
        while True:
            attempt += 1
            request, prompt = self._request(turn, conversation, lines, model, shown, limit)
            progress.call = self._attempt(attempt, model, request, prompt)
            try:
                await self._read(request, reply, progress)
                return self._whole(conversation, prompt, progress)
            except errors.ModelError as error:
                await self.write_down(turn, conversation, progress, error.reason, unbilled=error.unbilled)
                decision = retry.decide(
                    error,
                    attempt=attempt,
                    shown=bool(progress.texts),
                    waited=waited,
                    replaced=replaced,
                    trimmed=trimmed,
                    jitter=self._random.random(),
                )
                _log.info(
                    "attempt.failed", turn=turn.id, attempt=attempt, why=error.reason, then=type(decision).__name__
                )
                successor = self._choice.replacement(model) if isinstance(decision, retry.Replace) else None
                if isinstance(decision, retry.Again):
                    waited += decision.wait
                    if decision.wait > 1.0:
                        reply.status("waiting_for_model")
                    await self._clock.sleep(decision.wait)
                elif isinstance(decision, retry.Trim):
                    limit, trimmed = limit // 2, True
                elif successor is not None:
                    model, replaced = successor, True
                else:
                    return Answer(progress.text, "failed", (*progress.notices, _told(error, model)))

    async def _read(self, request: ChatRequest, reply: Reply, progress: Progress) -> None:
        """One request, shown as it comes. Raises ModelError, and PlatformError once nothing can be shown."""
        call = progress.call
        assert call is not None  # noqa: S101 - set by the caller, one line before
        stream = cast("AsyncGenerator[Delta, None]", self._model.stream(request))
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                if isinstance(delta, TextDelta):
                    if call.first_text_at is None:
                        call.first_text_at = self._clock.monotonic()
                    progress.texts.append(delta.text)
                    reply.write(delta.text)
                    if (refusal := reply.error()) is not None:
                        raise refusal
                elif isinstance(delta, Finish):
                    call.finish = delta
        if call.finish is not None and call.finish.reason == "error":
            raise errors.StreamCut("the model ended with an error")
        if not progress.text.strip():
            progress.texts.clear()
            raise errors.EmptyAnswer()

    def _whole(self, conversation: Conversation, prompt: history.History, progress: Progress) -> Answer:
        call = progress.call
        assert call is not None  # noqa: S101
        finish = call.finish
        if finish is not None and finish.usage is not None and not call.images:
            self._estimate.learn(call.sent_bytes, finish.usage.prompt_tokens)
        if prompt.first_seq > conversation.trimmed_to_seq and conversation.kind is not ConversationKind.CHAIN:
            progress.trimmed_to = prompt.first_seq
        notices = progress.notices
        if finish is not None and finish.reason in ("length", "model_length"):
            notices = (*notices, Notice("length"))
        return Answer(progress.text, "done", notices)

    def _request(
        self,
        turn: Turn,
        conversation: Conversation,
        lines: list[Line],
        model: Model,
        shown: dict[int, ImagePart],
        limit: int,
    ) -> tuple[ChatRequest, history.History]:
        room = model.context - self._settings.max_tokens
        max_tokens = self._settings.max_tokens if room >= model.context // 2 else max(model.context // 4, 1)
        prompt = history.build(
            lines,
            system=prompts.system(self._settings.system_prompt, self._clock.now(), zone(turn, self._settings)),
            named=conversation.kind not in _ALONE,
            images=shown,
            limit=min(limit, model.context - max_tokens - prompts.RESERVE),
            size=self._estimate.text,
            image_size=lambda image: model.image_tokens(image.width, image.height),
        )
        return ChatRequest(model.id, prompt.messages, max_tokens, prompt_cache_key=f"bise-{conversation.id}"), prompt

    def _attempt(self, number: int, model: Model, request: ChatRequest, prompt: history.History) -> _Attempt:
        sent = sum(
            len(message.content.encode("utf-8", "replace"))
            for message in request.messages
            if isinstance(message.content, str)
        )
        now, at = self._clock.now(), self._clock.monotonic()
        return _Attempt(number, model, request, sent, prompt.images, now, at)

    async def write_down(
        self, turn: Turn, conversation: Conversation, progress: Progress, outcome: str, *, unbilled: bool = False
    ) -> None:
        """Puts the attempt under way on the ledger, once, in a transaction of its own, also when cancelled."""
        call = self.call_of(turn, conversation, progress, outcome, unbilled=unbilled)
        progress.call = None
        if call is not None:
            self.owe(call)
            self._metrics.called(call)
            await asyncio.shield(self.pay_all())

    def owe(self, call: ledger.Call | None) -> None:
        """Remembers a call that the database could not take: it is written down with the next one that it takes."""
        if call is not None:
            self._owed.append(call)

    async def pay_all(self) -> None:
        """Writes down what is owed; what the database does not take stays owed."""
        owed, self._owed = self._owed, []

        def pay(connection: Connection) -> None:
            for call in owed:
                ledger.record(connection, call)

        if owed:
            try:
                await self._database.write(pay)
            except errors.StoreUnavailable:
                _log.warning("ledger.behind", calls=len(owed))
                self._owed = owed + self._owed

    def call_of(
        self, turn: Turn, conversation: Conversation, progress: Progress, outcome: str, *, unbilled: bool = False
    ) -> ledger.Call | None:
        """The attempt under way as a row of the ledger, dated by its beginning; None if there is none."""
        call = progress.call
        if call is None:
            return None
        told = call.finish.usage if call.finish is not None else None
        usage = told or (Usage(0, 0) if unbilled else self._guess(call, progress))
        day = call.began.astimezone(zone(turn, self._settings)).date()
        cost, price_from = 0, None
        if call.model.prices and not self._settings.self_hosted:
            cost = call.model.cost(usage, day, price_tenths=self._price_tenths)
            price_from = call.model.price(day).since
        estimated = told is None and not unbilled
        now = self._clock.monotonic()
        return ledger.Call(
            workspace=turn.workspace,
            conversation=conversation.id,
            turn=turn.id,
            person=turn.asker_number,
            channel=conversation.channel,
            attempt=call.number,
            home=self._home,
            model=call.model.id,
            price_from=price_from,
            tokens=Tokens(
                1, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, cost, cost if estimated else 0
            ),
            estimated=estimated,
            local_date=day,
            first_text_ms=int((call.first_text_at - call.began_at) * 1000) if call.first_text_at is not None else None,
            total_ms=int((now - call.began_at) * 1000),
            outcome=outcome,
            correlation_id=call.finish.correlation_id if call.finish is not None else None,
            at=call.began,
        )

    def _guess(self, call: _Attempt, progress: Progress) -> Usage:
        """Usage that the provider did not tell: what was sent and what came, estimated."""
        prompt = 0
        for message in call.request.messages:
            parts = (message.content,) if isinstance(message.content, str) else message.content
            for part in parts:
                if isinstance(part, ImagePart):
                    prompt += call.model.image_tokens(part.width, part.height)
                elif isinstance(part, TextPart | str):
                    prompt += self._estimate.text(part if isinstance(part, str) else part.text)
        return Usage(prompt, self._estimate.text(progress.text) if progress.texts else 0)


def zone(turn: Turn, settings: Settings) -> ZoneInfo:
    """The zone that says where the workspace's days begin."""
    return ZoneInfo(turn.zone or settings.timezone)


def _told(error: errors.ModelError, model: Model) -> Notice:
    values: dict[str, str | int] = {"model": model.id}
    if error.retry_after is not None:
        values["seconds"] = int(error.retry_after) + 1
    return Notice(error.reason, values)
