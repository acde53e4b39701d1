"""Figures: queries over the ledger, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.errors import WrongUse
from core.messages import Tokens, WorkspaceKey
from core.store import ledger, workspaces
from core.store.database import Database


@dataclass(frozen=True, slots=True)
class UsageView:
    """A workspace's usage as a person sees it: today, this month, and their own part of the month."""

    today: Tokens
    month: Tokens
    mine: Tokens


@dataclass(frozen=True, slots=True)
class UsageTable:
    """Totals, and the same figures by model, user, channel or day where that was asked for."""

    total: Tokens
    by: tuple[tuple[str, Tokens], ...] = ()


async def view(database: Database, key: WorkspaceKey, person: str | None, now: datetime, zone: str) -> UsageView:
    """Today and this month in the workspace's zone. A workspace that nobody used has zeros."""
    today = now.astimezone(ZoneInfo(zone)).date()
    first = today.replace(day=1)
    async with database.read() as connection:
        workspace = await workspaces.find(connection, key)
        if workspace is None:
            return UsageView(Tokens(), Tokens(), Tokens())
        mine = Tokens()
        number = await workspaces.find_person(connection, workspace, person) if person else None
        if number is not None:
            mine = await ledger.total(connection, workspace, since=first, until=today, person=number)
        return UsageView(
            await ledger.total(connection, workspace, since=today, until=today),
            await ledger.total(connection, workspace, since=first, until=today),
            mine,
        )


async def table(
    database: Database,
    key: WorkspaceKey,
    *,
    since: date | None = None,
    until: date | None = None,
    by: ledger.Grouping | None = None,
) -> UsageTable:
    """What `bise usage` prints. Raises WrongUse for a workspace that nothing is known of."""
    async with database.read() as connection:
        workspace = await workspaces.find(connection, key)
        if workspace is None:
            raise WrongUse(f"Nothing is known of the workspace {key}: nobody has asked Bise anything there yet.")
        total = await ledger.total(connection, workspace, since=since, until=until)
        groups = await ledger.grouped(connection, workspace, by, since=since, until=until) if by else []
        return UsageTable(total, tuple(groups))
