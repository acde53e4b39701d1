"""Each attempt as a row of the ledger: once, also when the turn is cut short or the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from zoneinfo import ZoneInfo

import structlog

from core import errors
from core.chat import ChatMessage, ImagePart, TextPart, Usage
from core.messages import Tokens
from core.metrics import Metrics
from core.mistral.models import Model
from core.ports import Clock
from core.settings import Settings
from core.store import ledger
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.store.turns import Turn
from core.turns import tools
from core.turns.estimate import TokenEstimate
from core.turns.progress import Attempt, Progress

_log = structlog.get_logger()


class Billing:
    """Writes down what was called. What the database does not take is owed, and written with the next that it takes."""

    def __init__(
        self, settings: Settings, database: Database, estimate: TokenEstimate, clock: Clock, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._database = database
        self._estimate = estimate
        self._clock = clock
        self._metrics = metrics
        self._owed: list[ledger.Call] = []

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
        """Remembers a call that the database could not take."""
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
        """The attempt under way as a row of the ledger, dated by its beginning; None if no request was made."""
        call = progress.call
        if call is None or not call.admitted:
            return None
        told = call.finish.usage if call.finish is not None else None
        usage = told or (Usage(0, 0) if unbilled else self._guess(call))
        day = call.began.astimezone(zone(turn, self._settings)).date()
        cost, price_from = 0, None
        if call.model.prices and call.home.priced:
            cost = call.model.cost(usage, day, price_tenths=call.home.price_tenths)
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
            home=call.home.name,
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

    def _guess(self, call: Attempt) -> Usage:
        """Usage that the provider did not tell: what was sent and what came, estimated."""
        request = call.request
        prompt = prompt_tokens(request.messages, call.model, self._estimate)
        if request.tools:
            prompt += self._estimate.bytes(tools.written(request.tools))
        came = len(call.text.encode("utf-8", "replace")) + call.unseen
        return Usage(prompt, self._estimate.bytes(came) if came else 0)


def prompt_tokens(messages: Sequence[ChatMessage], model: Model, estimate: TokenEstimate) -> int:
    """What messages make a prompt, estimated: their texts, their images, the tool calls that they show again."""
    tokens = 0
    for message in messages:
        parts = (message.content,) if isinstance(message.content, str) else message.content
        for part in parts:
            if isinstance(part, ImagePart):
                tokens += model.image_tokens(part.width, part.height)
            elif isinstance(part, TextPart | str):
                tokens += estimate.text(part if isinstance(part, str) else part.text)
        tokens += sum(estimate.text(wanted.arguments) for wanted in message.tool_calls)
    return tokens


def zone(turn: Turn, settings: Settings) -> ZoneInfo:
    """The zone that says where the workspace's days begin."""
    return ZoneInfo(turn.zone or settings.timezone)
