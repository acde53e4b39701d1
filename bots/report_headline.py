"""What stands at the top of a report: what it is about, what that cost, how the month stands and where it goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bots.report_form import PLAIN, Form, Section
from bots.wording import dollars
from core.reports.report import Bar, Currency, Report

_CELLS = 20  # of the budget's bar: as many as a phone shows in a line


def title(report: Report) -> str:
    """What the report is about."""
    first, last = report.first, report.last
    if report.kind == "daily":
        return f"Usage on {last:%A}, {day_and_month(last)} {last.year}"
    if report.kind == "monthly":
        return f"Usage in {last:%B %Y}"
    begin = str(first.day) if first.month == last.month else day_and_month(first)
    return f"Usage from {begin} to {day_and_month(last)} {last.year}"


def headline(report: Report, form: Form = PLAIN) -> Section:
    """What it cost, how that compares, how the month stands, and where it is heading."""
    limit = ", no limit" if report.limit is None else f" of {dollars(report.limit)}{_percent(report)}"
    if report.kind == "monthly":
        lines = [form.strong(_money(report.cost, report.currency)) + limit, _comparison(report)]
    else:
        month = f"{report.last:%B} so far: {form.strong(_money(report.month, report.currency))}{limit}"
        lines = [form.strong(_money(report.cost, report.currency)), _comparison(report), month]
    if report.silent:
        lines.insert(1, "Nobody asked me anything.")
    return Section("", (*lines, *_outlook(report), *(_bar(report.bar) if report.bar is not None else ())))


def _comparison(report: Report) -> str:
    if report.before is None or report.change is None:
        return "There is nothing to compare it with yet."
    many = report.compared
    against = {
        "daily": f"the last {report.last:%A}" if many == 1 else f"the average of the last {many} {report.last:%A}s",
        "weekly": "the week before" if many == 1 else f"the average of the {many} weeks before",
        "monthly": "the month before",
    }[report.kind]
    if not report.change:
        return f"As much as {against}"
    share = f" ({abs(report.change) * 100 / report.before:,.0f} %)" if report.before > 0 else ""
    return f"{dollars(abs(report.change))}{share} {'more' if report.change > 0 else 'less'} than {against}"


def _outlook(report: Report) -> Iterable[str]:
    used_up = report.limit is not None and report.month >= report.limit
    if used_up:
        yield "The month's limit is used up."
    if report.forecast is None:
        if not used_up and report.bar is not None and report.kind != "monthly":
            yield "No forecast yet: it takes five whole days."
        return
    ahead = report.forecast
    yield f"On course for {_money(ahead.total, report.currency)} ({dollars(ahead.low)} to {dollars(ahead.high)})"
    if ahead.runs_out is not None:
        yield f"The limit will be reached about {ahead.runs_out:%A}, {day_and_month(ahead.runs_out)}."


def _bar(bar: Bar) -> Iterable[str]:
    """Settled, held and free as a bar. What is held shows however little it is."""
    spent = max(bar.settled, 0)
    whole = max(bar.limit, spent + bar.held, 1)
    held = -(-bar.held * _CELLS // whole)
    settled = min(spent * _CELLS // whole, _CELLS - held)
    yield "█" * settled + "▒" * held + "░" * (_CELLS - settled - held)
    yield f"settled {dollars(bar.settled)} · held {dollars(bar.held)} · free {dollars(bar.free)}"


def _money(microusd: int, currency: Currency | None) -> str:
    if currency is None:
        return dollars(microusd)
    return f"{dollars(microusd)} ({currency.code} {microusd * currency.per_dollar / 1e12:,.2f})"


def _percent(report: Report) -> str:
    return f" ({report.month * 100 / report.limit:,.0f} %)" if report.limit else ""


def day_and_month(day: date) -> str:
    return f"{day.day} {day:%B}"
