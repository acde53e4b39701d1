"""What a workspace chooses about its money: where its days begin, whose figures are shown, when to save.

Who may choose is the caller's to check.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from zoneinfo import available_timezones

from core.errors import WrongUse
from core.messages import WorkspaceKey
from core.ports import Clock
from core.store import report_schedule, workspace_settings, workspaces
from core.store.database import Connection, Database
from core.store.workspace_settings import Chosen


class WorkspaceSettings:
    """Each method gives what holds afterwards. A workspace that is new is made known. All raise StoreUnavailable."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def holding(self, key: WorkspaceKey) -> Chosen:
        """What a workspace has chosen."""

        def look(connection: Connection) -> Chosen:
            return workspace_settings.chosen(connection, workspaces.find(connection, key))

        return await self._database.read(look)

    async def choose_zone(self, key: WorkspaceKey, written: str) -> Chosen:
        """Sets the zone, "default" being that of the settings. Raises WrongUse for one that there is not.

        It holds from the next period: a day and a month that have begun end where they were to end.
        """
        zone = None if written.strip().lower() == "default" else _zone(written)
        now = self._clock.now()

        def choose(connection: Connection, workspace: int) -> None:
            workspace_settings.set_zone(connection, workspace, zone)
            report_schedule.look_again(connection, now, workspace)  # the hour of its reports is another one

        return await self._change(key, choose)

    async def show_people(self, key: WorkspaceKey, *, shown: bool) -> Chosen:
        """Turns the figures of single people on or off, for those who may see the workspace's."""
        return await self._change(
            key, lambda connection, workspace: workspace_settings.change(connection, workspace, show_people=shown)
        )

    async def save_from(self, key: WorkspaceKey, percent: int | None) -> Chosen:
        """From which percent of the month's limit the economy model is the default; None: never by itself.

        Raises WrongUse outside of 1 to 100.
        """
        if percent is not None and not 1 <= percent <= 100:
            raise WrongUse("That is no part of a limit: write a whole number from 1 to 100, such as 80.")
        return await self._change(
            key,
            lambda connection, workspace: workspace_settings.change(connection, workspace, economy_at_percent=percent),
        )

    async def _change(self, key: WorkspaceKey, what: Callable[[Connection, int], None]) -> Chosen:
        now = self._clock.now()

        def change(connection: Connection) -> Chosen:
            workspace = workspaces.ensure(connection, key, now)
            what(connection, workspace)
            return workspace_settings.chosen(connection, workspace)

        return await self._database.write(change)


def _zone(written: str) -> str:
    """The zone's own name, whatever the letters' case. Raises WrongUse."""
    by_lower = {name.lower(): name for name in available_timezones()}
    name = written.strip().replace(" ", "_")
    if (found := by_lower.get(name.lower())) is not None:
        return found
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    instead = f"did you mean {by_lower[near[0]]}?" if near else "write one such as Europe/Paris."
    raise WrongUse(f"I do not know that time zone: {instead}")
