"""Who is seen typing: the bot, for ten seconds or until it says something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

SECONDS: Final = 10.0


class TypingNotes:
    """Channels in which the bot is typing. `changed(channel, typing)` is called whenever that begins or ends."""

    def __init__(self, changed: Callable[[str, bool], None]) -> None:
        self._changed = changed
        self._ends: dict[str, asyncio.TimerHandle] = {}

    def begin(self, channel: str) -> None:
        before = self._ends.pop(channel, None)
        if before is not None:
            before.cancel()
        self._ends[channel] = asyncio.get_running_loop().call_later(SECONDS, self.end, channel)
        if before is None:
            self._changed(channel, True)

    def end(self, channel: str) -> None:
        before = self._ends.pop(channel, None)
        if before is not None:
            before.cancel()
            self._changed(channel, False)

    def now(self) -> list[str]:
        return list(self._ends)
