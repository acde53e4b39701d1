"""What a workspace has chosen about its reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, bindparam, func, select

from core.reports.report import KINDS, Kind
from core.store import budget_tables, tables
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class ReportSettings:
    """None: as the installation's settings say. `kinds`: none at all where reports are off."""

    zone: str | None = None
    hour: int | None = None
    channel: str | None = None
    kinds: tuple[Kind, ...] = ("daily",)
    weekdays_only: bool = False
    zero_days: bool = False
    people: bool = False
    muted_until: datetime | None = None


KINDS_CHOSEN: ColumnElement[str] = func.coalesce(_setting.c.report_kinds, "daily")
COLUMNS: tuple[ColumnElement[Any], ...] = (
    _workspace.c.zone,
    _setting.c.report_hour,
    _setting.c.report_channel,
    KINDS_CHOSEN.label("report_kinds"),
    func.coalesce(_setting.c.report_weekdays_only, False).label("report_weekdays_only"),
    func.coalesce(_setting.c.report_zero_days, False).label("report_zero_days"),
    func.coalesce(_setting.c.report_people, False).label("report_people"),
    _setting.c.report_muted_until,
)
SOURCE = _workspace.outerjoin(_setting, _setting.c.workspace_id == _workspace.c.id)
_OF = select(*COLUMNS).select_from(SOURCE).where(_workspace.c.id == bindparam("workspace"))


def of(connection: Connection, workspace: int | None, *, lock: bool = False) -> ReportSettings:
    """What a workspace has chosen; one that is not stored has chosen nothing. `lock`: nobody else chooses meanwhile."""
    if lock:
        connection.execute(select(_workspace.c.id).where(_workspace.c.id == workspace).with_for_update())
    row = connection.execute(_OF, {"workspace": workspace or 0}).first()
    return ReportSettings() if row is None else read(row)


def read(row: Any) -> ReportSettings:
    """From a row that has these COLUMNS."""
    named = tuple(cast("Kind", kind) for kind in row.report_kinds.split(",") if kind in KINDS)
    return ReportSettings(
        row.zone,
        row.report_hour,
        row.report_channel,
        named,
        bool(row.report_weekdays_only),
        bool(row.report_zero_days),
        bool(row.report_people),
        row.report_muted_until,
    )
