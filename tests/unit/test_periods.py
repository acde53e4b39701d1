"""Days and months in every zone: each instant lies in exactly one, whatever the clocks and the zone do."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.budgets import periods
from core.budgets.periods import Kind, Period
from core.store import budgets

ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Pago_Pago",
    "Africa/Cairo",
    "Atlantic/Azores",
]
KINDS = st.sampled_from(periods.KINDS)
MOMENTS = st.datetimes(datetime(2005, 1, 2), datetime(2037, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - UTC is added
SECOND = timedelta(seconds=1)


def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def day(text: str, name: str) -> Period:
    return periods.current("day", at(text), zone(name))


@given(KINDS, MOMENTS, st.sampled_from(sorted(available_timezones())))
@example("day", datetime(2010, 11, 7, 2, 31, 30, tzinfo=UTC), "America/St_Johns")  # 00:01 became 23:01
@example("day", datetime(2011, 12, 30, 10, tzinfo=UTC), "Pacific/Apia")
def test_every_instant_lies_in_the_period_that_it_is_given(kind: Kind, now: datetime, name: str) -> None:
    found = periods.current(kind, now, zone(name))
    assert found.starts_at <= now < found.resets_at
    assert periods.current(kind, found.starts_at, zone(name)) == found
    assert periods.current(kind, found.resets_at - SECOND, zone(name)) == found


@given(KINDS, MOMENTS, st.sampled_from(sorted(available_timezones())))
@example("day", datetime(2011, 12, 30, 9, tzinfo=UTC), "Pacific/Apia")
@example("day", datetime(2010, 11, 7, 2, 0, tzinfo=UTC), "America/St_Johns")
def test_one_period_begins_where_the_one_before_it_ends(kind: Kind, now: datetime, name: str) -> None:
    before = periods.current(kind, now, zone(name))
    after = periods.current(kind, before.resets_at, zone(name))
    assert after.starts_at == before.resets_at
    assert after.name > before.name
    assert periods.following(before, before.resets_at, zone(name)) == after


@given(MOMENTS, st.sampled_from(sorted(available_timezones())))
def test_a_day_lies_in_the_month_that_it_is_named_after(now: datetime, name: str) -> None:
    today = periods.current("day", now, zone(name))
    month = periods.current("month", now, zone(name))
    assert today.name.startswith(month.name)
    assert month.starts_at <= today.starts_at < today.resets_at <= month.resets_at


@pytest.mark.parametrize(
    ("moment", "name", "hours"),
    [
        ("2026-03-29T12:00+02:00", "Europe/Paris", 23),
        ("2026-10-25T12:00+01:00", "Europe/Paris", 25),
        ("2026-04-05T12:00+10:30", "Australia/Lord_Howe", 24.5),
        ("2026-10-04T12:00+11:00", "Australia/Lord_Howe", 23.5),
        ("2026-09-06T12:00-03:00", "America/Santiago", 23),  # there is no midnight
        ("2026-04-04T12:00-03:00", "America/Santiago", 25),  # 24:00 becomes 23:00
        ("2026-03-08T12:00-04:00", "America/Havana", 23),
        ("2026-11-01T12:00-05:00", "America/Havana", 25),  # midnight comes twice
        ("2026-11-23T12:00+05:45", "Asia/Kathmandu", 24),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(moment: str, name: str, hours: float) -> None:
    found = day(moment, name)
    assert found.resets_at - found.starts_at == timedelta(hours=hours)
    assert found.name == moment[:10]


def test_a_day_without_midnight_begins_after_the_gap_and_one_with_two_at_the_first() -> None:
    assert day("2026-09-06T12:00-03:00", "America/Santiago").starts_at == at("2026-09-06T01:00-03:00")
    assert day("2026-11-01T12:00-05:00", "America/Havana").starts_at == at("2026-11-01T00:00-04:00")


def test_a_date_that_never_was_has_no_period() -> None:
    before = day("2011-12-29T12:00-10:00", "Pacific/Apia")
    assert periods.following(before, before.resets_at, zone("Pacific/Apia")).name == "2011-12-31"


@pytest.mark.parametrize(
    ("moment", "name", "length"),
    [("2026-12-31T23:59", "2026-12", 31), ("2027-01-01T00:00", "2027-01", 31), ("2028-02-29T23:59", "2028-02", 29)],
)
def test_a_month_has_all_its_days_and_ends_with_the_year(moment: str, name: str, length: int) -> None:
    found = periods.current("month", at(f"{moment}+05:45"), zone("Asia/Kathmandu"))
    assert (found.name, found.resets_at - found.starts_at) == (name, timedelta(days=length))


@given(KINDS, MOMENTS, st.lists(st.tuples(st.sampled_from(ZONES), st.integers(0, 90 * 60)), min_size=2, max_size=12))
def test_however_the_zone_changes_one_period_follows_the_other(
    kind: Kind, now: datetime, changes: list[tuple[str, int]]
) -> None:
    """Each change lasts some minutes; a call is made after each. Nothing is named twice, nothing goes back."""
    newest, names = None, []
    for name, minutes in changes:
        found = budgets.upcoming(kind, newest, now, zone(name))
        assert now < found.resets_at
        if newest is not None and newest.resets_at > now:
            assert found == newest, "a changed zone holds from the next period"
        elif newest is not None and found.name == newest.name:
            assert (found.starts_at, found.resets_at > newest.resets_at) == (newest.starts_at, True)
        names.append(found.name)
        newest, now = found, now + timedelta(minutes=minutes)
    assert names == sorted(names)


def test_to_the_east_the_next_day_begins_when_the_old_one_has_ended() -> None:
    old = day("2026-11-23T12:00+01:00", "Europe/Paris")
    assert budgets.upcoming("day", old, old.resets_at - SECOND, zone("Asia/Kathmandu")) == old
    new = budgets.upcoming("day", old, old.resets_at, zone("Asia/Kathmandu"))
    assert (new.name, new.resets_at) == ("2026-11-24", at("2026-11-25T00:00+05:45"))


def test_to_the_west_the_old_day_goes_on_until_its_date_ends_there() -> None:
    old = day("2026-11-23T12:00+01:00", "Europe/Paris")
    new = budgets.upcoming("day", old, old.resets_at, zone("America/New_York"))
    assert new == Period("day", "2026-11-23", old.starts_at, at("2026-11-24T00:00-05:00"))


def test_across_the_date_line_a_month_does_not_come_back() -> None:
    old = periods.current("month", at("2026-12-05T12:00+14:00"), zone("Pacific/Kiritimati"))
    ended = old.resets_at
    new = budgets.upcoming("month", old, ended, zone("Pacific/Pago_Pago"))
    assert (new.name, new.resets_at) == ("2026-12", at("2027-01-01T00:00-11:00"))
    today = periods.current("day", at("2026-12-05T12:00+14:00"), zone("Pacific/Kiritimati"))
    again = budgets.upcoming("day", today, today.resets_at, zone("Pacific/Pago_Pago"))
    assert (again.name, again.resets_at) == ("2026-12-05", at("2026-12-06T00:00-11:00"))


def test_a_period_is_named_by_its_date() -> None:
    assert periods.name_of("day", date(2026, 1, 2)) == "2026-01-02"
    assert periods.name_of("month", date(2026, 1, 2)) == "2026-01"
