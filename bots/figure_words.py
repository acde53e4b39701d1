"""What was spent and what is left, as people read it on a phone: a line for each, together what resets together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bots.wording import coded, day_and_time, dollars, joined, plain
from core.budgets.limits import BudgetLine, BudgetView, LimitChange
from core.messages import Tokens, WorkspaceKey
from core.reports.figures import UnclearReport, UsageView
from core.store.ledger import DIRECT

_PERIODS = {"day": "Today", "month": "This month"}
_EACH = {"day": "a day", "month": "a month"}


def usage_text(view: UsageView, *, platform: str = "local", person: str | None = None) -> str:
    """The figures of `/bise usage`; `person`: who asks, by the platform's id."""
    lines = [
        f"Today: {_figures(view.today)}",
        f"This month: {_figures(view.month)}",
        f"Your part of this month: {_figures(view.mine)}",
    ]
    if view.models:
        lines.append(f"Models this month: {_shares(view.models, platform)}")
    if view.channels:
        lines.append(f"Channels this month: {_shares(view.channels, platform, channels=True)}")
    if view.limits:
        lines += ["", _standing(view.limits, platform, person)]
    if view.unclear is not None:
        lines += ["", unclear_text(view.unclear)]
    return "\n".join(lines)


def unclear_text(report: UnclearReport) -> str:
    """That a report may be missing, and where its figures are."""
    kind = "" if report.kind == "daily" else f" --kind {report.kind}"
    command = f"bise report --workspace {report.workspace} --date {report.date}{kind}"
    return (
        f"The {report.kind} report of {report.date.day} {report.date:%B %Y} may not have arrived: whoever runs Bise "
        f"gets its figures by `{command}`."
    )


def budget_text(view: BudgetView, *, platform: str = "local", person: str | None = None, admin: bool = False) -> str:
    """The figures of `/bise budget`; an `admin` is told how to change a limit."""
    text = _standing(view.lines, platform, person)
    if not admin:
        return text
    how = {"slack": "`/bise budget set month 25` changes a limit; `/bise budget set` says how."}
    return f"{text}\n{how.get(platform, '`/bise-admin budget set` changes a limit.')}"


def changed_text(change: LimitChange, *, platform: str = "local", person: str | None = None) -> str:
    """What became of a limit, and what that means at once."""
    who, per = _who(change.scope, platform, person), _EACH[change.period]
    who = who[0].lower() + who[1:]
    if change.after is None:
        now = f"{who} may spend as much {per} as the other limits leave"
    else:
        now = f"{who} may spend {dollars(change.after)} {per}"
    before = "there was no limit before" if change.before is None else f"it was {dollars(change.before)}"
    same = "as before" if change.before == change.after else before
    text = f"Done: {now} ({same})."
    if change.left != 0 or change.after is None:
        return text
    spent = "what" if change.private else f"the {dollars(change.spent + change.reserved)} that"
    until = f"until {_when(change.resets_at)}, or until the limit is raised"
    return f"{text} That is no more than {spent} is already spent or held: I refuse new questions {until}."


def _standing(lines: Sequence[BudgetLine], platform: str, person: str | None) -> str:
    """Each limit with what is spent, held and left, under the moment at which it begins anew."""
    groups: dict[tuple[str, datetime], list[str]] = {}
    for line in lines:
        named = f"• {_who(line.scope, platform, person, line.workspace)}: {_stands(line, person)}"
        groups.setdefault((line.period, line.resets_at), []).append(named)
    order = sorted(groups, key=lambda group: (group[1], group[0]))
    parts = [
        f"{_PERIODS[period]}, until {_when(resets_at)}\n{chr(10).join(groups[period, resets_at])}"
        for period, resets_at in order
    ]
    return "\n".join(parts)


def _stands(line: BudgetLine, person: str | None) -> str:
    limit = "no limit" if line.limit is None else f"{dollars(line.left or 0)} left of {dollars(line.limit)}"
    if line.private and line.scope != f"user:{person}":
        return "no limit" if line.limit is None else f"a limit of {dollars(line.limit)}"
    held = f", {dollars(line.reserved)} held" if line.reserved else ""
    return f"{dollars(line.spent)} spent{held}, {limit}"


def _who(scope: str, platform: str, person: str | None, workspace: WorkspaceKey | None = None) -> str:
    kind, _, which = scope.partition(":")
    if kind == "user":
        return "You" if which == person else _linked("@", which, platform)
    if kind == "channel":
        return _linked("#", which, platform)
    if kind == "workspace":
        if workspace is not None and workspace.id in ("dm", "cli"):
            return "All direct messages" if workspace.id == "dm" else "This terminal"
        return "This server" if platform == "discord" else "This workspace"
    return "All of Bise here"


def _linked(sign: str, which: str, platform: str) -> str:
    """The platform's own way to show an id as a name; nobody is called by it where it is said privately."""
    return f"<{sign}{which}>" if platform in ("slack", "discord") and which.isalnum() else coded(which)


def _when(moment: datetime) -> str:
    return f"{day_and_time(moment)} ({plain(str(moment.tzinfo))} time)"


def _shares(shares: Sequence[tuple[str, Tokens]], platform: str, *, channels: bool = False) -> str:
    def name(of: str) -> str:
        if not channels:
            return coded(of)
        return of if of == DIRECT else _linked("#", of, platform)

    return joined([f"{name(of)} {dollars(tokens.cost_microusd)}" for of, tokens in shares], ", ")


def _figures(tokens: Tokens) -> str:
    calls = "1 call" if tokens.calls == 1 else f"{tokens.calls:,} calls"
    text = f"{dollars(tokens.cost_microusd)} for {calls}, {tokens.prompt_tokens + tokens.completion_tokens:,} tokens"
    return f"{text} ({dollars(tokens.estimated_microusd)} of it estimated)" if tokens.estimated_microusd else text
