"""The ledger: one row per model call, never changed; every figure shown anywhere is a query over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import BigInteger, ColumnElement, cast, func, insert, select

from core.messages import Tokens
from core.store import tables
from core.store.database import Connection

_usage = tables.Usage.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_RECORD = insert(_usage)  # built once: to build a statement costs about as much as to run it

Grouping = Literal["model", "user", "channel", "day"]


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as it is written down. Costs in micro-dollars, times in milliseconds.

    `estimated`: the provider told no usage, so the tokens and the cost are our guess.
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
    local_date: date
    first_text_ms: int | None
    total_ms: int
    outcome: str
    correlation_id: str | None
    at: datetime


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
        "local_date": call.local_date,
        "day_period": call.local_date.isoformat(),
        "month_period": call.local_date.strftime("%Y-%m"),
        "first_text_ms": call.first_text_ms,
        "total_ms": call.total_ms,
        "outcome": call.outcome,
        "correlation_id": call.correlation_id,
        "at": call.at,
    }
    connection.execute(_RECORD, values)


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
    query = select(*_sums()).where(*_where(workspace, since, until))
    if person is not None:
        query = query.where(_usage.c.person_id == person)
    if conversation is not None:
        query = query.where(_usage.c.conversation_id == conversation)
    return _tokens(connection.execute(query).one())


def grouped(
    connection: Connection, workspace: int, by: Grouping, *, since: date | None = None, until: date | None = None
) -> list[tuple[str, Tokens]]:
    """The same sums by model, person (platform's id), channel or local day; dearest first, days in order."""
    column = {
        "model": _usage.c.model,
        "user": func.coalesce(_person.c.external_id, "(unknown)"),
        "channel": _usage.c.channel,
        "day": _usage.c.day_period,
    }[by]
    query = (
        select(column, *_sums())
        .outerjoin_from(_usage, _person, _person.c.id == _usage.c.person_id)
        .where(*_where(workspace, since, until))
        .group_by(column)
        .order_by(column if by == "day" else func.sum(_usage.c.cost_microusd).desc(), column)
    )
    return [(str(row[0]), _tokens(row[1:])) for row in connection.execute(query).all()]


def of_turn(connection: Connection, workspace: int, turn: int) -> Tokens:
    """What one turn has used."""
    query = select(*_sums()).where(_usage.c.workspace_id == workspace, _usage.c.turn_id == turn)
    return _tokens(connection.execute(query).one())


def _tokens(row: Sequence[int]) -> Tokens:
    calls, prompt, completion, cached, cost, estimated = row
    return Tokens(calls, prompt, completion, cached, cost, estimated)


def _sums() -> list[ColumnElement[int]]:
    estimated = func.sum(_usage.c.cost_microusd).filter(_usage.c.estimated)
    sums = [func.sum(_usage.c[name]) for name in ("prompt_tokens", "completion_tokens", "cached_tokens")]
    return [
        func.count(_usage.c.id),
        # PostgreSQL sums large integers into decimals.
        *(cast(func.coalesce(sum_, 0), BigInteger) for sum_ in (*sums, func.sum(_usage.c.cost_microusd), estimated)),
    ]


def _where(workspace: int, since: date | None, until: date | None) -> list[ColumnElement[bool]]:
    found = [_usage.c.workspace_id == workspace]
    if since is not None:
        found.append(_usage.c.local_date >= since)
    if until is not None:
        found.append(_usage.c.local_date <= until)
    return found
