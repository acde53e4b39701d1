"""When reports are due: two years of simulated days in zones whose clocks do odd things."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import WorkspaceKey
from core.reports.due import Rhythm, instant, offset
from core.reports.report import KINDS, Kind

ZONES = ("Europe/Berlin", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu")
DAY = timedelta(days=1)
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)


def as_a_clock_on_the_wall(hour: int, zone: ZoneInfo) -> dict[date, datetime]:
    """At which instant each local date's hour comes, found by looking at the clock: the slow, sure way.

    Every quarter of an hour is enough: clocks show full hours at quarters of UTC's, and change at them. Where the hour
    is passed over, it is the first quarter of that date past it.
    """
    found: dict[date, datetime] = {}
    at = BEGIN - 2 * DAY
    while at < END + 2 * DAY:
        local = at.astimezone(zone)
        if local.hour >= hour and local.date() not in found:
            found[local.date()] = at
        at += timedelta(minutes=15)
    return found


def ticks(rhythm: Rhythm, kind: Kind, step: timedelta, since: datetime = BEGIN) -> Iterator[tuple[datetime, date, int]]:
    """What a process that looks every `step` would post: when, about what, how many missed."""
    last, now = rhythm.first(kind, since), since
    while now < END:
        if (found := rhythm.latest(kind, last, now)) is not None:
            yield now, *found
            last = rhythm.following(kind, found[0])
        now += step


@pytest.mark.parametrize("hour", [0, 2, 9, 23])
@pytest.mark.parametrize("name", ZONES)
def test_each_local_date_of_two_years_has_one_report_at_the_right_instant(name: str, hour: int) -> None:
    zone = ZoneInfo(name)
    rhythm = Rhythm(hour, zone)
    wall = as_a_clock_on_the_wall(hour, zone)
    last, now, posted = rhythm.first("daily", BEGIN), BEGIN, []
    while now < END:
        due = rhythm.due(last)
        assert due == wall[last + DAY], last
        assert rhythm.latest("daily", last, due - timedelta(seconds=1)) is None
        assert rhythm.latest("daily", last, due) == (last, 0)
        posted.append(last)
        last, now = rhythm.following("daily", last), due
    assert posted == [posted[0] + number * DAY for number in range(len(posted))]
    assert len(posted) in (730, 731)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ZONES)
def test_whoever_looks_every_half_hour_posts_each_once(name: str, kind: Kind) -> None:
    rhythm = Rhythm(9, ZoneInfo(name), offset=timedelta(minutes=7))
    found = list(ticks(rhythm, kind, timedelta(minutes=30)))
    dates = [last for _, last, _ in found]
    assert len(set(dates)) == len(dates)
    assert {missed for _, _, missed in found} == {0}
    assert all(timedelta() <= now - rhythm.due(last) < timedelta(minutes=30) for now, last, _ in found)
    assert len(dates) in {"daily": (729, 730, 731), "weekly": (104, 105), "monthly": (23, 24, 25)}[kind]


def test_a_gap_ends_at_the_first_instant_after_it_and_of_two_passes_the_first_counts() -> None:
    berlin, santiago, cairo = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Santiago"), ZoneInfo("Africa/Cairo")
    assert instant(date(2026, 3, 29), 2, berlin) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert instant(date(2026, 10, 25), 2, berlin) == datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert instant(date(2026, 9, 6), 0, santiago) == datetime(2026, 9, 6, 4, tzinfo=UTC)
    assert instant(date(2026, 4, 24), 0, cairo) == datetime(2026, 4, 23, 22, tzinfo=UTC)
    assert instant(date(2026, 10, 4), 2, ZoneInfo("Australia/Lord_Howe")) == datetime(2026, 10, 3, 15, 30, tzinfo=UTC)
    assert instant(date(2026, 11, 23), 9, ZoneInfo("Asia/Kathmandu")) == datetime(2026, 11, 23, 3, 15, tzinfo=UTC)
    # Samoa left out a whole day.
    assert instant(date(2011, 12, 30), 9, ZoneInfo("Pacific/Apia")) == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_after_a_downtime_the_latest_is_due_and_the_others_are_counted() -> None:
    rhythm = Rhythm(9, ZoneInfo("Europe/Berlin"))
    back = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert rhythm.latest("daily", date(2026, 11, 18), back) == (date(2026, 11, 22), 4)
    assert rhythm.latest("weekly", date(2026, 11, 1), back) == (date(2026, 11, 22), 3)
    assert rhythm.latest("monthly", date(2026, 8, 31), back) == (date(2026, 10, 31), 2)


def test_a_weeks_report_comes_on_monday_and_a_months_on_the_first() -> None:
    rhythm = Rhythm(9, ZoneInfo("Europe/Berlin"))
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)  # a Monday
    assert rhythm.first("weekly", noon) == date(2026, 11, 29)
    assert rhythm.due(date(2026, 11, 29)) == datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert rhythm.first("monthly", noon) == date(2026, 11, 30)
    assert rhythm.due(date(2026, 11, 30)) == datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert rhythm.first("monthly", datetime(2026, 12, 1, 7, 59, tzinfo=UTC)) == date(2026, 11, 30)
    assert rhythm.first("weekly", datetime(2026, 11, 23, 7, 59, tzinfo=UTC)) == date(2026, 11, 22)


def test_on_weekdays_only_friday_is_told_on_monday_and_nothing_comes_at_the_weekend() -> None:
    rhythm = Rhythm(9, ZoneInfo("Europe/Berlin"), weekdays_only=True)
    found = list(ticks(rhythm, "daily", timedelta(hours=1)))
    assert {now.weekday() for now, _, _ in found} == {0, 1, 2, 3, 4}
    assert {(last.weekday(), now.weekday()) for now, last, _ in found} == {(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)}
    assert rhythm.due(date(2026, 10, 31)) == datetime(2026, 11, 2, 8, tzinfo=UTC)  # the 1st is a Sunday


def test_the_offset_is_stable_within_its_spread_and_spreads() -> None:
    keys = [WorkspaceKey("slack", f"T{number}") for number in range(600)]
    found = [offset(key, timedelta(minutes=10)) for key in keys]
    assert found == [offset(key, timedelta(minutes=10)) for key in keys]
    assert all(timedelta() <= one < timedelta(minutes=10) for one in found)
    assert len({int(one.total_seconds()) // 60 for one in found}) == 10
    assert offset(keys[0], timedelta()) == timedelta()


@given(
    st.sampled_from((*ZONES, "Pacific/Apia", "America/Sao_Paulo", "Africa/Casablanca")),
    st.dates(date(2009, 1, 1), date(2030, 12, 31)),
    st.integers(0, 23),
)
def test_later_dates_are_due_later(name: str, day: date, hour: int) -> None:
    zone = ZoneInfo(name)
    assert instant(day, hour, zone) <= instant(day + DAY, hour, zone)
