"""Which local days a report is about, and which it compares them with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from core.reports.report import Kind

WEEK = timedelta(days=7)
_COMPARED = 4  # days of the same weekday, or weeks


@dataclass(frozen=True, slots=True)
class Span:
    """Local days, both ends included."""

    first: date
    last: date

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))


def span(kind: Kind, last: date) -> Span:
    """The day, the seven days or the calendar month that end with `last`."""
    return Span({"daily": last, "weekly": last - WEEK + timedelta(days=1), "monthly": last.replace(day=1)}[kind], last)


def compared(kind: Kind, about: Span, first_day: date | None) -> tuple[Span, ...]:
    """The four before of the same weekday, the four weeks before, or the month before; the latest first.

    `first_day`: on which the workspace first used Bise. It is not whole, and nothing is compared with it or before it.
    """
    if kind == "monthly":
        before = [span("monthly", about.first - timedelta(days=1))]
    else:
        before = [Span(about.first - WEEK * number, about.last - WEEK * number) for number in range(1, _COMPARED + 1)]
    return tuple(one for one in before if first_day is not None and one.first > first_day)


def end_of_month(day: date) -> date:
    """The last day of its month."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
