"""Holds: the worst cost of one call, taken from every limit before it is made, and settled once.

A hold is `held` until it is settled by the provider's usage, charged at its bound for want of one, or voided because
the call was surely not billed. Never is one released on a guess: a call under way could still be billed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from sqlalchemy import BigInteger, bindparam, cast, func, insert, select, update

from core.budgets.terms import Terms
from core.messages import Tokens
from core.store import budget_tables, budgets, corrections, ledger, tables
from core.store.budgets import NO_LIMIT, Room, Settled, Spender
from core.store.database import Connection
from core.store.ledger import Call, Periods
from core.store.prepared import Prepared

LEASE = timedelta(minutes=15)  # no call may last ten
_AS_IT_IS = 1000  # thousandths of a bound
_reservation = budget_tables.Reservation.__table__  # type: ignore[attr-defined]
_margin = budget_tables.ModelMargin.__table__  # type: ignore[attr-defined]
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_usage = tables.Usage.__table__  # type: ignore[attr-defined]

_MARGIN = Prepared(
    select(_margin.c.per_mille).where(
        _margin.c.home == bindparam("its_home"), _margin.c.model == bindparam("its_model")
    )
)
_HOLD = Prepared(insert(_reservation).returning(_reservation.c.id))
_TAKE = Prepared(
    update(_budget)
    .where(
        _budget.c.id == bindparam("row"),
        _budget.c.spent_microusd + _budget.c.reserved_microusd + bindparam("more") <= bindparam("at_most"),
    )
    .values(reserved_microusd=_budget.c.reserved_microusd + bindparam("more"))
)
_END = Prepared(
    update(_reservation)
    .where(_reservation.c.id == bindparam("number"), _reservation.c.state == bindparam("before"))
    .values(state=bindparam("after"), ended_at=bindparam("now"))
)
_OF_TURN = Prepared(
    select(
        cast(
            func.coalesce(
                select(func.sum(_usage.c.cost_microusd)).where(_usage.c.turn_id == bindparam("turn")).scalar_subquery(),
                0,
            ),
            BigInteger,
        )
        + cast(
            func.coalesce(
                select(func.sum(_reservation.c.bound_microusd))
                .where(_reservation.c.turn_id == bindparam("turn"), _reservation.c.state == "held")
                .scalar_subquery(),
                0,
            ),
            BigInteger,
        )
    )
)
_EXPIRED = (
    select(_reservation.c.id)
    .where(_reservation.c.state == "held", _reservation.c.expires_at < bindparam("now"))
    .order_by(_reservation.c.expires_at)
    .limit(bindparam("at_most"))
)
End = Literal["settled", "charged", "voided"]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be held for one attempt. `bound`: its worst cost in micro-dollars, at the catalogue's word."""

    spender: Spender
    conversation: int
    turn: int
    attempt: int
    home: str
    model: str
    price_from: date | None
    prompt_tokens: int
    max_tokens: int
    bound: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that is committed: the call that it was made for may be made. `bound`: with the model's margin."""

    number: int
    bound: int
    spender: Spender
    periods: Periods


class NoRoom(Exception):
    """Some limit does not leave enough. `rooms`: all limits of the call as they stand, that of the turn first."""

    def __init__(self, rooms: tuple[Room, ...], per_mille: int) -> None:
        super().__init__("no room")
        self.rooms = rooms
        self.per_mille = per_mille


def hold(connection: Connection, order: Order, terms: Terms, now: datetime) -> Hold:
    """Takes the bound from every limit, all or none. Raises NoRoom, whose transaction must not be kept."""
    per_mille = margin(connection, order.home, order.model)
    bound = -(-order.bound * per_mille // _AS_IT_IS)
    rows = budgets.rooms(connection, order.spender, terms, now)
    if any(room.left < bound for room in rows):
        raise NoRoom((*_of_turn(connection, order.turn, terms, now), *rows), per_mille)
    periods = _periods(rows)
    # First what refers to other rows, which it locks; the budgets last, as they are everybody's.
    number = _HOLD.number(
        connection,
        {
            "workspace_id": order.spender.workspace,
            "conversation_id": order.conversation,
            "turn_id": order.turn,
            "person_id": order.spender.person,
            "channel": order.spender.channel,
            "attempt": order.attempt,
            "home": order.home,
            "model": order.model,
            "price_from": order.price_from,
            "prompt_tokens": order.prompt_tokens,
            "max_tokens": order.max_tokens,
            "bound_microusd": bound,
            "state": "held",
            "local_date": periods.local_date,
            "day_period": periods.day,
            "month_period": periods.month,
            "installation_day": periods.installation_day,
            "installation_month": periods.installation_month,
            "at": now,
            "expires_at": now + LEASE,
        },
    )
    assert number is not None  # noqa: S101 - what is inserted is returned
    if bound:
        taken = _TAKE.run_each(
            connection,
            [
                {"row": room.number, "more": bound, "at_most": NO_LIMIT if room.limit is None else room.limit}
                for room in rows
            ],
        )
        # Only now: whoever else may call for this turn, as one who has lost it, waits for the same rows.
        turn = _of_turn(connection, order.turn, terms, now, besides=bound)
        if taken != len(rows) or any(room.left < bound for room in turn):  # somebody else was quicker
            raise NoRoom((*turn, *rows), per_mille)
    return Hold(number, bound, order.spender, periods)


def margin(connection: Connection, home: str, model: str) -> int:
    """By how many thousandths a model's bound is taken."""
    found = _MARGIN.number(connection, {"its_home": home, "its_model": model})
    return _AS_IT_IS if found is None else found


def widen(connection: Connection, home: str, model: str, *, cost: int, bound: int, now: datetime) -> int:
    """Makes the next bounds of a model cover what it has cost, and a tenth more; returns the new thousandths."""
    before = margin(connection, home, model)
    after = max(before, -(-before * cost * 11 // (max(bound, 1) * 10)))
    after = min(after, 1_000_000)
    changed = update(_margin).where(_margin.c.home == home, _margin.c.model == model)
    if not connection.execute(changed.values(per_mille=after, at=now)).rowcount:
        connection.execute(insert(_margin).values(home=home, model=model, per_mille=after, at=now))
    return after


def end(connection: Connection, hold: Hold, call: Call | None, how: End, terms: Terms, now: datetime) -> Settled | None:
    """Ends a hold, once, with the call as its row of the ledger; without one nothing was sent.

    A hold that was charged meanwhile is put right by one more row where the usage is known by now. None: nothing was
    left to do. The last thing of its transaction, as it locks what everybody needs.
    """
    if _END.run(connection, {"number": hold.number, "before": "held", "after": how, "now": now}):
        if call is not None:
            ledger.record(connection, call)
        cost = call.tokens.cost_microusd if call is not None else 0
        if hold.bound and cost > hold.bound and call is not None:
            widen(connection, call.home, call.model, cost=cost, bound=hold.bound, now=now)
        rows = budgets.move(connection, hold.spender, hold.periods, terms, less=hold.bound, cost=cost)
        return Settled(rows, cost, max(cost - hold.bound, 0) if hold.bound else 0)
    late = {"number": hold.number, "before": "charged", "after": "settled", "now": now}
    if how == "settled" and call is not None and _END.run(connection, late):
        return corrections.late(connection, hold.spender, call, terms)
    return None


def charge(connection: Connection, number: int, terms: Terms, now: datetime) -> Settled | None:
    """Charges a hold whose owner is gone at its bound, which may be more than was billed. None: it has ended."""
    row = connection.execute(select(_reservation).where(_reservation.c.id == number)).one_or_none()
    if row is None or row.state != "held":
        return None
    spender = Spender(row.workspace_id, row.channel, row.person_id)
    periods = Periods(row.local_date, row.day_period, row.month_period, row.installation_day, row.installation_month)
    call = Call(
        workspace=row.workspace_id,
        conversation=row.conversation_id,
        turn=row.turn_id,
        person=row.person_id,
        channel=row.channel,
        attempt=row.attempt,
        home=row.home,
        model=row.model,
        price_from=row.price_from,
        tokens=Tokens(1, row.prompt_tokens, row.max_tokens, 0, row.bound_microusd, row.bound_microusd),
        estimated=True,
        periods=periods,
        first_text_ms=None,
        total_ms=0,
        outcome="abandoned",
        correlation_id=None,
        at=row.at,
        reservation=row.id,
    )
    return end(connection, Hold(row.id, row.bound_microusd, spender, periods), call, "charged", terms, now)


def expired(connection: Connection, now: datetime, at_most: int = 100) -> list[int]:
    """Holds whose lease is past: their owner is gone."""
    return [int(number) for number in connection.execute(_EXPIRED, {"now": now, "at_most": at_most}).scalars()]


def _of_turn(connection: Connection, turn: int, terms: Terms, now: datetime, besides: int = 0) -> tuple[Room, ...]:
    """The turn's own limit, where there is one; of what is held `besides` micro-dollars are left out."""
    if terms.turn is None:
        return ()
    used = (_OF_TURN.number(connection, {"turn": turn}) or 0) - besides
    return (Room(0, f"turn:{turn}", "day", "", terms.turn, used, 0, now, now),)


def _periods(rows: Sequence[Room]) -> Periods:
    names = {(room.place == budgets.INSTALLATION, room.kind): room.period for room in rows}
    day = names[False, "day"]
    return Periods(date.fromisoformat(day), day, names[False, "month"], names[True, "day"], names[True, "month"])
