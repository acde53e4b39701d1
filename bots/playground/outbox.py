"""What one open page has still to be sent: bounded, the latest state of each thing only."""

from __future__ import annotations

import asyncio

from bots.playground.world import Json

ROOM = 1000  # different things that may wait; a page further behind starts afresh
RELOAD: Json = {"reload": True}


class Outbox:
    """Changes on their way to one page. A message that changed twice before it was sent is sent once, as it is now."""

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._waiting: dict[tuple[str, ...], Json] = {}
        self._some = asyncio.Event()
        self._closed = False

    def put(self, place: str, change: Json) -> None:
        """Takes a change; never waits."""
        key = _key(place, change)
        if RELOAD in self._waiting.values():
            return
        if key is None or (key not in self._waiting and len(self._waiting) >= self._room):
            self._waiting = {("reload",): RELOAD}
        else:
            if key[0] == "deleted":
                self._waiting.pop(("message", *key[1:]), None)
            self._waiting[key] = {"place": place, "change": change}
        self._some.set()

    def close(self) -> None:
        """Lets the page go: `take` returns None from now on."""
        self._closed = True
        self._some.set()

    async def take(self, patience: float) -> list[Json] | None:
        """What is waiting, oldest first; empty after `patience` seconds without any; None once closed."""
        try:
            async with asyncio.timeout(patience):
                await self._some.wait()
        except TimeoutError:
            return []
        if self._closed:
            return None
        self._some.clear()
        events, self._waiting = list(self._waiting.values()), {}
        return events


def _key(place: str, change: Json) -> tuple[str, ...] | None:
    """What a change is about; None where the page has to start afresh to know."""
    match change:
        case {"type": "message", "message": {"channel": channel, "id": message}}:
            return ("message", place, str(channel), str(message))
        case {"type": "deleted", "channel": channel, "id": message}:
            return ("deleted", place, str(channel), str(message))
        case {"type": "status", "channel": channel}:
            return ("status", place, str(channel), str(change.get("thread")))
        case {"type": "channel", "channel": {"id": channel}}:
            return ("channel", place, str(channel))
        case _:
            return None
