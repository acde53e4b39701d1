"""Where a month is heading: from whole days only, by weekday once there are two weeks of them."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from core.reports.forecast import forecast
from core.reports.report import Forecast
from core.reports.spans import Span, compared, span

LAST = date(2026, 11, 22)  # a Sunday, and eight days are left
LONG_AGO = date(2026, 1, 1)


def steady(cost: int, days: int, last: date = LAST) -> dict[date, int]:
    return {last - timedelta(days=number): cost for number in range(days)}


def of(costs: dict[date, int], last: date = LAST, **options: object) -> Forecast | None:
    values: dict[str, object] = {"first_day": LONG_AGO, "limit": None, "running": False, **options}
    return forecast(costs, last, **values)  # type: ignore[arg-type]


def test_a_steady_month_goes_on_as_it_was() -> None:
    assert of(steady(100, 60)) == Forecast(3_000, 3_000, 3_000, None)


def test_quiet_weekends_stay_quiet() -> None:
    costs = {day: cost for day, cost in steady(100, 60).items() if day.weekday() < 5}
    found = of(costs)
    assert found is not None
    assert found.total == 21 * 100, "November 2026 has twenty-one weekdays"
    assert found.low == found.high == found.total


@pytest.mark.parametrize(("whole_days", "is_made"), [(4, False), (5, True)])
def test_it_takes_five_whole_days(whole_days: int, is_made: bool) -> None:
    first = LAST - timedelta(days=whole_days)  # that day itself is not whole
    assert (of(steady(100, whole_days + 1), first_day=first) is not None) is is_made


def test_a_workspace_that_nobody_used_has_none() -> None:
    assert of({}, first_day=None) is None


def test_from_less_than_two_weeks_all_days_are_alike() -> None:
    first = LAST - timedelta(days=7)
    costs = {day: 70 if day.weekday() == 0 else 0 for day in Span(first + timedelta(days=1), LAST)}
    found = of(costs, first_day=first)
    assert found is not None
    assert found.total == 70 + 8 * 10
    assert found.low < found.total < found.high


def test_it_never_says_less_than_was_spent_already() -> None:
    found = of({LAST: 1_000_000})
    assert found is not None
    assert found.low == 1_000_000


def test_it_names_the_day_on_which_the_limit_is_reached() -> None:
    costs = steady(100, 22)
    assert of(costs, limit=2_450, first_day=LAST - timedelta(days=22)) == Forecast(
        3_000, 3_000, 3_000, date(2026, 11, 25)
    )
    found = of(costs, limit=9_000, first_day=LAST - timedelta(days=22))
    assert found is not None
    assert found.runs_out is None
    over = of(costs, limit=2_000)
    assert over is not None
    assert over.runs_out is None, "that day is past"


def test_a_month_that_is_over_needs_none() -> None:
    assert of(steady(100, 60, date(2026, 11, 30)), date(2026, 11, 30)) is None


def test_a_day_that_is_not_over_counts_as_it_usually_is_or_as_it_is_if_that_is_more() -> None:
    costs = steady(100, 60)
    assert of({**costs, LAST: 10}, running=True) == Forecast(3_000, 3_000, 3_000, None)
    assert of({**costs, LAST: 500}, running=True) == Forecast(3_400, 3_400, 3_400, None)
    last = date(2026, 11, 30)
    assert of({**steady(100, 60, last), last: 10}, last, running=True) == Forecast(3_000, 3_000, 3_000, None)


def test_a_report_is_about_a_day_a_week_or_a_month() -> None:
    assert span("daily", LAST) == Span(LAST, LAST)
    assert span("weekly", LAST) == Span(date(2026, 11, 16), LAST)
    assert span("monthly", date(2026, 2, 28)) == Span(date(2026, 2, 1), date(2026, 2, 28))


def test_it_is_compared_with_the_same_weekday_with_weeks_or_with_the_month_before() -> None:
    days = compared("daily", Span(LAST, LAST), LONG_AGO)
    assert [one.first for one in days] == [date(2026, 11, 15), date(2026, 11, 8), date(2026, 11, 1), date(2026, 10, 25)]
    weeks = compared("weekly", span("weekly", LAST), LONG_AGO)
    assert weeks[0] == Span(date(2026, 11, 9), date(2026, 11, 15))
    assert len(weeks) == 4
    march = date(2026, 3, 31)
    assert compared("monthly", span("monthly", march), LONG_AGO) == (Span(date(2026, 2, 1), date(2026, 2, 28)),)


def test_it_is_never_compared_with_days_that_were_not_whole() -> None:
    assert len(compared("daily", Span(LAST, LAST), date(2026, 11, 8))) == 1
    assert compared("daily", Span(LAST, LAST), None) == ()
    assert compared("monthly", span("monthly", LAST), date(2026, 10, 1)) == ()
