"""The figures of one report, day, week or month: each a query over the ledger, or a sum over the rows of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.budgets import periods
from core.messages import DISCORD_DM, WorkspaceKey
from core.reports import spans
from core.reports.basis import Basis
from core.reports.forecast import forecast
from core.reports.movement import Use, average, movement
from core.reports.ranking import ranking
from core.reports.report import Bar, Day, Kind, Partial, Ranking, Report
from core.reports.spans import Span
from core.store import budgets, limits, report_figures
from core.store.database import Connection
from core.store.ledger import DIRECT
from core.store.report_figures import ModelDay, Part

PICTURED = 30  # days
_LOOKED_BACK = timedelta(days=31)  # covers the month so far, the picture and what a forecast looks at
_LONGEST_DAY = timedelta(hours=26)  # summer times move a clock by two hours at most
_SHORTEST_DAY = timedelta(hours=22)


@dataclass(frozen=True, slots=True)
class _Compared:
    """The rows of the times that a report compares with, how many those are, and their turns."""

    parts: Sequence[Part]
    count: int
    turns: int


def figures(connection: Connection, workspace: int, key: WorkspaceKey, kind: Kind, on: date, *, basis: Basis) -> Report:
    """The report about the day, or the week or month, that ends with the local date `on`; on one snapshot."""
    about = report_figures.about(connection, workspace)
    zone = ZoneInfo(about.zone or basis.terms.timezone)
    today = basis.now.astimezone(zone).date()
    span = spans.span(kind, on)
    began = report_figures.first_day(connection, workspace)
    parts = report_figures.parts(connection, workspace, span.first, span.last)
    turns = report_figures.turns(connection, workspace, span.first, span.last)
    before = _compared(connection, workspace, spans.compared(kind, span, began))
    days = report_figures.days(connection, workspace, on - _LOOKED_BACK, on)
    month = [day for day in days if day.day >= on.replace(day=1)]
    limit, bar = _budget(connection, workspace, on, today, basis, settled=sum(day.cost for day in month))
    outcomes = report_figures.outcomes(connection, workspace, span.first, span.last)
    since, until = _instants(span, zone)
    corrections, corrected = report_figures.corrections(connection, workspace, since, until, span.first)
    named = about.people and key != DISCORD_DM
    cost = sum(part.cost for part in parts)
    return Report(
        workspace=str(key),
        name=about.name,
        kind=kind,
        first=span.first,
        last=span.last,
        zone=zone.key,
        made_at=basis.now,
        cost=cost,
        estimated=sum(part.estimated for part in parts),
        before=average(sum(part.cost for part in before.parts), before.count) if before.count else None,
        compared=before.count,
        month=sum(day.cost for day in month),
        month_estimated=sum(day.estimated for day in month),
        limit=limit,
        bar=bar,
        forecast=forecast(_by_day(days), on, first_day=began, limit=limit, running=today <= on),
        models=ranking(_by_model(parts), _by_model(before.parts), before.count),
        channels=ranking(_by_channel(parts, key), _by_channel(before.parts, key), before.count),
        people=_people(connection, workspace, span) if named else None,
        movement=movement(_use(parts, turns), _use(before.parts, before.turns), before.count) if before.count else None,
        turns=turns,
        calls=sum(part.calls for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        completion_tokens=sum(part.completion_tokens for part in parts),
        cached_tokens=sum(part.cached_tokens for part in parts),
        cache_saved=basis.prices.saved(parts),
        failed=sum(one.turns for one in outcomes if one.state == "failed" and one.refused_by is None),
        refused=_counted((one.refused_by or "", one.turns) for one in outcomes),
        saved=_counted((means, one.turns) for one in outcomes for means in (one.saved_by or "").split(",")),
        first_text_ms=report_figures.median_first_text_ms(connection, workspace, span.first, span.last),
        topped_up=report_figures.topped_up(connection, workspace, span.first, span.last),
        corrections=corrections,
        corrected=corrected,
        partial=_partial(connection, workspace, span, began, today),
        days=_pictured(days, on),
        currency=basis.currency,
    )


def _compared(connection: Connection, workspace: int, before: Sequence[Span]) -> _Compared:
    parts: list[Part] = []
    turns = 0
    for span in before:
        parts += report_figures.parts(connection, workspace, span.first, span.last)
        turns += report_figures.turns(connection, workspace, span.first, span.last)
    return _Compared(parts, len(before), turns)


def _budget(
    connection: Connection, workspace: int, on: date, today: date, basis: Basis, *, settled: int
) -> tuple[int | None, Bar | None]:
    """The limit of a report's month, and how it stands as long as that month lasts."""
    place = budgets.workspace_place(workspace)
    month = periods.name_of("month", on)
    rows = budgets.named(connection, [place], [month], basis.terms)
    room = next((row for row in rows if row.kind == "month"), None)
    limit = room.limit if room is not None else limits.limit_of(connection, place, "month", basis.terms)
    if limit is None or month != periods.name_of("month", today):
        return limit, None
    # Without a row nothing was held this month: then the ledger's word is all there is.
    return limit, Bar(limit, settled, 0) if room is None else Bar(limit, room.spent, room.reserved)


def _by_day(days: Iterable[ModelDay]) -> Mapping[date, int]:
    found: Counter[date] = Counter()
    for day in days:
        found[day.day] += day.cost
    return found


def _by_model(parts: Iterable[Part]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for part in parts:
        found[part.model] += part.cost
    return found


def _by_channel(parts: Iterable[Part], key: WorkspaceKey) -> Mapping[str, int]:
    """Direct messages together: what is between somebody and Bise is nobody else's business."""
    found: Counter[str] = Counter()
    for part in parts:
        found[DIRECT if is_direct(part.channel, key) else part.channel] += part.cost
    return found


def is_direct(channel: str, key: WorkspaceKey) -> bool:
    """Whether a channel is between a person and Bise, by the platform's own way to name such channels."""
    return key == DISCORD_DM or (key.platform == "slack" and channel.startswith("D"))


def _use(parts: Iterable[Part], turns: int) -> Use:
    tokens: Counter[str] = Counter()
    cost: Counter[str] = Counter()
    for part in parts:
        tokens[part.model] += part.prompt_tokens + part.completion_tokens
        cost[part.model] += part.cost
    return Use(turns, {model: (tokens[model], cost[model]) for model in cost})


def _people(connection: Connection, workspace: int, span: Span) -> Ranking:
    """By name; people of the same name, and those without one, by the platform's id."""
    used = report_figures.people(connection, workspace, span.first, span.last)
    names = Counter(one.name for one in used)
    found: Counter[str] = Counter()
    for one in used:
        id_ = one.external_id or "(unknown)"
        found[id_ if one.name is None else one.name if names[one.name] == 1 else f"{one.name} ({id_})"] += one.cost
    return ranking(found, {}, 0)


def _counted(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    found: Counter[str] = Counter()
    for name, turns in pairs:
        if name:
            found[name] += turns
    return tuple(sorted(found.items()))


def _partial(
    connection: Connection, workspace: int, span: Span, began: date | None, today: date
) -> tuple[Partial, ...]:
    """Why the span's days are not whole ones, as a clock on the wall has them."""
    found: list[Partial] = []
    if began is not None and span.first <= began <= span.last:
        found.append("first_day")
    place = budgets.workspace_place(workspace)
    made = report_figures.day_periods(connection, place, span.first - timedelta(days=1), span.last)
    for number, day in enumerate(made):
        cut = number > 0 and day.starts_at < made[number - 1].resets_at
        whole = _SHORTEST_DAY <= day.resets_at - day.starts_at <= _LONGEST_DAY and not cut
        if day.name >= span.first.isoformat() and not whole:
            found.append("zone")
            break
    if today <= span.last:
        found.append("running")
    return tuple(found)


def _instants(span: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    return periods.begins(span.first, zone), periods.begins(span.last + timedelta(days=1), zone)


def _pictured(days: Iterable[ModelDay], on: date) -> tuple[Day, ...]:
    found: dict[date, list[tuple[str, int]]] = {}
    for day in days:
        if day.day > on - timedelta(days=PICTURED):
            found.setdefault(day.day, []).append((day.model, day.cost))
    return tuple(Day(day, tuple(models)) for day, models in found.items())
