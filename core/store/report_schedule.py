"""When the next report of each kind is due, in each workspace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from sqlalchemy import and_, bindparam, delete, exists, insert, or_, select, update

from core.messages import WorkspaceKey
from core.reports.report import KINDS, Kind
from core.store import report_settings, report_tables, tables
from core.store.database import Connection
from core.store.report_settings import KINDS_CHOSEN, ReportSettings

_schedule = report_tables.ReportSchedule.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]

# Built once: to build a statement costs about as much as to run it.
_ONE = and_(_schedule.c.workspace_id == bindparam("its_workspace"), _schedule.c.kind == bindparam("its_kind"))
_MOVE = update(_schedule).where(_ONE)
_DROP = delete(_schedule).where(_ONE)
_PLATFORMS = _workspace.c.platform.in_(bindparam("platforms", expanding=True))


def _lacks(kind: Kind) -> object:
    row = exists().where(_schedule.c.workspace_id == _workspace.c.id, _schedule.c.kind == kind)
    return and_(KINDS_CHOSEN.contains(kind), ~row)


_NEW = (
    select(_workspace.c.id, _workspace.c.platform, _workspace.c.external_id, *report_settings.COLUMNS)
    .select_from(report_settings.SOURCE)
    .where(_PLATFORMS, or_(*(_lacks(kind) for kind in KINDS)))  # type: ignore[arg-type]
    .order_by(_workspace.c.id)
    .limit(bindparam("most"))
)
_DUE = (
    select(_schedule.c.workspace_id, _schedule.c.kind, _schedule.c.next_date, _workspace.c.platform)
    .add_columns(_workspace.c.external_id, *report_settings.COLUMNS)
    .select_from(report_settings.SOURCE.join(_schedule, _schedule.c.workspace_id == _workspace.c.id))
    .where(_schedule.c.next_at <= bindparam("now", type_=_schedule.c.next_at.type), _PLATFORMS)
    .order_by(_schedule.c.next_at)
    .limit(bindparam("most"))
    .with_for_update(of=_schedule, skip_locked=True)  # other processes take the next ones
)


@dataclass(frozen=True, slots=True)
class Whose:
    """A workspace and what it has chosen about reports."""

    workspace: int
    key: WorkspaceKey
    chosen: ReportSettings


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be looked at: perhaps due, perhaps only due by what held before. `date`: the last it is about."""

    whose: Whose
    kind: Kind
    date: date


@dataclass(frozen=True, slots=True)
class Next:
    """The next report of a kind: about what, and when."""

    workspace: int
    kind: Kind
    date: date
    at: datetime


def new(connection: Connection, platforms: Sequence[str], most: int) -> list[Whose]:
    """Workspaces that want a kind of report for which nothing is scheduled."""
    found = connection.execute(_NEW, {"platforms": list(platforms), "most": most})
    return [Whose(row.id, WorkspaceKey(row.platform, row.external_id), report_settings.read(row)) for row in found]


def kinds_of(connection: Connection, workspace: int) -> frozenset[str]:
    """The kinds that are scheduled for a workspace, whose row stays locked until the transaction ends."""
    connection.execute(select(_workspace.c.id).where(_workspace.c.id == workspace).with_for_update(key_share=True))
    query = select(_schedule.c.kind).where(_schedule.c.workspace_id == workspace)
    return frozenset(connection.execute(query).scalars())


def add(connection: Connection, rows: Sequence[Next]) -> None:
    """Schedules what was not scheduled."""
    if rows:
        values = [
            {"workspace_id": row.workspace, "kind": row.kind, "next_date": row.date, "next_at": row.at} for row in rows
        ]
        connection.execute(insert(_schedule), values)


def due(connection: Connection, platforms: Sequence[str], now: datetime, most: int) -> list[Due]:
    """Those whose time has come, earliest first; nobody else gets them until the transaction ends."""
    found = connection.execute(_DUE, {"platforms": list(platforms), "now": now, "most": most})
    return [
        Due(
            Whose(row.workspace_id, WorkspaceKey(row.platform, row.external_id), report_settings.read(row)),
            cast("Kind", row.kind),
            row.next_date,
        )
        for row in found
    ]


def move(connection: Connection, rows: Sequence[Next]) -> None:
    """Sets what comes next."""
    if rows:
        values = [
            {"its_workspace": row.workspace, "its_kind": row.kind, "next_date": row.date, "next_at": row.at}
            for row in rows
        ]
        connection.execute(_MOVE, values)


def drop(connection: Connection, rows: Sequence[Due]) -> None:
    """Forgets kinds that are wanted no longer."""
    if rows:
        values = [{"its_workspace": row.whose.workspace, "its_kind": row.kind} for row in rows]
        connection.execute(_DROP, values)


def look_again(connection: Connection, now: datetime, workspace: int | None = None) -> None:
    """Has the times of a workspace, or of all, reckoned anew: its hour, zone or kinds may have changed."""
    which = _schedule.c.next_at > now
    chosen = which if workspace is None else and_(which, _schedule.c.workspace_id == workspace)
    connection.execute(update(_schedule).where(chosen).values(next_at=now))
