"""The tables of reports: what is due, and what became of each."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field

from core.store.columns import BigInt, Json, Table, moment


class ReportSchedule(Table, table=True):
    """When the next report of a kind (daily, weekly, monthly) is due. `next_date`: the last local day it is about."""

    __tablename__ = "report_schedule"
    __table_args__ = (Index("ix_report_schedule_due", "next_at"),)
    workspace_id: int = Field(foreign_key="workspace.id", primary_key=True, sa_type=BigInt)
    kind: str = Field(primary_key=True)
    next_date: date
    next_at: datetime = moment()


class ReportRun(Table, table=True):
    """A report, claimed by its key. `figures`: frozen before it is posted. `claimed_until`: a process is at it.

    `missed`: reports before it that were never made. `outcome`: None (still to be made), made (frozen, and announced),
    posted, silent (nothing to say), skipped (muted) or failed (`failure` says why).
    """

    __tablename__ = "report_run"
    __table_args__ = (Index("ix_report_run_open", "ended_at", "claimed_until"),)
    workspace_id: int = Field(foreign_key="workspace.id", primary_key=True, sa_type=BigInt)
    kind: str = Field(primary_key=True)
    local_date: date = Field(primary_key=True)
    claimed_at: datetime = moment()
    claimed_until: datetime | None = moment(optional=True)
    tries: int = 0
    missed: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    figures: dict[str, Any] | None = Field(default=None, sa_type=Json)
    place: str | None = None
    platform_id: str | None = None
    outcome: str | None = None
    failure: str | None = None
    posted_at: datetime | None = moment(optional=True)
    ended_at: datetime | None = moment(optional=True)
