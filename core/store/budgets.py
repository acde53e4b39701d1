"""Budgets as rows: one for each place and period, made on first use. Nothing is ever reset.

A call counts in eight of them: day and month of the person, the channel, the workspace and the installation, limited or
not. They are always taken in this order, the hottest last, so that transactions wait for each other and never deadlock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, and_, bindparam, cast, func, insert, or_, select, update

from core.budgets import periods
from core.budgets.periods import KINDS, Kind, Period
from core.budgets.terms import Terms
from core.store import budget_tables, tables
from core.store.database import Connection
from core.store.ledger import Periods
from core.store.prepared import Prepared

INSTALLATION = "installation"
_SCOPES = ("person", "channel", "workspace", "installation")  # in the order in which they are locked
NO_LIMIT = 2**62
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_limit = budget_tables.BudgetLimit.__table__  # type: ignore[attr-defined]
_epoch = budget_tables.BudgetEpoch.__table__  # type: ignore[attr-defined]
_usage = tables.Usage.__table__  # type: ignore[attr-defined]

_LIMITED = _budget.outerjoin(_limit, and_(_limit.c.place == _budget.c.place, _limit.c.kind == _budget.c.kind))
_COLUMNS = (  # what `_room` reads, in this order
    *(_budget.c[name] for name in ("id", "place", "kind", "period", "spent_microusd", "reserved_microusd")),
    *(_budget.c[name] for name in ("starts_at", "resets_at", "extra_microusd")),
    _limit.c.place,
    _limit.c.limit_microusd,
)
_CURRENT = (
    select(*_COLUMNS)
    .select_from(_LIMITED)
    .where(_budget.c.place.in_(bindparam("places", expanding=True)), _budget.c.resets_at > bindparam("now"))
    .order_by(_budget.c.starts_at)
)
_OF_CALL = Prepared(
    select(*_COLUMNS)
    .select_from(_LIMITED)
    .where(_budget.c.place.in_([bindparam(scope) for scope in _SCOPES]), _budget.c.resets_at > bindparam("now"))
    .order_by(_budget.c.starts_at)
)
_NAMED = (
    select(*_COLUMNS)
    .select_from(_LIMITED)
    .where(
        _budget.c.place.in_(bindparam("places", expanding=True)),
        _budget.c.period.in_(bindparam("periods", expanding=True)),
    )
)
_HELD_IN = Prepared(
    select(*_COLUMNS)
    .select_from(_LIMITED)
    .where(
        or_(
            and_(
                _budget.c.place.in_([bindparam(scope) for scope in _SCOPES[:-1]]),
                _budget.c.period.in_([bindparam("day"), bindparam("month")]),
            ),
            and_(
                _budget.c.place == bindparam(INSTALLATION),
                _budget.c.period.in_([bindparam("installation_day"), bindparam("installation_month")]),
            ),
        )
    )
)
_NEWEST = (
    select(_budget)
    .where(_budget.c.place == bindparam("its_place"), _budget.c.kind == bindparam("its_kind"))
    .order_by(_budget.c.starts_at.desc())
    .limit(1)
)
_MAKE = insert(_budget)
_MOVE = Prepared(
    update(_budget)
    .where(
        _budget.c.place == bindparam("its_place"),
        _budget.c.kind == bindparam("its_kind"),
        _budget.c.period == bindparam("its_period"),
    )
    .values(
        reserved_microusd=_budget.c.reserved_microusd - bindparam("less", type_=BigInteger),
        spent_microusd=_budget.c.spent_microusd + bindparam("cost", type_=BigInteger),
    )
)


@dataclass(frozen=True, slots=True)
class Spender:
    """For whom a call is made, by our own numbers. `zone`: the workspace's, None: it has told none."""

    workspace: int
    channel: str
    person: int
    zone: str | None = None

    def places(self) -> tuple[str, ...]:
        """Where the call counts, in the order in which the rows are locked."""
        return (
            person_place(self.workspace, self.person),
            channel_place(self.workspace, self.channel),
            workspace_place(self.workspace),
            INSTALLATION,
        )


@dataclass(frozen=True, slots=True)
class Room:
    """How much there is of one limit in its present period. `limit` None: none; with what was added to it."""

    number: int
    place: str
    kind: Kind
    period: str
    limit: int | None
    spent: int
    reserved: int
    starts_at: datetime
    resets_at: datetime

    @property
    def scope(self) -> str:
        """installation, workspace, channel or person."""
        return self.place.partition(":")[0]

    @property
    def left(self) -> int:
        """What can still be held."""
        return (NO_LIMIT if self.limit is None else self.limit) - self.spent - self.reserved

    @property
    def left_without_holds(self) -> int:
        """What could be held if nothing else were under way."""
        return (NO_LIMIT if self.limit is None else self.limit) - self.spent


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a hold. `rows`: the limits that it counted in, before; `cost`: what was added to them now.

    `above`: by how much it cost more than its bound.
    """

    rows: tuple[Room, ...]
    cost: int
    above: int = 0


def workspace_place(workspace: int) -> str:
    return f"workspace:{workspace}"


def channel_place(workspace: int, channel: str) -> str:
    return f"channel:{workspace}:{channel}"


def person_place(workspace: int, person: int) -> str:
    return f"person:{workspace}:{person}"


def rooms(connection: Connection, spender: Spender, terms: Terms, now: datetime) -> tuple[Room, ...]:
    """The eight rows in which a call counts now, in the order in which they are locked; made where there are none."""
    places = spender.places()
    call = {**dict(zip(_SCOPES, places, strict=True)), "now": now}
    found = _first(_OF_CALL.rows(connection, call), terms)
    if len(found) < len(places) * len(KINDS):
        _make_missing(connection, spender, found, terms, now)
        found = _first(_OF_CALL.rows(connection, call), terms)
    return tuple(found[place, kind] for place in places for kind in KINDS)


def look(connection: Connection, places: Sequence[str], terms: Terms, now: datetime) -> dict[tuple[str, Kind], Room]:
    """The present rows of some places, as far as there are any."""
    return _first(connection.execute(_CURRENT, {"places": list(places), "now": now}), terms)


def named(connection: Connection, places: Sequence[str], names: Sequence[str], terms: Terms) -> list[Room]:
    """The rows of some places in the periods of these names, in the order in which they are locked."""
    found = connection.execute(_NAMED, {"places": list(places), "periods": list(names)}).all()
    return _in_order((_room(row, terms) for row in found), places)


def move(
    connection: Connection, spender: Spender, periods: Periods, terms: Terms, *, less: int, cost: int
) -> tuple[Room, ...]:
    """Gives back what was held and adds what was spent; returns the rows as they were right before that."""
    if not less and not cost:
        return ()
    mine: dict[Kind, str] = {"day": periods.day, "month": periods.month}
    installations: dict[Kind, str] = {"day": periods.installation_day, "month": periods.installation_month}
    places = spender.places()
    counted = {place: installations if place == INSTALLATION else mine for place in places}
    moved: list[dict[str, str | int]] = [
        {"its_place": place, "its_kind": kind, "its_period": counted[place][kind], "less": less, "cost": cost}
        for place in places
        for kind in KINDS
    ]
    _MOVE.run_each(connection, moved)
    # Read only now, while they are locked: of two who settle at once each sees what the other has added before it.
    call = {
        **dict(zip(_SCOPES, places, strict=True)),
        "day": periods.day,
        "month": periods.month,
        "installation_day": periods.installation_day,
        "installation_month": periods.installation_month,
    }
    after = _in_order((_room(row, terms) for row in _HELD_IN.rows(connection, call)), places)
    return tuple(replace(room, spent=room.spent - cost, reserved=room.reserved + less) for room in after)


def upcoming(kind: Kind, newest: Period | None, now: datetime, zone: ZoneInfo) -> Period:
    """The period of `now`, after the newest that was made."""
    if newest is None:
        return periods.current(kind, now, zone)
    return newest if newest.resets_at > now else periods.following(newest, now, zone)


def _first(rows: Iterable[Any], terms: Terms) -> dict[tuple[str, Kind], Room]:
    found: dict[tuple[str, Kind], Room] = {}
    for row in rows:
        # The oldest that has not ended: a process whose clock is ahead may have begun the next one.
        room = _room(row, terms)
        found.setdefault((room.place, room.kind), room)
    return found


def _in_order(rows: Iterable[Room], places: Sequence[str]) -> list[Room]:
    return sorted(rows, key=lambda room: (places.index(room.place), room.kind))


def _room(row: Any, terms: Terms) -> Room:
    number, place, kind, period, spent, reserved, starts_at, resets_at, extra, set_for, limit = row
    if set_for is None:
        limit = terms.default(place.partition(":")[0], kind)
    if limit is not None:
        limit += extra
    return Room(number, place, kind, period, limit, spent, reserved, starts_at, resets_at)


def _make_missing(
    connection: Connection, spender: Spender, found: dict[tuple[str, Kind], Room], terms: Terms, now: datetime
) -> None:
    """Makes the rows that are missing; whoever loses a race for one is run anew and finds it."""
    since: datetime | None = connection.execute(select(_epoch.c.at)).scalar()
    for place in spender.places():
        whose = INSTALLATION if place == INSTALLATION else workspace_place(spender.workspace)
        zone = ZoneInfo(terms.timezone if place == INSTALLATION else spender.zone or terms.timezone)
        for kind in KINDS:
            if (place, kind) in found:
                continue
            if (leading := found.get((whose, kind))) is not None:  # all rows of a workspace have its periods
                period = Period(kind, leading.period, leading.starts_at, leading.resets_at)
            else:
                period = _period(connection, whose, kind, now, zone)
            values = {
                "workspace_id": None if place == INSTALLATION else spender.workspace,
                "place": place,
                "kind": kind,
                "period": period.name,
                "starts_at": period.starts_at,
                "resets_at": period.resets_at,
                "extra_microusd": 0,
                "reserved_microusd": 0,
                "spent_microusd": 0,
            }
            if since is None or period.starts_at < since:
                values["spent_microusd"] = _spent_before(connection, place, spender, period)
            if not _exists(connection, place, kind, period.name):
                connection.execute(_MAKE, values)


def _period(connection: Connection, place: str, kind: Kind, now: datetime, zone: ZoneInfo) -> Period:
    """The period that is to be made; the newest one goes on where the calendar does not."""
    row = connection.execute(_NEWEST, {"its_place": place, "its_kind": kind}).first()
    newest = None if row is None else Period(kind, row.period, row.starts_at, row.resets_at)
    period = upcoming(kind, newest, now, zone)
    if row is not None and newest is not None and period.name == newest.name and period != newest:
        same = _budget.c.workspace_id == row.workspace_id if place != INSTALLATION else _budget.c.place == place
        change = update(_budget).where(same, _budget.c.kind == kind, _budget.c.period == newest.name)
        connection.execute(change.values(resets_at=period.resets_at))
    return period


def _exists(connection: Connection, place: str, kind: Kind, period: str) -> bool:
    query = select(_budget.c.id).where(_budget.c.place == place, _budget.c.kind == kind, _budget.c.period == period)
    return connection.execute(query).first() is not None


def _spent_before(connection: Connection, place: str, spender: Spender, period: Period) -> int:
    """What the ledger says of a period that began before calls were held."""
    query = select(cast(func.coalesce(func.sum(_usage.c.cost_microusd), 0), BigInteger))
    if place == INSTALLATION:
        query = query.where(_usage.c.at >= period.starts_at, _usage.c.at < period.resets_at)
        return int(connection.execute(query).scalar_one())
    column = _usage.c.day_period if period.kind == "day" else _usage.c.month_period
    query = query.where(_usage.c.workspace_id == spender.workspace, column == period.name)
    if place.startswith("channel:"):
        query = query.where(_usage.c.channel == spender.channel)
    if place.startswith("person:"):
        query = query.where(_usage.c.person_id == spender.person)
    return int(connection.execute(query).scalar_one())
