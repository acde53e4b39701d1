"""Limits as they were set, who changed them, and the budgets of places as they stand, also before their first use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert, select, update

from core.budgets.periods import KINDS, Kind, Period
from core.budgets.terms import Terms
from core.store import budget_tables, budgets, spending
from core.store.budgets import INSTALLATION, Room
from core.store.database import Connection

Default = Literal["default"]
DEFAULT: Default = "default"  # in place of a limit: what the settings say
TOGETHER = 500  # places that are asked for at once: databases take a limited number of values
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_limit = budget_tables.BudgetLimit.__table__  # type: ignore[attr-defined]
_change = budget_tables.BudgetChange.__table__  # type: ignore[attr-defined]
_epoch = budget_tables.BudgetEpoch.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a place is: `workspace` by our own number, None for the installation; `zone`: where its days begin."""

    workspace: int | None
    zone: ZoneInfo


def limit_of(connection: Connection, place: str, kind: Kind, terms: Terms) -> int | None:
    """The limit that holds for a place, without top-ups, in micro-dollars; None: none."""
    row = _find(connection, place, kind)
    return terms.default(scope_of(place), kind) if row is None else row.limit_microusd


def set_limit(
    connection: Connection,
    *,
    workspace: int | None,
    place: str,
    kind: Kind,
    limit: int | Default | None,
    by: int | None,
    terms: Terms,
    now: datetime,
    local_date: date,
) -> tuple[int | None, int | None]:
    """Sets a limit, None being none, or takes it back to the settings' own; returns (before, after), and records that.

    `by`: our own number of the person, None on the command line.
    """
    row = _find(connection, place, kind, lock=True)
    default = terms.default(scope_of(place), kind)
    before = default if row is None else row.limit_microusd
    here = (_limit.c.place == place, _limit.c.kind == kind)
    if limit == DEFAULT:
        connection.execute(delete(_limit).where(*here))
    elif row is None:
        values = {"workspace_id": workspace, "place": place, "kind": kind}
        connection.execute(insert(_limit).values(**values, limit_microusd=limit, set_by=by, set_at=now))
    else:
        connection.execute(update(_limit).where(*here).values(limit_microusd=limit, set_by=by, set_at=now))
    after = default if limit == DEFAULT else limit
    what = "default" if limit == DEFAULT else "limit"
    _record(connection, workspace, place, kind, what, before, after, by=by, now=now, local_date=local_date)
    return before, after


def top_up(
    connection: Connection,
    *,
    workspace: int | None,
    place: str,
    kind: str,
    period: str,
    extra: int,
    by: int | None,
    now: datetime,
    local_date: date,
) -> None:
    """Adds to what may be spent in one period alone; recorded as what was added to it before and after.

    The period's row must be there, as it is for every period in which something was refused. Raises LookupError.
    """
    changed = (
        update(_budget)
        .where(_budget.c.place == place, _budget.c.kind == kind, _budget.c.period == period)
        .values(extra_microusd=_budget.c.extra_microusd + extra)
        .returning(_budget.c.extra_microusd)
    )
    after = connection.execute(changed).scalar()
    if after is None:
        raise LookupError(f"there is no budget of {place} for {period}")
    _record(connection, workspace, place, kind, "top_up", after - extra, after, by=by, now=now, local_date=local_date)


def places_set(connection: Connection, workspaces: Iterable[int]) -> list[tuple[int, str]]:
    """The channels and people for whom somebody set a limit: (workspace, place), each once, in order."""
    found: list[tuple[int, str]] = []
    wanted = list(workspaces)
    for begin in range(0, len(wanted), TOGETHER):
        query = (
            select(_limit.c.workspace_id, _limit.c.place)
            .where(_limit.c.workspace_id.in_(wanted[begin : begin + TOGETHER]), ~_limit.c.place.like("workspace:%"))
            .distinct()
            .order_by(_limit.c.workspace_id, _limit.c.place)
        )
        found += [(int(row.workspace_id), str(row.place)) for row in connection.execute(query)]
    return found


def standing(
    connection: Connection, places: Sequence[tuple[str, Owner]], terms: Terms, now: datetime
) -> list[tuple[Room, Room]]:
    """Day and month of each place as they stand now. Nothing is made: a period without a row has number 0."""
    names = list(dict.fromkeys(name for place, owner in places for name in (place, _leader(owner))))
    found: dict[tuple[str, Kind], Room] = {}
    for begin in range(0, len(names), TOGETHER):
        found |= budgets.look(connection, names[begin : begin + TOGETHER], terms, now)
    rooms = []
    for place, owner in places:
        day, month = (_room(connection, place, owner, kind, found, terms, now) for kind in KINDS)
        rooms.append((day, month))
    return rooms


def scope_of(place: str) -> str:
    """installation, workspace, channel or person."""
    return place.partition(":")[0]


def _room(
    connection: Connection,
    place: str,
    owner: Owner,
    kind: Kind,
    found: dict[tuple[str, Kind], Room],
    terms: Terms,
    now: datetime,
) -> Room:
    if (room := found.get((place, kind))) is not None:
        return room
    leader = _leader(owner)
    if (leading := found.get((leader, kind))) is None:
        leading = found[leader, kind] = _unmade(connection, leader, kind, owner, terms, now)
    if leader == place:
        return leading
    period = Period(kind, leading.period, leading.starts_at, leading.resets_at)
    return _as_spent(connection, place, owner, period, terms)


def _unmade(connection: Connection, place: str, kind: Kind, owner: Owner, terms: Terms, now: datetime) -> Room:
    """The row that the next call would make."""
    query = select(_budget).where(_budget.c.place == place, _budget.c.kind == kind)
    row = connection.execute(query.order_by(_budget.c.starts_at.desc()).limit(1)).first()
    newest = None if row is None else Period(kind, row.period, row.starts_at, row.resets_at)
    period = budgets.upcoming(kind, newest, now, owner.zone)
    if row is not None and newest is not None and newest.name == period.name:  # it goes on where the calendar does not
        room = _as_spent(connection, place, owner, period, terms)
        limit = None if room.limit is None else room.limit + row.extra_microusd
        return Room(row.id, place, kind, period.name, limit, row.spent_microusd, row.reserved_microusd, *_span(period))
    return _as_spent(connection, place, owner, period, terms)


def _as_spent(connection: Connection, place: str, owner: Owner, period: Period, terms: Terms) -> Room:
    """A period without a row: no call was held in it, so nothing was spent but what came before there were holds."""
    since: datetime | None = connection.execute(select(_epoch.c.at)).scalar()
    before_holds = since is None or period.starts_at < since
    spent = spending.of_period(connection, place, owner.workspace, period) if before_holds else 0
    limit = limit_of(connection, place, period.kind, terms)
    return Room(0, place, period.kind, period.name, limit, spent, 0, *_span(period))


def _span(period: Period) -> tuple[datetime, datetime]:
    return period.starts_at, period.resets_at


def _leader(owner: Owner) -> str:
    """Where the periods come from: all places of a workspace have the workspace's."""
    return INSTALLATION if owner.workspace is None else budgets.workspace_place(owner.workspace)


def _find(connection: Connection, place: str, kind: Kind, *, lock: bool = False) -> Any:
    query = select(_limit).where(_limit.c.place == place, _limit.c.kind == kind)
    return connection.execute(query.with_for_update() if lock else query).one_or_none()


def _record(
    connection: Connection,
    workspace: int | None,
    place: str,
    kind: str,
    what: str,
    before: int | None,
    after: int | None,
    *,
    by: int | None,
    now: datetime,
    local_date: date,
) -> None:
    values = {"workspace_id": workspace, "place": place, "kind": kind, "what": what, "changed_by": by, "at": now}
    connection.execute(
        insert(_change).values(**values, before_microusd=before, after_microusd=after, local_date=local_date)
    )
