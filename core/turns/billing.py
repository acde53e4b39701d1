"""Money around a call: held before it, settled once after it, also when it is cut short or the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from core import errors
from core.budgets import alerts
from core.budgets.terms import Terms
from core.chat import ChatMessage, ImagePart, TextPart, Usage
from core.messages import Notice, Tokens
from core.metrics import Metrics
from core.mistral.models import Model
from core.ports import Clock
from core.settings import Settings
from core.store import announcements, budgets, ledger, reservations, workspace_settings
from core.store.budgets import Settled, Spender
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.store.reservations import End, Hold, Order
from core.store.turns import Turn
from core.turns import tools
from core.turns.estimate import TokenEstimate
from core.turns.patience import insist, to_its_end
from core.turns.progress import Attempt, Progress

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Due:
    """How a hold ends: with a row of the ledger, or without one where nothing was sent."""

    hold: Hold
    call: ledger.Call | None
    how: End


class Billing:
    """Holds, and writes down what was called. What the database does not take is owed, and tried again later."""

    def __init__(
        self, settings: Settings, database: Database, estimate: TokenEstimate, clock: Clock, metrics: Metrics
    ) -> None:
        self.terms = Terms.of(settings)
        self._settings = settings
        self._database = database
        self._estimate = estimate
        self._clock = clock
        self._metrics = metrics
        self._owed: list[Due] = []

    async def hold(self, order: Order) -> Hold:
        """Holds an attempt's bound, once the database is there. Raises NoRoom, StoreUnavailable: then call nothing."""
        return await insist(lambda: self._hold(order), None, self._clock)

    async def _hold(self, order: Order) -> Hold:
        now = self._clock.now()
        holding = asyncio.ensure_future(
            self._database.write(lambda connection: reservations.hold(connection, order, self.terms, now))
        )
        try:
            return await asyncio.shield(holding)
        except asyncio.CancelledError:  # it commits all the same: what is not going to be sent is given back
            await to_its_end(self._give_up(holding))
            raise

    async def margins(self, home: str, models: Sequence[str]) -> dict[str, int]:
        """By how many thousandths the bounds of some models are taken."""

        def look(connection: Connection) -> dict[str, int]:
            return {model: reservations.margin(connection, home, model) for model in models}

        return await self._database.read(look)

    def is_low(self, connection: Connection, turn: Turn) -> bool:
        """Whether so much of the month is spent that the workspace wants the economy model."""
        percent = workspace_settings.chosen(connection, turn.workspace).economy_at_percent
        if percent is None:
            return False
        place = budgets.workspace_place(turn.workspace)
        month = budgets.look(connection, (place,), self.terms, self._clock.now()).get((place, "month"))
        return month is not None and month.limit is not None and month.spent * 100 >= percent * month.limit

    async def note_refusal(self, spender: Spender, least: int) -> None:
        """Tells admins, once, of limits that are used up, as not even `least` micro-dollars find room in them.

        Raises StoreUnavailable.
        """
        now = self._clock.now()

        def look(connection: Connection) -> int:
            rooms = budgets.rooms(connection, spender, self.terms, now)
            return alerts.note_refusal(connection, rooms, least, self.terms, now)

        await self._database.write(look)

    async def _give_up(self, holding: asyncio.Future[Hold]) -> None:
        try:
            held = await holding
        except (reservations.NoRoom, errors.StoreUnavailable):
            return
        self.owe(Due(held, None, "voided"))
        await self.pay_all()

    async def write_down(
        self, turn: Turn, conversation: Conversation, progress: Progress, outcome: str, *, unbilled: bool = False
    ) -> None:
        """Ends the hold of the attempt under way, once, in a transaction of its own, also when cancelled."""
        due = self.bill(turn, conversation, progress, outcome, unbilled=unbilled)
        progress.call = None
        if due is not None:
            self.owe(due)
            await asyncio.shield(self.pay_all())

    def owe(self, due: Due | None) -> None:
        """Remembers what the database could not take."""
        if due is not None:
            self._owed.append(due)

    async def pay_all(self) -> None:
        """Writes down what is owed; what the database does not take stays owed."""
        owed, self._owed = self._owed, []
        for number, due in enumerate(owed):
            try:
                settled = await self._database.write(partial(self._settle, due))
            except errors.StoreUnavailable:
                _log.warning("ledger.behind", calls=len(owed) - number)
                self._owed = owed[number:] + self._owed
                return
            self.note(due, settled)

    def settle(self, connection: Connection, due: Due) -> Settled | None:
        """Ends the hold in the caller's transaction, as the last thing of it; announces what that brings about."""
        now = self._clock.now()
        settled = reservations.end(connection, due.hold, due.call, due.how, self.terms, now)
        if settled is not None:
            self._announce(connection, settled, due.hold.number, due.call, due.hold.bound)
        return settled

    def _announce(
        self, connection: Connection, settled: Settled, number: int, call: ledger.Call | None, bound: int
    ) -> None:
        now = self._clock.now()
        alerts.note(connection, settled.rows, settled.cost, self.terms, now)
        if settled.above and call is not None:
            values: dict[str, str | int] = {
                "model": call.model,
                "home": call.home,
                "cost": call.tokens.cost_microusd,
                "bound": bound,
            }
            announcements.put(
                connection, None, f"above_bound:{number}", "above_bound", Notice("above_bound", values), now=now
            )

    def note(self, due: Due, settled: Settled | None) -> None:
        """Counts what was settled, once it is committed; says so where it was more than ever thought possible."""
        call = due.call
        if call is not None:
            self._metrics.called(call)
        if settled is not None and settled.above and call is not None:
            self._metrics.above_bound(call, settled.above)
            _log.error(
                "budget.above_bound",
                home=call.home,
                model=call.model,
                turn=call.turn,
                bound_microusd=due.hold.bound,
                cost_microusd=call.tokens.cost_microusd,
            )

    async def charge_expired(self) -> None:
        """Charges holds whose owner is gone: nobody will tell any more what they have cost. Raises StoreUnavailable."""
        now = self._clock.now()
        while numbers := await self._database.read(lambda connection: reservations.expired(connection, now)):
            for number in numbers:
                charged = await self._database.write(partial(self._charge, number))
                if charged is not None:
                    _log.warning("budget.hold_expired", reservation=number, charged_microusd=charged.cost)

    def bill(
        self, turn: Turn, conversation: Conversation, progress: Progress, outcome: str, *, unbilled: bool = False
    ) -> Due | None:
        """How the attempt under way is to be paid; None where there is none.

        Without a usage it is charged at its bound, unless it was surely not billed: what it has really cost nobody
        told, and nothing that could be billed is ever released.
        """
        attempt = progress.call
        if attempt is None:
            return None
        if not attempt.admitted:
            return Due(attempt.hold, None, "voided")
        told = attempt.finish.usage if attempt.finish is not None else None
        if told is not None:
            return Due(attempt.hold, self._call(turn, conversation, attempt, told, outcome), "settled")
        if unbilled:
            return Due(attempt.hold, self._call(turn, conversation, attempt, Usage(0, 0), outcome), "voided")
        call = self._call(turn, conversation, attempt, self._guess(attempt), outcome, cost=attempt.hold.bound)
        return Due(attempt.hold, call, "charged")

    def _call(
        self,
        turn: Turn,
        conversation: Conversation,
        attempt: Attempt,
        usage: Usage,
        outcome: str,
        *,
        cost: int | None = None,
    ) -> ledger.Call:
        """The attempt as a row of the ledger, in the periods of its hold. `cost`: where that is not told."""
        day, model, home = attempt.hold.periods.local_date, attempt.model, attempt.home
        guessed, price_from = cost is not None, None
        if model.prices and home.priced:
            price_from = model.price(day).since
            cost = model.cost(usage, day, price_tenths=home.price_tenths) if cost is None else cost
        finish, now = attempt.finish, self._clock.monotonic()
        first = attempt.first_text_at
        return ledger.Call(
            workspace=turn.workspace,
            conversation=conversation.id,
            turn=turn.id,
            person=turn.asker_number,
            channel=conversation.channel,
            attempt=attempt.number,
            home=home.name,
            model=model.id,
            price_from=price_from,
            tokens=Tokens(
                1,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                cost or 0,
                (cost or 0) if guessed else 0,
            ),
            estimated=guessed,
            periods=attempt.hold.periods,
            first_text_ms=int((first - attempt.began_at) * 1000) if first is not None else None,
            total_ms=int((now - attempt.began_at) * 1000),
            outcome=outcome,
            correlation_id=finish.correlation_id if finish is not None else None,
            at=attempt.began,
            reservation=attempt.hold.number,
        )

    def _guess(self, call: Attempt) -> Usage:
        """Usage that the provider did not tell: what was sent and what came, estimated."""
        request = call.request
        prompt = prompt_tokens(request.messages, call.model, self._estimate)
        if request.tools:
            prompt += self._estimate.bytes(tools.written(request.tools))
        came = len(call.text.encode("utf-8", "replace")) + call.unseen
        return Usage(prompt, self._estimate.bytes(came) if came else 0)

    def today(self, turn: Turn) -> date:
        """The date where the workspace is."""
        return self._clock.now().astimezone(zone(turn, self._settings)).date()

    def _charge(self, number: int, connection: Connection) -> Settled | None:
        charged = reservations.charge(connection, number, self.terms, self._clock.now())
        if charged is not None:
            self._announce(connection, charged, number, None, 0)
        return charged

    def _settle(self, due: Due, connection: Connection) -> Settled | None:
        return self.settle(connection, due)


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
