"""Figures: queries over the ledger, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.errors import WrongUse
from core.messages import DISCORD_DM, Tokens, WorkspaceKey
from core.store import ledger, workspaces
from core.store.database import Connection, Database


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

    def look(connection: Connection) -> UsageView:
        workspace = workspaces.find(connection, key)
        if workspace is None:
            return UsageView(Tokens(), Tokens(), Tokens())
        number = workspaces.find_person(connection, workspace, person) if person else None
        mine = Tokens() if number is None else ledger.total(connection, workspace, since=first, person=number)
        if key == DISCORD_DM:  # one workspace for many who do not know each other: everybody sees their own
            today_ = Tokens() if number is None else ledger.total(connection, workspace, since=today, person=number)
            return UsageView(today_, mine, mine)
        return UsageView(
            ledger.total(connection, workspace, since=today), ledger.total(connection, workspace, since=first), mine
        )

    return await database.read(look)


async def table(
    database: Database,
    key: WorkspaceKey,
    *,
    since: date | None = None,
    until: date | None = None,
    by: ledger.Grouping | None = None,
) -> UsageTable:
    """What `bise usage` prints. Raises WrongUse for a workspace that nothing is known of."""

    def look(connection: Connection) -> UsageTable:
        workspace = workspaces.find(connection, key)
        if workspace is None:
            raise WrongUse(f"Nothing is known of the workspace {key}: nobody has asked Bise anything there yet.")
        total = ledger.total(connection, workspace, since=since, until=until)
        groups = ledger.grouped(connection, workspace, by, since=since, until=until) if by else []
        return UsageTable(total, tuple(groups))

    return await database.read(look)
