"""What the Slack adapter needs of the core; `core.service.Core` honours it."""

from __future__ import annotations

from typing import Protocol

from core.messages import Accepted, IncomingMessage, Press, Pressed, WorkspaceKey
from core.reports.figures import UsageView
from core.turns.choices import Choices


class Core(Protocol):
    """Each raises StoreUnavailable where nothing could be stored or read."""

    @property
    def choices(self) -> Choices: ...
    async def accept(self, message: IncomingMessage, /) -> Accepted: ...
    async def knows(self, workspace: WorkspaceKey, channel: str, root: str, /) -> bool: ...
    async def press(self, press: Press, /) -> Pressed: ...
    async def usage_today_and_month(self, workspace: WorkspaceKey, person: str | None, /) -> UsageView: ...
