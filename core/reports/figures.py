"""Figures: queries over the ledger, as dataclasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.budgets import limits, places
from core.budgets.limits import BudgetLine
from core.budgets.terms import Terms
from core.messages import DISCORD_DM, LOCAL, Person, Tokens, WorkspaceKey
from core.reports.report import Kind
from core.store import ledger, report_runs, spending, workspace_settings, workspaces
from core.store import limits as limits_store
from core.store.database import Connection, Database
from core.store.spending import EstimatedCall, PostCost

TOP = 3  # models and channels that a view names
_TOLD_FOR = timedelta(days=7)  # that a report may not have arrived


@dataclass(frozen=True, slots=True)
class UnclearReport:
    """A report of which nobody can tell whether it arrived. `date`: the last local day that it is about."""

    workspace: WorkspaceKey
    kind: Kind
    date: date


@dataclass(frozen=True, slots=True)
class UsageView:
    """A workspace's usage as a person sees it: today, this month, and their own part of the month.

    `limits`: the workspace's and their own, day and month, with what is held and left of each. `models`, `channels`:
    the dearest of the month; of Discord's direct messages, where nobody knows the others, only their own. `unclear`: a
    report that may not have arrived.
    """

    today: Tokens
    month: Tokens
    mine: Tokens
    limits: tuple[BudgetLine, ...] = ()
    models: tuple[tuple[str, Tokens], ...] = ()
    channels: tuple[tuple[str, Tokens], ...] = ()
    unclear: UnclearReport | None = None


@dataclass(frozen=True, slots=True)
class UsageTable:
    """Totals, and the same figures by model, user, channel or day where that was asked for.

    `pseudonyms`: people are called person 1, person 2 … as their workspace does not show who they are.
    """

    total: Tokens
    by: tuple[tuple[str, Tokens], ...] = ()
    pseudonyms: bool = False


async def view(database: Database, key: WorkspaceKey, person: str | None, now: datetime, terms: Terms) -> UsageView:
    """Today and this month of the workspace, as its budgets have them. One that nobody used has zeros."""

    def look(connection: Connection) -> UsageView:
        workspace = workspaces.find(connection, key)
        whole = places.workspace(connection, terms, key, workspace)
        alone = key == DISCORD_DM  # one workspace for many who do not know each other: everybody sees their own
        seen = [] if alone else [whole]
        if person is not None:
            seen.append(places.person(connection, whole, person))
        lines = limits.lines(connection, seen, terms, now)
        if workspace is None:
            return UsageView(Tokens(), Tokens(), Tokens(), lines)
        ((day, _),) = limits_store.standing(connection, [(whole.name, whole.owner)], terms, now)
        today = date.fromisoformat(day.period)
        first = today.replace(day=1)
        number = workspaces.find_person(connection, workspace, person) if person is not None else None
        mine = ledger.total(connection, workspace, since=first, person=number) if number is not None else Tokens()
        if alone and number is None:
            return UsageView(Tokens(), Tokens(), Tokens(), lines)
        whose = number if alone else None
        return UsageView(
            today=ledger.total(connection, workspace, since=today, person=whose),
            month=ledger.total(connection, workspace, since=first, person=whose),
            mine=mine,
            limits=lines,
            models=tuple(ledger.grouped(connection, workspace, "model", since=first, person=whose, at_most=TOP)),
            channels=tuple(
                ledger.grouped(
                    connection, workspace, "channel", since=first, person=whose, at_most=TOP, private=not alone
                )
            ),
            unclear=None if alone else _unclear(connection, workspace, key, now),
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
    """What `bise usage` prints. Raises WrongUse for a workspace that nothing is known of.

    Until a workspace turns the figures of people on, nobody is named, and direct messages are told as one channel.
    """

    def look(connection: Connection) -> UsageTable:
        if workspaces.find(connection, key) is None and key in (LOCAL, DISCORD_DM):  # there before their first question
            return UsageTable(Tokens(), ())
        workspace = known(connection, key)
        private = key != LOCAL and not workspace_settings.chosen(connection, workspace).show_people
        total = ledger.total(connection, workspace, since=since, until=until)
        groups = ledger.grouped(connection, workspace, by, since=since, until=until, private=private) if by else []
        if by == "user" and private:
            return UsageTable(total, _without_names(groups), pseudonyms=True)
        return UsageTable(total, tuple(groups))

    return await database.read(look)


async def unclear(database: Database, key: WorkspaceKey, now: datetime) -> UnclearReport | None:
    """The newest report of the last days that may not have arrived; none of a workspace that nobody has used."""

    def look(connection: Connection) -> UnclearReport | None:
        workspace = workspaces.find(connection, key)
        return None if workspace is None else _unclear(connection, workspace, key, now)

    return await database.read(look)


async def named_people(database: Database, key: WorkspaceKey, what: str, *, by: Person | None, now: datetime) -> None:
    """Writes down that somebody is shown figures of single people: to be called before they are shown.

    `what`: usage, budgets or report. `by` None: on the command line. The terminal's own are nobody else's business.
    Raises WrongUse for a workspace that nothing is known of, StoreUnavailable.
    """

    def record(connection: Connection) -> None:
        workspace = known(connection, key)
        viewer = workspaces.ensure_person(connection, workspace, by) if by is not None else None
        workspace_settings.record_view(connection, workspace, what, by=viewer, now=now)

    if key != LOCAL:
        await database.write(record)


async def estimated(
    database: Database, key: WorkspaceKey, *, since: date | None = None, until: date | None = None
) -> list[EstimatedCall]:
    """The calls whose cost nobody has told yet. Raises WrongUse for a workspace that nothing is known of."""
    return await database.read(
        lambda connection: spending.estimated_calls(connection, known(connection, key), since=since, until=until)
    )


async def cost_of_post(database: Database, key: WorkspaceKey, platform_id: str) -> PostCost | None:
    """What the answer in a post has cost, by the id under which the post is stored (Slack: "C1:1700000000.000100").

    None: it is no answer of ours. Raises StoreUnavailable.
    """

    def look(connection: Connection) -> PostCost | None:
        workspace = workspaces.find(connection, key)
        return None if workspace is None else spending.of_post(connection, workspace, platform_id)

    return await database.read(look)


def known(connection: Connection, key: WorkspaceKey) -> int:
    """The number of a workspace. Raises WrongUse for one that is not stored."""
    workspace = workspaces.find(connection, key)
    if workspace is None:
        raise limits.unknown(key)
    return workspace


def _unclear(connection: Connection, workspace: int, key: WorkspaceKey, now: datetime) -> UnclearReport | None:
    run = report_runs.unclear(connection, workspace, now - _TOLD_FOR)
    return None if run is None else UnclearReport(key, run.kind, run.date)


def _without_names(groups: Sequence[tuple[str, Tokens]]) -> tuple[tuple[str, Tokens], ...]:
    """Numbers in place of people, by what they cost in this table, so that nobody is followed from table to table."""
    return tuple((f"person {number}", tokens) for number, (_, tokens) in enumerate(groups, 1))
