"""Which shards of the gateway this process connects, when it may identify itself, and what Discord says of both."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

from bots.discord.rest import Rest
from core.errors import PlaceGone, PlatformUnavailable
from core.store.shards import PACE, Pace, Share


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` connections among which Discord divides the bot's servers. Number 0 has direct messages, too."""

    number: int
    count: int


class Shards(Protocol):
    """How processes share in the shards. Each raises StoreUnavailable."""

    @property
    def look_every(self) -> float:
        """Seconds from one `keep` to the next."""
        ...

    async def keep(self, wanted: int) -> Share:
        """What this process holds. `wanted`: their number, where nobody has any."""
        ...

    async def free(self, number: int | None = None) -> None:
        """Gives up a shard whose connection is closed, or all."""
        ...

    async def enter(self, door: int) -> float:
        """Seconds to wait before asking again to pass a door; 0: go, and the next one five seconds later."""
        ...


class AllShards:
    """Honours Shards for the only process there is: it holds them all."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.look_every = pace.look
        self._pause = pace.identify
        self._count = 0
        self._opens: dict[int, float] = {}  # door → the monotonic second

    async def keep(self, wanted: int) -> Share:
        self._count = self._count or wanted
        return Share(self._count, frozenset(range(self._count)))

    async def free(self, number: int | None = None) -> None:
        if number is None:
            self._count = 0

    async def enter(self, door: int) -> float:
        now = time.monotonic()
        wait = self._opens.get(door, now) - now
        if wait > 0:
            return wait
        self._opens[door] = now + self._pause
        return 0.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What Discord says of the bot's gateway.

    `remaining`: IDENTIFYs that are left until `reset_after` seconds from now; None: untold.
    `doors`: how many connections may identify themselves at once, those of one door one after the other.
    """

    shards: int = 1
    remaining: int | None = None
    reset_after: float = 0.0
    doors: int = 1

    def spend(self) -> None:
        """Raises PlatformUnavailable where one more IDENTIFY is too many: beyond the day's, Discord resets the token.

        As many as there are doors are left alone, because other processes may be at theirs.
        """
        if self.remaining is not None and self.remaining <= self.doors:
            hours = self.reset_after / 3600
            raise PlatformUnavailable(
                f"Discord allows no more gateway sessions for {hours:.1f} hours", code="session_start_limit"
            )


async def allowance(rest: Rest) -> Allowance:
    """Asks Discord; one shard where it cannot tell. Raises PlatformError."""
    try:
        told = await rest.patiently("GET", "/gateway/bot")
    except PlaceGone:
        return Allowance()
    try:
        limit = told["session_start_limit"]
        doors = max(1, int(limit["max_concurrency"]))
        return Allowance(max(1, int(told["shards"])), int(limit["remaining"]), limit["reset_after"] / 1000, doors)
    except (KeyError, TypeError, ValueError):
        return Allowance()
