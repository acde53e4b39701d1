"""Opens the reports that are due, each once, whoever looks: decided from what a workspace wants at that moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.reports import due
from core.reports.due import Rhythm
from core.reports.report import Kind
from core.reports.spans import end_of_month
from core.settings import Settings
from core.store import report_runs, report_schedule
from core.store.database import Connection
from core.store.report_runs import Opened, RunKey
from core.store.report_schedule import Due, Next, Whose

_WEEK = 7  # days


class Schedule:
    """Every method is a part of the caller's transaction. `platforms`: by name, those that are connected here."""

    def __init__(self, settings: Settings) -> None:
        self._hour = settings.report_hour
        self._zone = settings.timezone
        self._spread = timedelta(minutes=settings.report_spread_minutes)

    def rhythm(self, whose: Whose) -> Rhythm:
        """When a workspace's reports come."""
        chosen = whose.chosen
        hour = self._hour if chosen.hour is None else chosen.hour
        offset = due.offset(whose.key, self._spread)
        return Rhythm(hour, ZoneInfo(chosen.zone or self._zone), chosen.weekdays_only, offset)

    def add_new(self, connection: Connection, platforms: Sequence[str], now: datetime, most: int) -> int:
        """Schedules what some workspaces want and have not had; how many workspaces those were."""
        found = report_schedule.new(connection, platforms, most)
        for whose in found:
            self._add(connection, whose, now)
        return len(found)

    def _add(self, connection: Connection, whose: Whose, now: datetime) -> None:
        rhythm, there = self.rhythm(whose), report_schedule.kinds_of(connection, whose.workspace)
        first = {kind: rhythm.first(kind, now) for kind in whose.chosen.kinds if kind not in there}
        report_schedule.add(
            connection, [Next(whose.workspace, kind, last, rhythm.due(last)) for kind, last in first.items()]
        )

    def open_due(self, connection: Connection, platforms: Sequence[str], now: datetime, most: int) -> int:
        """Opens those that are due, only the latest after a downtime, and schedules the next ones.

        How many were looked at: as many as `most` where more may be due.
        """
        found = report_schedule.due(connection, platforms, now, most)
        opened: list[Opened] = []
        following: list[Next] = []
        for one in found:
            if one.kind not in one.whose.chosen.kinds:
                continue
            last, rhythm = one.date, self.rhythm(one.whose)
            if (latest := rhythm.latest(one.kind, last, now)) is not None:
                last, missed = latest
                opened.append(self._opened(one, last, missed, now))
                last = rhythm.following(one.kind, last)
            following.append(Next(one.whose.workspace, one.kind, last, rhythm.due(last)))
        report_runs.open_all(connection, opened, now)
        report_schedule.move(connection, following)
        report_schedule.drop(connection, [one for one in found if one.kind not in one.whose.chosen.kinds])
        return len(found)

    def _opened(self, one: Due, last: date, missed: int, now: datetime) -> Opened:
        muted = one.whose.chosen.muted_until
        key = RunKey(one.whose.workspace, one.kind, last)
        return Opened(key, missed, skipped=muted is not None and now < muted)

    def newest_whole(self, whose: Whose, kind: Kind, now: datetime) -> date:
        """The last local date of the newest day, week or month that is over."""
        yesterday = now.astimezone(self.rhythm(whose).zone).date() - timedelta(days=1)
        if kind == "weekly":
            return yesterday - timedelta(days=(yesterday.weekday() + 1) % _WEEK)
        if kind == "monthly" and end_of_month(yesterday) != yesterday:
            return yesterday.replace(day=1) - timedelta(days=1)
        return yesterday
