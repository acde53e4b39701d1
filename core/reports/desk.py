"""Reports from being due to being announced: opened on time, made once, frozen before anybody sees them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Literal

import structlog

from core.errors import StoreUnavailable, WrongUse
from core.messages import Action, Announcement, Notice, WorkspaceKey
from core.ports import ChatPlatform, Clock
from core.reports import daily, rows
from core.reports.basis import Basis
from core.reports.pictures import Pictures
from core.reports.report import Kind, Report
from core.reports.schedule import Schedule
from core.settings import Settings
from core.store import (
    admin_controls,
    announcements,
    report_runs,
    report_schedule,
    report_settings,
    workspace_settings,
    workspaces,
)
from core.store.announcements import Claimed
from core.store.database import Connection, Database
from core.store.report_runs import Run, RunKey
from core.store.report_schedule import Whose

KIND = "report"  # of announcements
BUTTONS = ("csv", "budget", "mute")
AT_ONCE = 4  # reports that are made side by side
_OPENED_AT_ONCE = 250
_GIVEN_UP_AFTER = 5  # tries
_log = structlog.get_logger()

PostNow = Literal["announced", "before"]


class Reports:
    """What `tick` does is done once, by whichever process comes first. `platforms` by name, as they are connected."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        platforms: Mapping[str, ChatPlatform],
        basis: Callable[[datetime], Basis],
        pictures: Pictures,
        clock: Clock,
    ) -> None:
        self._database = database
        self._platforms = platforms
        self._basis = basis
        self._pictures = pictures
        self._clock = clock
        self._schedule = Schedule(settings)
        self._looked = False

    async def tick(self) -> None:
        """Opens the reports that are due and makes those that nobody makes. Raises StoreUnavailable."""
        if not self._platforms:
            return
        if not self._looked:  # the settings may be others than those of the process before
            now = self._clock.now()
            await self._database.write(lambda connection: report_schedule.look_again(connection, now))
            self._looked = True
        await self.open()
        await self.make()

    async def open(self) -> None:
        """Claims what is due, in batches: other processes take others."""
        for step in (self._schedule.add_new, self._schedule.open_due):
            looked_at = _OPENED_AT_ONCE
            while looked_at == _OPENED_AT_ONCE:
                now, names = self._clock.now(), self._names()
                looked_at = await self._database.write(
                    lambda connection: step(connection, names, now, _OPENED_AT_ONCE)  # noqa: B023 - run at once
                )

    async def make(self) -> None:
        """Makes the reports that are open, those of a process that died included."""
        while True:
            now, names = self._clock.now(), self._names()
            runs = await self._database.write(
                lambda connection: report_runs.take(connection, names, now, AT_ONCE)  # noqa: B023 - run at once
            )
            if not runs:
                return
            for outcome in await asyncio.gather(*(self._make(run) for run in runs), return_exceptions=True):
                if isinstance(outcome, BaseException):
                    raise outcome

    async def report(self, key: WorkspaceKey, kind: Kind = "daily", on: date | None = None) -> Report:
        """A workspace's report as it stands, of the newest day, week or month that is over, or that ends `on`.

        Raises WrongUse for a workspace that nothing is known of, StoreUnavailable.
        """
        now = self._clock.now()

        def look(connection: Connection) -> Report:
            whose = self._whose(connection, key)
            last = on or self._schedule.newest_whole(whose, kind, now)
            found = report_runs.find(connection, RunKey(whose.workspace, kind, last))
            if found is not None and found.figures is not None:
                return Report.from_json(found.figures)
            return daily.figures(connection, whose.workspace, key, kind, last, basis=self._basis(now))

        return await self._database.read(look)

    async def picture(self, key: WorkspaceKey, kind: Kind = "daily", on: date | None = None) -> bytes | None:
        """The PNG of a report; None where there is nothing to draw, or that failed. Raises as `report` does."""
        return await self._pictures.draw(await self.report(key, kind, on))

    async def table(self, key: WorkspaceKey, first: date, last: date) -> str:
        """The figures of some days as CSV. Raises WrongUse for an unknown workspace, StoreUnavailable."""

        def look(connection: Connection) -> str:
            return rows.csv(connection, self._whose(connection, key).workspace, key, first, last)

        return await self._database.read(look)

    async def post_now(self, key: WorkspaceKey, kind: Kind = "daily", on: date | None = None) -> tuple[PostNow, RunKey]:
        """Announces a report at once, also one that would be silent; "before": it was posted, or is about to be.

        Raises WrongUse for a workspace that nothing is known of and for days that are not over, StoreUnavailable.
        """
        now = self._clock.now()
        whose = await self._database.read(lambda connection: self._whose(connection, key))
        newest = self._schedule.newest_whole(whose, kind, now)
        last = on or newest
        if last > newest:
            raise WrongUse(f"{last} is not over yet: its report can be looked at, and posted from the next day on.")
        run = Run(RunKey(whose.workspace, kind, last), key, 0, 1)
        report = await self._database.read(lambda connection: self._figures(connection, run, now))

        def announce(connection: Connection) -> PostNow:
            report_runs.open_all(connection, [report_runs.Opened(run.key)], now)
            return "announced" if self._announce(connection, run.key, report, now, again=True) else "before"

        return await self._database.write(announce), run.key

    async def became(self, key: RunKey) -> report_runs.Found | None:
        """What became of a report. Raises StoreUnavailable."""
        return await self._database.read(lambda connection: report_runs.find(connection, key))

    async def filled(self, claimed: Claimed) -> Announcement:
        """The announcement with its report and its picture, as they were frozen. Raises StoreUnavailable."""
        run = key_of(claimed.announcement.name)
        found = await self._database.read(lambda connection: report_runs.find(connection, run))
        if found is None or found.figures is None:
            return claimed.announcement
        report = Report.from_json(found.figures)
        return replace(claimed.announcement, report=report, picture=await self._pictures.draw(report))

    def ended(self, connection: Connection, claimed: Claimed, failure: str | None, now: datetime) -> None:
        """The report's announcement is over: so is the report, in the same transaction."""
        key = key_of(claimed.announcement.name)
        stands = announcements.first_place(connection, key.workspace, claimed.announcement.name)
        place, platform_id = stands if stands is not None else (None, None)
        report_runs.end(
            connection,
            key,
            "posted" if failure is None else "failed",
            now,
            failure=failure,
            place=place,
            platform_id=platform_id,
        )

    async def aclose(self) -> None:
        """Ends the process that draws."""
        await self._pictures.aclose()

    async def _make(self, run: Run) -> None:
        now = self._clock.now()
        try:
            report, silent = await self._database.read(lambda connection: self._made(connection, run, now))
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - one report's fault is not the others'
            # A fault of ours. It is tried again when the claim is over: by then it may be another version's turn.
            _log.exception("report.fault", report=str(run.key), tries=run.tries)
            if run.tries >= _GIVEN_UP_AFTER:
                await self._database.write(
                    lambda connection: report_runs.end(connection, run.key, "failed", now, failure="fault")
                )
            return
        if silent:
            await self._database.write(lambda connection: report_runs.end(connection, run.key, "silent", now))
            return
        await self._database.write(lambda connection: self._announce(connection, run.key, report, now))
        _log.info("report.made", report=str(run.key))

    def _made(self, connection: Connection, run: Run, now: datetime) -> tuple[Report, bool]:
        report = self._figures(connection, run, now)
        wanted = report_settings.of(connection, run.key.workspace).zero_days
        return report, report.silent and not wanted

    def _figures(self, connection: Connection, run: Run, now: datetime) -> Report:
        key = run.key
        report = daily.figures(connection, key.workspace, run.workspace, key.kind, key.date, basis=self._basis(now))
        return replace(report, missed=run.missed)

    def _announce(
        self, connection: Connection, key: RunKey, report: Report, now: datetime, *, again: bool = False
    ) -> bool:
        """Freezes the figures and puts the announcement, both or none. False: that was done before."""
        tries = report_runs.freeze(connection, key, report.to_json(), again=again)
        if tries is None:
            return False
        if report.people is not None:
            workspace_settings.record_view(connection, key.workspace, "report", by=None, now=now)
        about: dict[str, str | int] = {"kind": key.kind, "first": str(report.first), "last": str(report.last)}
        actions = [
            Action(button, admin_controls.add(connection, key.workspace, button, about, now)) for button in BUTTONS
        ]
        name = f"{KIND}:{key}:{tries}"
        return announcements.put(connection, key.workspace, name, KIND, Notice("report", about), actions, now=now)

    def _whose(self, connection: Connection, key: WorkspaceKey) -> Whose:
        workspace = workspaces.find(connection, key)
        if workspace is None:
            raise WrongUse(f"Nothing is known of the workspace {key}: nobody there has asked anything yet.")
        return Whose(workspace, key, report_settings.of(connection, workspace))

    def _names(self) -> tuple[str, ...]:
        return (*self._platforms, "local") if "local" not in self._platforms else tuple(self._platforms)


def key_of(name: str) -> RunKey:
    """The report of an announcement's name."""
    return RunKey.parse(":".join(name.split(":")[1:4]))
