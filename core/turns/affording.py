"""Holding the money for the next call: whole, or in a cheaper form, or not at all."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from core.budgets import short
from core.budgets.short import Cut
from core.messages import Notice
from core.ports import Clock, Reply
from core.store.budgets import Room, Spender
from core.store.reservations import Hold, NoRoom, Order
from core.turns.billing import Billing
from core.turns.progress import Progress
from core.turns.question import NO_CUT, Planned, Question, Requests

LONGEST_WAIT = 10.0  # seconds of a turn, for others' holds to end
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.5
_AT_ONCE = 3  # tries against others that are as quick, before it is waited
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Afforded:
    """A call for which the money is held: it may be made."""

    planned: Planned
    hold: Hold


class Refused(Exception):
    """The limits leave too little, also for the cheapest form of the call. `room`: the one that leaves least."""

    def __init__(self, room: Room, notice: Notice) -> None:
        super().__init__(room.place)
        self.room = room
        self.notice = notice


class Affording:
    """Finds what the limits leave room for. Only others' holds are worth waiting for."""

    def __init__(self, billing: Billing, requests: Requests, clock: Clock) -> None:
        self._billing = billing
        self._requests = requests
        self._clock = clock
        self._random = random.Random()

    async def hold(self, question: Question, reply: Reply, progress: Progress) -> Afforded:
        """Holds the next call. Raises Refused, UnknownModel, StoreUnavailable.

        What had to be saved is added to `progress`; an economy model stays for the rest of the turn.
        """
        cut, pause, tried = NO_CUT, _FIRST_PAUSE, 0
        while True:
            planned = self._requests.plan(question, self._clock.now(), cut)
            try:
                hold = await self._billing.hold(_order(question, planned))
            except NoRoom as none:
                tried += 1
                margins = await self._billing.margins(question.path.route.home.name, _models(question))
                form = partial(self._form, question, margins)
                room = min(room.left for room in none.rooms)
                economy = question.economy is not None
                found = short.affordable(form, room, economy=economy)
                patient = question.waited_for_money < LONGEST_WAIT
                # Who has waited long enough goes on at once: each time that others are quicker, one of them is served.
                if found is not None and (tried < _AT_ONCE or not patient):
                    cut = found[0]
                    continue
                most = min(room.left_without_holds for room in none.rooms)
                least = short.cheapest(form, economy=economy)
                if least > most or not patient:
                    await self._billing.note_refusal(_order(question, planned).spender, least)
                    raise self._refused(question, none.rooms, busy=least <= most) from None
                reply.status("waiting_for_budget")
                waited = min(pause * (1.0 + self._random.random()), LONGEST_WAIT - question.waited_for_money)
                question.waited_for_money += max(waited, 0.01)
                await self._clock.sleep(waited)
                cut, pause, tried = NO_CUT, min(pause * 2, _LONGEST_PAUSE), 0
            else:
                if cut.names:
                    self._told(question, progress, cut, planned)
                return Afforded(planned, hold)

    def _form(self, question: Question, margins: dict[str, int], cut: Cut) -> Planned:
        return self._requests.plan(question, self._clock.now(), cut, margins)

    def _told(self, question: Question, progress: Progress, cut: Cut, planned: Planned) -> None:
        """One line for people, whatever was saved how often."""
        progress.saved = tuple(dict.fromkeys((*progress.saved, *cut.names)))
        values: dict[str, str | int] = {name: int(name in progress.saved) for name in ("history", "length", "economy")}
        values["model"] = planned.model.id
        others = tuple(notice for notice in progress.notices if notice.name != "saved_money")
        progress.notices = (*others, Notice("saved_money", values))
        if cut.economy:
            question.path.model, question.economy, question.chosen_by = planned.model, None, None
        _log.info("budget.saved", turn=question.turn.id, by=cut.names, model=planned.model.id)

    def _refused(self, question: Question, rooms: tuple[Room, ...], *, busy: bool) -> Refused:
        """Of limits that leave equally little the one that lasts longest: another would only be met next.

        `busy`: only the holds of others are in the way, so that there may be room again in a moment.
        """
        room = min(rooms, key=lambda room: (room.left, -room.resets_at.timestamp()))
        zone = self._billing.terms.timezone
        if room.scope != "installation":
            zone = question.turn.zone or zone
        resets = room.resets_at.astimezone(UTC).astimezone(ZoneInfo(zone))
        notice = Notice(
            "budget_refused",
            {
                "scope": room.scope,
                "period": "" if room.scope == "turn" else room.kind,
                "left": max(room.left, 0),
                "limit": room.limit or 0,
                "resets": resets.isoformat(),
                "zone": zone,
                "busy": int(busy),
                "workspace": f"{question.turn.platform}:{question.turn.workspace_id}",
            },
        )
        _log.info("budget.refused", turn=question.turn.id, scope=room.scope, period=room.kind)
        return Refused(room, notice)


def _order(question: Question, planned: Planned) -> Order:
    turn, home = question.turn, question.path.route.home
    prices = planned.model.prices if home.priced else ()
    return Order(
        spender=Spender(turn.workspace, question.conversation.channel, turn.asker_number, turn.zone),
        conversation=question.conversation.id,
        turn=turn.id,
        attempt=question.attempts,
        home=home.name,
        model=planned.model.id,
        price_from=planned.model.price(turn.created_at.date()).since if prices else None,
        prompt_tokens=planned.bound.prompt_tokens,
        max_tokens=planned.bound.max_tokens,
        bound=planned.bound.microusd,
    )


def _models(question: Question) -> tuple[str, ...]:
    found = (question.path.model, question.economy)
    return tuple(model.id for model in found if model is not None)
