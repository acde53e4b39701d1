"""Discord's rate limits: a fixed window for each bucket and place, told in headers, and one global window."""

from __future__ import annotations

import hashlib
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bots.playground.discord.faults import DiscordFaults, Limit
from bots.playground.discord.records import Json

WINDOWS_MAX = 1000


@dataclass(slots=True)
class Window:
    ends: float
    used: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and the headers of its answer. `refusal`: the 429's body."""

    headers: dict[str, str] = field(default_factory=dict)
    refusal: Json | None = None


class RateLimits:
    """Counts requests. `refused`: 429s so far by bucket, "global" among them."""

    def __init__(self, faults: DiscordFaults, clock: Callable[[], float] = time.monotonic) -> None:
        self._faults = faults
        self._clock = clock
        self._windows: dict[tuple[str, str], Window] = {}
        self.refused: Counter[str] = Counter()

    def admit(self, bucket: str, major: str, limit: Limit, *, counts_globally: bool) -> Verdict:
        """One request of a bucket at a place (`major`: channel, guild or token)."""
        if not self._faults.rate_limits:
            return Verdict()
        if counts_globally:
            everything = self._window("global", "", self._faults.everything)
            everything.used += 1
            if everything.used > self._faults.everything.count:
                self.refused["global"] += 1
                return self._refuse(everything, {"X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"})
        window = self._window(bucket, major, limit)
        window.used += 1
        headers = self._headers(bucket, window, limit)
        if window.used <= limit.count:
            return Verdict(headers)
        self.refused[bucket] += 1
        return self._refuse(window, {**headers, "X-RateLimit-Scope": "user"})

    def _window(self, bucket: str, major: str, limit: Limit) -> Window:
        now = self._clock()
        window = self._windows.get((bucket, major))
        if window is None or window.ends <= now:
            if len(self._windows) >= WINDOWS_MAX:
                self._windows = {key: one for key, one in self._windows.items() if one.ends > now}
            window = self._windows[bucket, major] = Window(now + limit.seconds)
        return window

    def _headers(self, bucket: str, window: Window, limit: Limit) -> dict[str, str]:
        after = max(0.0, window.ends - self._clock())
        return {
            "X-RateLimit-Limit": str(limit.count),
            "X-RateLimit-Remaining": str(max(0, limit.count - window.used)),
            "X-RateLimit-Reset": f"{time.time() + after:.3f}",
            "X-RateLimit-Reset-After": f"{_up(after):.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(bucket.encode()).hexdigest()[:32],
        }

    def _refuse(self, window: Window, headers: dict[str, str]) -> Verdict:
        after = _up(max(0.001, window.ends - self._clock()))
        body = {
            "message": "You are being rate limited.",
            "retry_after": after,
            "global": "X-RateLimit-Global" in headers,
        }
        return Verdict({**headers, "Retry-After": str(math.ceil(after)), "Via": "1.1 google"}, body)


def _up(seconds: float) -> float:
    """To the next millisecond: who waits that long is not early."""
    return math.ceil(seconds * 1000) / 1000
