"""What a workspace chooses about its reports. Who may choose is the caller's to check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from core.errors import WrongUse
from core.messages import WorkspaceKey
from core.ports import Clock
from core.reports.report import KINDS, Kind
from core.reports.schedule import Schedule
from core.settings import Settings
from core.store import report_schedule, report_settings, workspace_settings, workspaces
from core.store.database import Connection, Database
from core.store.report_schedule import Whose
from core.store.report_settings import ReportSettings

A_WEEK = timedelta(days=7)
Switch = Literal["weekdays_only", "zero_days", "people"]
_ID_MAX = 64


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds: the workspace's choice, else what the installation's settings say.

    `following`: when the next reports come, in the workspace's zone; of each kind that is on, the soonest first.
    """

    chosen: ReportSettings
    hour: int
    zone: str
    following: tuple[tuple[Kind, datetime], ...]
    muted: bool = False


class ReportChoices:
    """Each method gives what holds afterwards. A workspace that is new is made known. All raise StoreUnavailable."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._schedule = Schedule(settings)
        self._database = database
        self._clock = clock

    async def holding(self, key: WorkspaceKey) -> Holding:
        """What a workspace has chosen."""
        now = self._clock.now()

        def look(connection: Connection) -> Holding:
            workspace = workspaces.find(connection, key)
            return self._holding(Whose(workspace or 0, key, report_settings.of(connection, workspace)), now)

        return await self._database.read(look)

    async def choose_hour(self, key: WorkspaceKey, hour: int | None) -> Holding:
        """The local hour at which reports come; None: the settings'. Raises WrongUse outside of 0 to 23."""
        if hour is not None and not 0 <= hour <= 23:
            raise WrongUse("That is no hour of a day: write a whole number from 0 to 23, such as 8.")
        return await self._change(key, lambda _: {"report_hour": hour})

    async def choose_channel(self, key: WorkspaceKey, channel: str | None) -> Holding:
        """Where reports and alerts go, by the platform's id; None: where the settings say, else to the admins."""
        if channel is not None and not (channel.isalnum() and channel.isascii() and len(channel) <= _ID_MAX):
            raise WrongUse("That is no channel: write its id, such as C0123 or 1000.")
        return await self._change(key, lambda _: {"report_channel": channel})

    async def turn(self, key: WorkspaceKey, kind: Kind, *, on: bool) -> Holding:
        """Whether a kind of report comes."""

        def kinds(chosen: ReportSettings) -> dict[str, object]:
            wanted = {*chosen.kinds, kind} if on else {*chosen.kinds} - {kind}
            return {"report_kinds": ",".join(one for one in KINDS if one in wanted)}

        return await self._change(key, kinds)

    async def turn_off(self, key: WorkspaceKey) -> Holding:
        """No report of any kind."""
        return await self._change(key, lambda _: {"report_kinds": ""})

    async def switch(self, key: WorkspaceKey, what: Switch, *, on: bool) -> Holding:
        """Reports on weekdays only; reports of days without use; what single people have spent in them."""
        return await self._change(key, lambda _: {f"report_{what}": on})

    async def mute(self, key: WorkspaceKey, *, muted: bool = True) -> Holding:
        """No report for a week from now, or again from now on."""
        until = self._clock.now() + A_WEEK if muted else None
        return await self._change(key, lambda _: {"report_muted_until": until})

    async def _change(self, key: WorkspaceKey, values: Callable[[ReportSettings], dict[str, object]]) -> Holding:
        now = self._clock.now()

        def change(connection: Connection) -> Holding:
            workspace = workspaces.ensure(connection, key, now)
            before = report_settings.of(connection, workspace, lock=True)
            workspace_settings.change(connection, workspace, **values(before))
            report_schedule.look_again(connection, now, workspace)
            return self._holding(Whose(workspace, key, report_settings.of(connection, workspace)), now)

        return await self._database.write(change)

    def _holding(self, whose: Whose, now: datetime) -> Holding:
        rhythm, chosen = self._schedule.rhythm(whose), whose.chosen
        muted = chosen.muted_until if chosen.muted_until is not None and chosen.muted_until > now else None
        following: dict[Kind, datetime] = {}
        for kind in chosen.kinds:
            last = rhythm.first(kind, now)
            while muted is not None and rhythm.due(last) < muted:
                last = rhythm.following(kind, last)
            following[kind] = rhythm.due(last).astimezone(rhythm.zone)
        soonest = sorted(following.items(), key=lambda one: one[1])
        return Holding(chosen, rhythm.hour, rhythm.zone.key, tuple(soonest), muted is not None)
