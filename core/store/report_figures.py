"""The figures of a report: queries over the ledger, over turns, and over what was changed about budgets.

Those that go through many rows of the ledger read the index `ix_usage_report` alone, which holds what they need: the
rows of one workspace lie together there, however many others have.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import BigInteger, ColumnElement, bindparam, cast, func, select

from core.store import budget_tables, tables
from core.store.database import Connection

_usage = tables.Usage.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_change = budget_tables.BudgetChange.__table__  # type: ignore[attr-defined]


def _sum(column: ColumnElement[int], name: str) -> ColumnElement[int]:
    # PostgreSQL sums large integers into decimals.
    return cast(func.coalesce(func.sum(column), 0), BigInteger).label(name)


_CALLS = func.count().filter(_usage.c.corrects.is_(None)).label("calls")  # a correction is no call of its own
_COST = _sum(_usage.c.cost_microusd, "cost")
_ESTIMATED = _sum(_usage.c.estimated_microusd, "estimated")
_IN_SPAN = (
    _usage.c.workspace_id == bindparam("workspace"),
    _usage.c.local_date >= bindparam("first"),
    _usage.c.local_date <= bindparam("last"),
)
_TURN_IN_SPAN = (
    _turn.c.workspace_id == bindparam("workspace"),
    _turn.c.local_date >= bindparam("first"),
    _turn.c.local_date <= bindparam("last"),
)
_PART = (_usage.c.local_date, _usage.c.model, _usage.c.home, _usage.c.price_from, _usage.c.channel)

# Built once: to build a statement costs about as much as to run it.
_ABOUT = (
    select(
        _workspace.c.platform,
        _workspace.c.external_id,
        _workspace.c.name,
        _workspace.c.zone,
        func.coalesce(_setting.c.report_people, False).label("people"),
    )
    .outerjoin_from(_workspace, _setting, _setting.c.workspace_id == _workspace.c.id)
    .where(_workspace.c.id == bindparam("workspace"))
)
_FIRST_DAY = (
    select(_usage.c.local_date)
    .where(_usage.c.workspace_id == bindparam("workspace"))
    .order_by(_usage.c.local_date)
    .limit(1)
)
_PARTS = (
    select(
        *_PART,
        _CALLS,
        _sum(_usage.c.prompt_tokens, "prompt_tokens"),
        _sum(_usage.c.completion_tokens, "completion_tokens"),
        _sum(_usage.c.cached_tokens, "cached_tokens"),
        _COST,
        _ESTIMATED,
    )
    .where(*_IN_SPAN)
    .group_by(*_PART)
    .order_by(*_PART)
)
_DAYS = (
    select(_usage.c.local_date, _usage.c.model, _COST, _ESTIMATED)
    .where(*_IN_SPAN)
    .group_by(_usage.c.local_date, _usage.c.model)
    .order_by(_usage.c.local_date, _usage.c.model)
)
_TURNS = select(func.count(_usage.c.turn_id.distinct())).where(*_IN_SPAN, _usage.c.corrects.is_(None))
_PEOPLE = (
    select(
        _usage.c.person_id,
        func.max(_person.c.name).label("name"),
        func.max(_person.c.external_id).label("external_id"),
        _COST,
    )
    .outerjoin_from(_usage, _person, _person.c.id == _usage.c.person_id)
    .where(*_IN_SPAN)
    .group_by(_usage.c.person_id)
)
_SPOKE = (*_IN_SPAN, _usage.c.corrects.is_(None), _usage.c.first_text_ms.is_not(None))
_HOW_MANY_SPOKE = select(func.count()).select_from(_usage).where(*_SPOKE)
_IN_THE_MIDDLE = (
    select(_usage.c.first_text_ms)
    .where(*_SPOKE)
    .order_by(_usage.c.first_text_ms)
    .offset(bindparam("middle", type_=BigInteger))
    .limit(1)
)
_OUTCOMES = (
    select(_turn.c.state, _turn.c.refused_by, _turn.c.saved_by, func.count().label("turns"))
    .where(*_TURN_IN_SPAN)
    .group_by(_turn.c.local_date, _turn.c.state, _turn.c.refused_by, _turn.c.saved_by)  # as the index has them
)
_CORRECTIONS = (
    select(func.count().label("rows"), _COST)
    .select_from(_usage)
    .where(
        _usage.c.workspace_id == bindparam("workspace"),
        _usage.c.corrects.is_not(None),
        _usage.c.at >= bindparam("since", type_=_usage.c.at.type),
        _usage.c.at < bindparam("until", type_=_usage.c.at.type),
        _usage.c.local_date < bindparam("first"),
    )
)
_TOP_UP = (  # one press can raise several limits at once: the money is counted once
    select(func.max(_change.c.after_microusd - _change.c.before_microusd).label("extra"))
    .where(
        _change.c.workspace_id == bindparam("workspace"),
        _change.c.what == "top_up",
        _change.c.local_date >= bindparam("first"),
        _change.c.local_date <= bindparam("last"),
    )
    .group_by(_change.c.at, _change.c.changed_by)
    .subquery()
)
_TOPPED_UP = select(_sum(_TOP_UP.c.extra, "extra"))
_PERIODS = (
    select(_budget.c.period, _budget.c.starts_at, _budget.c.resets_at)
    .where(
        _budget.c.place == bindparam("its_place"),
        _budget.c.kind == "day",
        _budget.c.period >= bindparam("first"),
        _budget.c.period <= bindparam("last"),
    )
    .order_by(_budget.c.period)
)


@dataclass(frozen=True, slots=True)
class About:
    """Whose report it is. `zone` None: it has told none. `people`: single ones may be named in it."""

    workspace: str
    name: str | None
    zone: str | None
    people: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Sums over the rows of one day that have all this in common; costs in micro-dollars."""

    day: date
    model: str
    home: str
    price_from: date | None
    channel: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cost: int
    estimated: int


@dataclass(frozen=True, slots=True)
class ModelDay:
    """What a model cost on a day, and how much of that is still a guess."""

    day: date
    model: str
    cost: int
    estimated: int


@dataclass(frozen=True, slots=True)
class PersonCost:
    """`external_id` None: nobody who is known any more."""

    name: str | None
    external_id: str | None
    cost: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many turns of a day ended in the same way, refused by the same limit, made cheaper by the same means."""

    state: str
    refused_by: str | None
    saved_by: str | None
    turns: int


@dataclass(frozen=True, slots=True)
class DayPeriod:
    """A local day as the workspace's budgets had it."""

    name: str
    starts_at: datetime
    resets_at: datetime


def about(connection: Connection, workspace: int) -> About:
    """Raises NoResultFound for a number that no workspace has."""
    row = connection.execute(_ABOUT, {"workspace": workspace}).one()
    return About(f"{row.platform}:{row.external_id}", row.name, row.zone, bool(row.people))


def first_day(connection: Connection, workspace: int) -> date | None:
    """The local date of the workspace's first call; None: there was none."""
    found: date | None = connection.execute(_FIRST_DAY, {"workspace": workspace}).scalar()
    return found


def parts(connection: Connection, workspace: int, first: date, last: date) -> list[Part]:
    """The cost and tokens of some days, in their smallest parts; days in order."""
    found = connection.execute(_PARTS, {"workspace": workspace, "first": first, "last": last})
    return [Part(*row) for row in found]


def days(connection: Connection, workspace: int, first: date, last: date) -> list[ModelDay]:
    """The cost of some days by model, days in order."""
    found = connection.execute(_DAYS, {"workspace": workspace, "first": first, "last": last})
    return [ModelDay(*row) for row in found]


def turns(connection: Connection, workspace: int, first: date, last: date) -> int:
    """How many turns called a model."""
    return int(connection.execute(_TURNS, {"workspace": workspace, "first": first, "last": last}).scalar_one())


def people(connection: Connection, workspace: int, first: date, last: date) -> list[PersonCost]:
    """What people used."""
    found = connection.execute(_PEOPLE, {"workspace": workspace, "first": first, "last": last})
    return [PersonCost(row.name, row.external_id, row.cost) for row in found]


def median_first_text_ms(connection: Connection, workspace: int, first: date, last: date) -> int | None:
    """After how many milliseconds half of the calls had text; of two in the middle, the quicker. None: none had."""
    values = {"workspace": workspace, "first": first, "last": last}
    spoke = int(connection.execute(_HOW_MANY_SPOKE, values).scalar_one())
    if not spoke:
        return None
    return int(connection.execute(_IN_THE_MIDDLE, {**values, "middle": (spoke - 1) // 2}).scalar_one())


def outcomes(connection: Connection, workspace: int, first: date, last: date) -> list[Outcome]:
    """How the turns of some days ended."""
    found = connection.execute(_OUTCOMES, {"workspace": workspace, "first": first, "last": last})
    return [Outcome(*row) for row in found]


def corrections(
    connection: Connection, workspace: int, since: datetime, until: datetime, before: date
) -> tuple[int, int]:
    """How many corrections of days before a date were made from `since` until `until`, and their sum."""
    values = {"workspace": workspace, "since": since, "until": until, "first": before}
    row = connection.execute(_CORRECTIONS, values).one()
    return int(row.rows), int(row.cost)


def topped_up(connection: Connection, workspace: int, first: date, last: date) -> int:
    """By how much limits were raised for single periods, in micro-dollars."""
    return int(connection.execute(_TOPPED_UP, {"workspace": workspace, "first": first, "last": last}).scalar_one())


def day_periods(connection: Connection, place: str, first: date, last: date) -> list[DayPeriod]:
    """The days of a place's budgets that were made, in order."""
    values = {"its_place": place, "first": first.isoformat(), "last": last.isoformat()}
    return [DayPeriod(*row) for row in connection.execute(_PERIODS, values)]
