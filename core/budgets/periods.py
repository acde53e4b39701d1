"""Days and calendar months as they begin and end in a zone, whatever its clocks do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Kind = Literal["day", "month"]
KINDS: tuple[Kind, ...] = ("day", "month")
_DAY = 24 * 3600
_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """A local day (`name` 2026-11-23) or calendar month (2026-11), from `starts_at` until `resets_at`, in UTC."""

    kind: Kind
    name: str
    starts_at: datetime
    resets_at: datetime


def current(kind: Kind, now: datetime, zone: ZoneInfo) -> Period:
    """The period that `now` lies in; every instant lies in exactly one."""
    today = now.astimezone(zone).date()
    if begins(today + _ONE, zone) <= now:  # clocks put back over midnight show a date again that has ended
        today += _ONE
    return _of(kind, today, zone)


def following(before: Period, now: datetime, zone: ZoneInfo) -> Period:
    """The period of `now` after one that has ended, in a zone that may have changed meanwhile.

    To the west the calendar may show the old period's date once more, or one before it: then the old one goes on until
    its date ends there, so that no date has two periods.
    """
    found = current(before.kind, now, zone)
    if found.name > before.name:
        return found
    end = _of(before.kind, date.fromisoformat(before.name if before.kind == "day" else f"{before.name}-01"), zone)
    return Period(before.kind, before.name, before.starts_at, end.resets_at)


def name_of(kind: Kind, day: date) -> str:
    """What the period of a local date is called."""
    return day.isoformat() if kind == "day" else day.isoformat()[:7]


def begins(day: date, zone: ZoneInfo) -> datetime:
    """The first instant of a local date, in UTC.

    Where clocks are put forward over midnight, the first instant after the gap; where midnight comes twice, its first.
    """
    midnight = datetime.combine(day, time(), zone)  # fold 0: the first of two
    instant = midnight.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # Midnight lies in a gap that may have begun before it: find the second at which the date begins.
    before, after = int(instant.timestamp()) - _DAY, int(instant.timestamp()) + _DAY
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, zone).date() < day:
            before = middle
        else:
            after = middle
    return datetime.fromtimestamp(after, UTC)


def _of(kind: Kind, day: date, zone: ZoneInfo) -> Period:
    """The period of a local date."""
    first = day if kind == "day" else day.replace(day=1)
    after = first + _ONE if kind == "day" else (first + timedelta(days=32)).replace(day=1)
    return Period(kind, name_of(kind, first), begins(first, zone), begins(after, zone))
