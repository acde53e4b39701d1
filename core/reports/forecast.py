"""Where a month is heading, from the days before: a plain average, by weekday once there are two weeks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from math import isqrt

from core.reports.report import Forecast
from core.reports.spans import Span, end_of_month

LOOKED_AT = 28  # days
FEWEST = 5
_BY_WEEKDAY_FROM = 14
_SPREAD = Fraction(128, 100)  # standard deviations on either side: four times of five it ends between


def forecast(
    costs: Mapping[date, int], last: date, *, first_day: date | None, limit: int | None, running: bool
) -> Forecast | None:
    """Of the month of `last`; None when it ends with that day, or from fewer than five whole days.

    `costs`: in micro-dollars by day, days without any left out. `running`: `last` is not over yet. `first_day`, on
    which the workspace first used Bise, is not whole.
    """
    whole_until = last - timedelta(days=1) if running else last
    first = whole_until - timedelta(days=LOOKED_AT - 1)
    if first_day is None:
        return None
    seen = list(Span(max(first, first_day + timedelta(days=1)), whole_until))
    left = list(Span(whole_until + timedelta(days=1), end_of_month(last)))
    if len(seen) < FEWEST or whole_until >= end_of_month(last):
        return None
    usual = _usual(costs, seen)
    month = sum(cost for day, cost in costs.items() if last.replace(day=1) <= day <= whole_until)
    total, runs_out = Fraction(month), None
    for day in left:
        # The day that is not over has cost something already.
        total += max(usual[day.weekday()], Fraction(costs.get(day, 0)))
        if runs_out is None and limit is not None and total >= limit > month:
            runs_out = day
    spread = _spread(costs, seen, usual, len(left))
    known = month + (costs.get(last, 0) if running else 0)
    return Forecast(round(total), max(round(total) - spread, known), round(total) + spread, runs_out)


def _usual(costs: Mapping[date, int], seen: Sequence[date]) -> tuple[Fraction, ...]:
    """What a Monday, a Tuesday and so on usually costs."""
    by_weekday: list[Fraction] = []
    for weekday in range(7):
        alike = [day for day in seen if day.weekday() == weekday or len(seen) < _BY_WEEKDAY_FROM]
        by_weekday.append(Fraction(sum(costs.get(day, 0) for day in alike), len(alike)))
    return tuple(by_weekday)


def _spread(costs: Mapping[date, int], seen: Sequence[date], usual: Sequence[Fraction], left: int) -> int:
    squares = sum((costs.get(day, 0) - usual[day.weekday()]) ** 2 for day in seen)
    return isqrt(int(squares / len(seen) * left * _SPREAD**2))
