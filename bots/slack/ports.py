"""What the Slack adapter needs of the core; `core.service.Core` honours it."""

from __future__ import annotations

from typing import Protocol

from bots import money_desk, report_desk
from core.messages import Accepted, IncomingMessage, Press, Pressed, WorkspaceKey
from core.turns.choices import Choices


class Core(money_desk.Core, report_desk.Core, Protocol):
    """Each raises StoreUnavailable where nothing could be stored or read."""

    @property
    def choices(self) -> Choices: ...
    async def accept(self, message: IncomingMessage, /) -> Accepted: ...
    async def knows(self, workspace: WorkspaceKey, channel: str, root: str, /) -> bool: ...
    async def press(self, press: Press, /) -> Pressed: ...
