"""The tables of budgets: limits, periods, holds, what is told of them. Amounts are integer micro-dollars."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, false, text
from sqlmodel import Field

from core.store.columns import BigInt, Json, Table, key, moment, reference


class BudgetLimit(Table, table=True):
    """A limit that somebody set, in place of the settings' default. `limit_microusd` None: none.

    `place`: "installation", "workspace:12", "channel:12:C1" or "person:12:45", by our own numbers of workspace and
    person. `kind`: day or month.
    """

    __tablename__ = "budget_limit"
    place: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    workspace_id: int | None = reference("workspace.id", optional=True, index=True)
    limit_microusd: int | None = Field(default=None, sa_type=BigInt)
    set_by: int | None = reference("person.id", optional=True)  # None: on the command line
    set_at: datetime = moment()


class Budget(Table, table=True):
    """One period of one place, made on first use: what was spent in it and what is held for calls under way.

    `period`: the local date or month, such as 2026-11-23 or 2026-11. `extra_microusd`: added for this period alone.
    """

    __tablename__ = "budget"
    __table_args__ = (UniqueConstraint("place", "kind", "period"), Index("ix_budget_current", "place", "resets_at"))
    id: int | None = key()
    workspace_id: int | None = reference("workspace.id", optional=True, index=True)
    place: str
    kind: str
    period: str
    starts_at: datetime = moment()
    resets_at: datetime = moment()
    extra_microusd: int = Field(default=0, sa_type=BigInt)
    reserved_microusd: int = Field(default=0, sa_type=BigInt)
    spent_microusd: int = Field(default=0, sa_type=BigInt)


class BudgetChange(Table, table=True):
    """Who changed which limit, when, from what to what (None: no limit). `what`: limit, default or top_up."""

    __tablename__ = "budget_change"
    id: int | None = key()
    workspace_id: int | None = reference("workspace.id", optional=True, index=True)
    place: str
    kind: str
    what: str
    before_microusd: int | None = Field(default=None, sa_type=BigInt)
    after_microusd: int | None = Field(default=None, sa_type=BigInt)
    changed_by: int | None = reference("person.id", optional=True)  # None: on the command line
    local_date: date
    at: datetime = moment()


class Reservation(Table, table=True):
    """What one call may cost at worst, held from before it is made until it is settled.

    `state`: held, settled (by the provider's usage), charged (at the bound, for want of a usage) or voided (surely not
    billed). The four periods are those in which it counts, whatever zones and clocks do afterwards.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        Index(
            "ix_reservation_held",
            "expires_at",
            sqlite_where=text("state = 'held'"),
            postgresql_where=text("state = 'held'"),
        ),
        Index("ix_reservation_turn", "turn_id"),
    )
    id: int | None = key()
    workspace_id: int = reference("workspace.id")
    conversation_id: int = reference("conversation.id")
    turn_id: int = reference("turn.id")
    person_id: int = reference("person.id")
    channel: str
    attempt: int
    home: str
    model: str
    price_from: date | None = None
    prompt_tokens: int  # at most
    max_tokens: int
    bound_microusd: int = Field(sa_type=BigInt)
    state: str = "held"
    local_date: date
    day_period: str
    month_period: str
    installation_day: str
    installation_month: str
    at: datetime = moment()
    expires_at: datetime = moment()
    ended_at: datetime | None = moment(optional=True)


class BudgetEpoch(Table, table=True):
    """One row: since when calls are held. Periods that had begun by then count what the ledger says of them."""

    __tablename__ = "budget_epoch"
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = moment()


class ModelMargin(Table, table=True):
    """By how much a model's bound is widened since it has cost more than its bound: thousandths, 1000 being none."""

    __tablename__ = "model_margin"
    home: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    per_mille: int
    at: datetime = moment()


class Announcement(Table, table=True):
    """Something that admins are told once, outside of any turn: an alert, or somebody's request for more money.

    A row with a `place` is its copy there, and says what became of it in that place.
    `name` tells it from all others, so that it is made once; `notice`: what is said, as of core.messages.Notice;
    `actions`: the buttons below it. Without a workspace it is for those who run the installation. `claimed_until`:
    until then a process is at it; once set, an earlier try may have arrived without our knowing.
    """

    __tablename__ = "announcement"
    __table_args__ = (
        Index(
            "ix_announcement_waiting",
            "created_at",
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )
    id: int | None = key()
    workspace_id: int | None = reference("workspace.id", optional=True, index=True)
    name: str = Field(unique=True)
    kind: str
    notice: dict[str, Any] = Field(sa_type=Json)
    actions: list[dict[str, Any]] = Field(default_factory=list, sa_type=Json)
    created_at: datetime = moment()
    claimed_until: datetime | None = moment(optional=True)
    tries: int = 0
    place: str | None = None
    platform_id: str | None = None
    failure: str | None = None
    ended_at: datetime | None = moment(optional=True)


class AdminControl(Table, table=True):
    """A button for admins, below something that they were told. Its id is not to be guessed; it works once.

    `kind`: top_up, budget, csv or mute; `values`: what it is about. Without a workspace only BISE_ADMINS may press it.
    """

    __tablename__ = "admin_control"
    id: str = Field(primary_key=True)
    workspace_id: int | None = reference("workspace.id", optional=True, index=True)
    kind: str
    values: dict[str, Any] = Field(default_factory=dict, sa_type=Json)
    created_at: datetime = moment()
    used_at: datetime | None = moment(optional=True)
    used_by: int | None = reference("person.id", optional=True)


class WorkspaceSetting(Table, table=True):
    """What a workspace's admins chose for money, reports and secrets. None: as the installation's settings say."""

    __tablename__ = "workspace_setting"
    workspace_id: int | None = Field(
        default=None,
        foreign_key="workspace.id",
        primary_key=True,
        sa_type=BigInt,
        sa_column_kwargs={"autoincrement": False},
    )
    economy_at_percent: int | None = None  # of the month's limit; None: never by itself
    show_people: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    report_hour: int | None = None
    report_channel: str | None = None
    report_kinds: str = Field(default="daily", sa_column_kwargs={"server_default": text("'daily'")})  # by commas
    report_weekdays_only: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    report_zero_days: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    report_people: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    report_muted_until: datetime | None = moment(optional=True)
    secrets: str | None = None  # mask, refuse or off


class PeopleView(Table, table=True):
    """Somebody looked at the figures of single people of a workspace."""

    __tablename__ = "people_view"
    id: int | None = key()
    workspace_id: int = reference("workspace.id", index=True)
    viewed_by: int | None = reference("person.id", optional=True)  # None: on the command line, or in a report
    what: str
    at: datetime = moment()
