"""Whom an announcement is for: round after round, until one takes it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

import structlog

from core.announcing import places
from core.announcing.places import Round
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import WorkspaceKey
from core.ports import ChatPlatform
from core.settings import Settings
from core.store.announcements import Claimed

PLACE_LOST = "place_lost"  # the kind of an announcement that a channel takes no announcements
_log = structlog.get_logger()


class Rounds:
    """Never a public channel that nobody named. `platforms` by name, as they are connected."""

    def __init__(self, settings: Settings, platforms: Mapping[str, ChatPlatform]) -> None:
        self._settings = settings
        self._platforms = platforms

    async def of(self, claimed: Claimed) -> AsyncGenerator[Round]:
        """The channel for reports, then people. A platform is asked for its admins when it comes to them.

        Raises PlatformUnavailable and TokenRevoked where it cannot be asked now.
        """
        key, by_channel = claimed.workspace, claimed.kind != PLACE_LOST
        if key is None or places.is_run_here(key):
            channel, *people = places.of_installation(self._settings)
            for one in (channel, *people) if by_channel else people:
                yield one
            return
        for one in places.of_reports(self._settings, key, claimed.channel) if by_channel else ():
            yield one
        yield places.of_admins(self._settings, key, await self._admins(key))

    async def _admins(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        platform = self._platforms.get(workspace.platform)
        if platform is None:
            raise PlatformUnavailable(f"{workspace} is not connected", code="not_connected")
        try:
            return await platform.admins_of(workspace)
        except (PlatformUnavailable, TokenRevoked):
            raise
        except PlatformError as error:  # those of BISE_ADMINS are left
            _log.warning("announcement.admins_unknown", platform=platform.name, why=error.code or error.reason)
            return ()
