"""The ledger: one row per model call, never changed; every figure shown anywhere is a query over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, insert, select

from core.messages import ConversationKind, Tokens
from core.store import tables
from core.store.database import Connection
from core.store.prepared import Prepared

_usage = tables.Usage.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_RECORD = Prepared(insert(_usage))

Grouping = Literal["model", "user", "channel", "day"]
UNKNOWN = "(unknown)"  # calls of nobody in particular
DIRECT = "direct messages"


@dataclass(frozen=True, slots=True)
class Periods:
    """In which periods a call counts, from its hold on: the workspace's day and month, the installation's."""

    local_date: date
    day: str
    month: str
    installation_day: str
    installation_month: str


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as it is written down. Costs in micro-dollars, times in milliseconds.

    `estimated`: the provider told no usage, so the tokens and the cost are our guess. `reservation`: the hold that it
    settles. `corrects`: the row that this one puts right, by what has to be added to it.
    """

    workspace: int
    conversation: int
    turn: int
    person: int
    channel: str
    attempt: int
    home: str
    model: str
    price_from: date | None
    tokens: Tokens
    estimated: bool
    periods: Periods
    first_text_ms: int | None
    total_ms: int
    outcome: str
    correlation_id: str | None
    at: datetime
    reservation: int | None = None
    corrects: int | None = None


def record(connection: Connection, call: Call) -> None:
    """Adds a call."""
    values = {
        "workspace_id": call.workspace,
        "conversation_id": call.conversation,
        "turn_id": call.turn,
        "person_id": call.person,
        "channel": call.channel,
        "attempt": call.attempt,
        "home": call.home,
        "model": call.model,
        "price_from": call.price_from,
        "prompt_tokens": call.tokens.prompt_tokens,
        "completion_tokens": call.tokens.completion_tokens,
        "cached_tokens": call.tokens.cached_tokens,
        "cost_microusd": call.tokens.cost_microusd,
        "estimated": call.estimated,
        "estimated_microusd": call.tokens.estimated_microusd,
        "local_date": call.periods.local_date,
        "day_period": call.periods.day,
        "month_period": call.periods.month,
        "installation_day": call.periods.installation_day,
        "installation_month": call.periods.installation_month,
        "first_text_ms": call.first_text_ms,
        "total_ms": call.total_ms,
        "outcome": call.outcome,
        "correlation_id": call.correlation_id,
        "reservation_id": call.reservation,
        "corrects": call.corrects,
        "at": call.at,
    }
    _RECORD.run(connection, values)


def total(
    connection: Connection,
    workspace: int,
    *,
    since: date | None = None,
    until: date | None = None,
    person: int | None = None,
    conversation: int | None = None,
) -> Tokens:
    """Sums over a workspace's calls; `since` and `until` are local dates, both included."""
    query = select(*sums()).where(*_where(workspace, since, until, person))
    if conversation is not None:
        query = query.where(_usage.c.conversation_id == conversation)
    return tokens(connection.execute(query).one())


def grouped(
    connection: Connection,
    workspace: int,
    by: Grouping,
    *,
    since: date | None = None,
    until: date | None = None,
    person: int | None = None,
    private: bool = False,
    at_most: int | None = None,
) -> list[tuple[str, Tokens]]:
    """The same sums by model, person (platform's id), channel or local day; dearest first, days in order.

    `private`: the channels of direct messages, each of which is a person's, are one. `at_most`: so many groups.
    """
    channel: ColumnElement[str] = _usage.c.channel
    if private:
        channel = case((_conversation.c.kind == ConversationKind.DM.value, DIRECT), else_=_usage.c.channel)
    columns: dict[Grouping, ColumnElement[str]] = {
        "model": _usage.c.model,
        "user": func.coalesce(_person.c.external_id, UNKNOWN),
        "channel": channel,
        "day": _usage.c.day_period,
    }
    column = columns[by].label("grouped_by")
    query = (
        select(column, *sums())
        .outerjoin_from(_usage, _person, _person.c.id == _usage.c.person_id)
        .join(_conversation, _conversation.c.id == _usage.c.conversation_id)
        .where(*_where(workspace, since, until, person))
        .group_by("grouped_by")  # by its label: it may hold values, which PostgreSQL would take for others
        .order_by(*(() if by == "day" else (func.sum(_usage.c.cost_microusd).desc(),)), "grouped_by")
        .limit(at_most)
    )
    return [(str(row[0]), tokens(row[1:])) for row in connection.execute(query).all()]


def of_turn(connection: Connection, workspace: int, turn: int) -> Tokens:
    """What one turn has used."""
    query = select(*sums()).where(_usage.c.workspace_id == workspace, _usage.c.turn_id == turn)
    return tokens(connection.execute(query).one())


def sums() -> list[ColumnElement[int]]:
    """The columns that `tokens` reads. A correction adds to a call and is none itself."""
    names = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost_microusd", "estimated_microusd")
    return [
        func.count(_usage.c.id).filter(_usage.c.corrects.is_(None)),
        # PostgreSQL sums large integers into decimals.
        *(cast(func.coalesce(func.sum(_usage.c[name]), 0), BigInteger) for name in names),
    ]


def tokens(row: Sequence[int]) -> Tokens:
    """The figures of one row of `sums`."""
    calls, prompt, completion, cached, cost, estimated = row
    return Tokens(calls, prompt, completion, cached, cost, estimated)


def _where(workspace: int, since: date | None, until: date | None, person: int | None) -> list[ColumnElement[bool]]:
    found = [_usage.c.workspace_id == workspace]
    if person is not None:
        found.append(_usage.c.person_id == person)
    if since is not None:
        found.append(_usage.c.local_date >= since)
    if until is not None:
        found.append(_usage.c.local_date <= until)
    return found
