"""`bise budget`: limits and how they stand, what changes them, and what puts an estimate right."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import migrations
from bots import replies
from bots.terminal.tables import print_table
from core.budgets.limits import BudgetLine, Budgets, LimitChange
from core.budgets.periods import Kind
from core.budgets.terms import Terms
from core.clock import SystemClock
from core.messages import LOCAL, WorkspaceKey
from core.ports import Clock
from core.reports import figures
from core.settings import Settings
from core.store.database import Database
from core.store.limits import Default

_NOT_SHOWN = "–"


async def show(
    settings: Settings,
    workspace: WorkspaceKey | None,
    *,
    person: str | None = None,
    channel: str | None = None,
    as_json: bool,
    clock: Clock | None = None,
) -> int:
    """Prints the limits of a workspace, or of the installation and all workspaces. Raises WrongUse, StoreError."""
    clock = clock or SystemClock()
    async with _database(settings) as database:
        budgets = Budgets(Terms.of(settings), database, clock)
        view = await budgets.show(workspace, person=person, channel=channel, operator=True)
        await _record_views(database, view.lines, clock)
    if as_json:
        sys.stdout.write(json.dumps({"budgets": [_as_json(line) for line in view.lines]}) + "\n")
        return 0
    heads = ("where", "scope", "per", "limit", "spent", "held", "left", "resets")
    print_table(heads, [_row(line) for line in view.lines], left=3)
    if any(line.private for line in view.lines):
        sys.stderr.write("What single people spend is theirs to know until their workspace turns that on.\n")
    return 0


async def set_limit(
    settings: Settings,
    workspace: WorkspaceKey | None,
    per: Kind,
    limit: int | Default | None,
    *,
    person: str | None = None,
    channel: str | None = None,
    as_json: bool,
    clock: Clock | None = None,
) -> int:
    """Sets a limit and prints how it stands. Raises WrongUse, StoreError."""
    async with _database(settings) as database:
        budgets = Budgets(Terms.of(settings), database, clock or SystemClock())
        change = await budgets.set_limit(workspace, per, limit, by=None, person=person, channel=channel)
    if as_json:
        sys.stdout.write(json.dumps({**_named(workspace, change), "before_microusd": change.before}) + "\n")
        return 0
    where = f"{workspace}, {change.scope}" if workspace is not None else change.scope
    after, before = ("no limit" if one is None else replies.dollars(one) for one in (change.after, change.before))
    sys.stdout.write(f"{where}: {after} a {per} from now on (before: {before}).\n")
    if change.left == 0:
        resets = change.resets_at.isoformat(" ", "minutes")
        amount = (
            ""
            if change.private
            else f" ({replies.dollars(change.spent)} spent, {replies.dollars(change.reserved)} held)"
        )
        sys.stdout.write(f"All of it is used already{amount}: new questions are refused until {resets}.\n")
    return 0


async def correct(settings: Settings, call: int, cost: int, *, as_json: bool) -> int:
    """Puts a call's cost right and prints both. Raises WrongUse, StoreError."""
    async with _database(settings) as database:
        done = await Budgets(Terms.of(settings), database, SystemClock()).correct(call, cost)
    if as_json:
        body = {"call": done.call, "before_microusd": done.before, "cost_microusd": done.after}
        sys.stdout.write(json.dumps(body) + "\n")
    else:
        before, after = replies.dollars(done.before), replies.dollars(done.after)
        sys.stdout.write(f"Call {done.call} counts {after} from now on (before: {before}).\n")
    return 0


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database.open(settings.database_url)
    try:
        await database.check(migrations.NEWEST)
        yield database
    finally:
        await database.close()


async def _record_views(database: Database, lines: tuple[BudgetLine, ...], clock: Clock) -> None:
    """Writes down for each workspace that figures of its people are about to be shown."""
    shown = [line.workspace for line in lines if line.scope.startswith("user:") and not line.private]
    for workspace in dict.fromkeys(shown):
        if workspace is not None and workspace != LOCAL:
            await figures.named_people(database, workspace, "budgets", by=None, now=clock.now())


def _as_json(line: BudgetLine) -> dict[str, Any]:
    """As INTERFACE.md has it; what a person spends is null where it is not to be shown."""
    return {
        "workspace": None if line.workspace is None else str(line.workspace),
        "scope": line.scope,
        "period": line.period,
        "limit_microusd": line.limit,
        "spent_microusd": None if line.private else line.spent,
        "reserved_microusd": None if line.private else line.reserved,
        "resets_at": line.resets_at.isoformat(),
    }


def _named(workspace: WorkspaceKey | None, change: LimitChange) -> dict[str, Any]:
    return {
        "workspace": None if workspace is None else str(workspace),
        "scope": change.scope,
        "period": change.period,
        "limit_microusd": change.after,
        "spent_microusd": None if change.private else change.spent,
        "reserved_microusd": None if change.private else change.reserved,
        "resets_at": change.resets_at.isoformat(),
    }


def _row(line: BudgetLine) -> tuple[str, ...]:
    spent, held = replies.dollars(line.spent), replies.dollars(line.reserved)
    left = _NOT_SHOWN if line.left is None else replies.dollars(line.left)
    if line.private:
        spent = held = left = _NOT_SHOWN
    where = "" if line.workspace is None else str(line.workspace)
    resets = line.resets_at.isoformat(" ", "minutes")
    return (where, line.scope, line.period, _limit(line.limit), spent, held, left, resets)


def _limit(microusd: int | None) -> str:
    return "none" if microusd is None else replies.dollars(microusd)
