"""Who may press a button for admins."""

from __future__ import annotations

from collections.abc import Mapping

from core.announcing.places import is_run_here
from core.messages import Press, WorkspaceKey
from core.ports import ChatPlatform
from core.settings import Settings


class Authority:
    """`platforms` by name: they know who administrates a workspace."""

    def __init__(self, settings: Settings, platforms: Mapping[str, ChatPlatform]) -> None:
        self._settings = settings
        self._platforms = platforms

    def operates(self, press: Press) -> bool:
        """Whether they run the installation, by BISE_ADMINS."""
        return f"{press.workspace.platform}:{press.person.id}" in self._settings.admins

    async def administrates(self, press: Press, key: WorkspaceKey) -> bool:
        """Whether they have a say in a workspace; in a direct message only the platform knows. Raises PlatformError."""
        if self.operates(press):
            return True
        if is_run_here(key) or press.person.external or press.workspace.platform != key.platform:
            return False
        if press.workspace == key and press.person.admin:
            return True
        platform = self._platforms.get(key.platform)
        return platform is not None and press.person.id in await platform.admins_of(key)
