"""When a report is due: the local hour of a date, in zones that put their clocks forward and back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core.messages import WorkspaceKey
from core.reports.report import Kind
from core.reports.spans import end_of_month

_DAY = timedelta(days=1)
_SATURDAY, _SUNDAY = 5, 6


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a workspace wants to read: at `hour` of its `zone`, a little later (`offset`) so that not all come at once.

    `weekdays_only`: nothing comes on a Saturday or Sunday. What is about Friday comes on Monday then.
    """

    hour: int
    zone: ZoneInfo
    weekdays_only: bool = False
    offset: timedelta = timedelta()

    def due(self, last: date) -> datetime:
        """The instant, in UTC, of the report about what ends with the local date `last`."""
        day = last + _DAY
        while self.weekdays_only and day.weekday() >= _SATURDAY:
            day += _DAY
        return instant(day, self.hour, self.zone) + self.offset

    def following(self, kind: Kind, last: date) -> date:
        """The end of what the next report is about; `last` need not be such an end itself."""
        if kind == "weekly":
            return last + (_SUNDAY - last.weekday() or 7) * _DAY
        if kind == "monthly":
            return end_of_month(last + _DAY)
        following = last + _DAY
        while self.weekdays_only and following.weekday() >= _SATURDAY:
            following += _DAY
        return following

    def first(self, kind: Kind, now: datetime) -> date:
        """The end of what the next report is about that is not due yet."""
        last = now.astimezone(self.zone).date() - 8 * _DAY if kind != "monthly" else self._month_before(now)
        while self.due(last := self.following(kind, last)) <= now:
            pass
        return last

    def latest(self, kind: Kind, since: date, now: datetime) -> tuple[date, int] | None:
        """The newest that is due, of those from `since` on, and how many before it are; None: none is."""
        if self.due(since) > now:
            return None
        missed = 0
        while self.due(following := self.following(kind, since)) <= now:
            since, missed = following, missed + 1
        return since, missed

    def _month_before(self, now: datetime) -> date:
        first = now.astimezone(self.zone).date().replace(day=1)
        return (first - _DAY).replace(day=1) - _DAY


def instant(day: date, hour: int, zone: ZoneInfo) -> datetime:
    """The instant at which a zone's clocks show a local hour, in UTC.

    Where they show it twice, the first time; where they pass over it, the first instant after the gap.
    """
    wall = datetime.combine(day, time(hour), zone)  # fold 0: the first of two
    found = wall.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return found
    # In a gap the offset before it leads to an instant after it, the offset after it to an instant before it.
    after = wall.replace(fold=1).utcoffset()
    early, late = int(wall.replace(fold=1).astimezone(UTC).timestamp()), int(found.timestamp())
    while late - early > 1:
        middle = (early + late) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == after:
            late = middle
        else:
            early = middle
    return datetime.fromtimestamp(late, UTC)


def offset(key: WorkspaceKey, spread: timedelta) -> timedelta:
    """By how much later than its hour a workspace's reports come: always the same, less than `spread`, in seconds."""
    seconds = int(spread.total_seconds())
    if seconds <= 0:
        return timedelta()
    drawn = int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8], "big")
    return timedelta(seconds=drawn % seconds)
