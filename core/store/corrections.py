"""Corrections: what a row of the ledger was wrong about, as one more row. None is ever changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, cast, func, select

from core.budgets import periods as calendar
from core.budgets.terms import Terms
from core.messages import Tokens
from core.store import budgets, ledger, tables
from core.store.budgets import Settled, Spender
from core.store.database import Connection
from core.store.ledger import Call, Periods

_usage = tables.Usage.__table__  # type: ignore[attr-defined]


def correct(
    connection: Connection, workspace: int | None, usage: int, cost: int, terms: Terms, now: datetime
) -> tuple[int, Settled] | None:
    """Puts a call's cost right by one more row; returns what it cost before, None where there is no such call.

    `workspace`: whose call it must be; None: anybody's, for those who run the installation.
    """
    query = select(_usage).where(_usage.c.id == usage, _usage.c.corrects.is_(None)).with_for_update()
    if workspace is not None:
        query = query.where(_usage.c.workspace_id == workspace)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    before, estimated = connection.execute(_sums_of(row)).one()
    spender = Spender(row.workspace_id, row.channel, row.person_id)
    tokens = Tokens(0, 0, 0, 0, cost - before, -estimated)
    return int(before), _record_correction(connection, spender, row, tokens, "corrected", now, terms)


def late(connection: Connection, spender: Spender, call: Call, terms: Terms) -> Settled | None:
    """What a call that was charged has really used."""
    query = select(_usage).where(_usage.c.reservation_id == call.reservation, _usage.c.corrects.is_(None))
    row = connection.execute(query.with_for_update()).one_or_none()  # as `correct` does: one after the other
    if row is None:
        return None
    before, estimated = connection.execute(_sums_of(row)).one()
    told = call.tokens
    if not estimated:  # somebody has put it right already
        return None
    tokens = Tokens(
        0,
        told.prompt_tokens - row.prompt_tokens,
        told.completion_tokens - row.completion_tokens,
        told.cached_tokens - row.cached_tokens,
        told.cost_microusd - before,
        -estimated,
    )
    return _record_correction(connection, spender, row, tokens, call.outcome, call.at, terms)


def _sums_of(row: Any) -> Any:
    """Cost and estimated part of a call, with what has corrected it, which is of the same turn."""
    mine = (_usage.c.id == row.id) | (_usage.c.corrects == row.id)
    sums = [
        cast(func.coalesce(func.sum(column), 0), BigInteger)
        for column in (_usage.c.cost_microusd, _usage.c.estimated_microusd)
    ]
    return select(*sums).where(_usage.c.turn_id == row.turn_id, mine)


def _record_correction(
    connection: Connection, spender: Spender, row: Any, tokens: Tokens, outcome: str, at: datetime, terms: Terms
) -> Settled:
    there = row.at.astimezone(ZoneInfo(terms.timezone)).date()  # of calls before there were budgets nobody noted it
    periods = Periods(
        row.local_date,
        row.day_period,
        row.month_period,
        row.installation_day or calendar.name_of("day", there),
        row.installation_month or calendar.name_of("month", there),
    )
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
        tokens=tokens,
        estimated=False,
        periods=periods,
        first_text_ms=None,
        total_ms=0,
        outcome=outcome,
        correlation_id=None,
        at=at,
        reservation=row.reservation_id,
        corrects=row.id,
    )
    ledger.record(connection, call)
    rows = budgets.move(connection, spender, periods, terms, less=0, cost=tokens.cost_microusd)
    return Settled(rows, tokens.cost_microusd)
