"""Sliding windows that count the calls let through."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

from bots.playground.slack.faults import SlackFaults


class RateLimits:
    """Counts calls per method and posts per channel. Refused calls are not counted."""

    def __init__(self, faults: SlackFaults, clock: Callable[[], float]) -> None:
        self._faults = faults
        self._clock = clock
        self._windows: dict[str, deque[float]] = {}

    def wait_for(self, method: str, channel: str | None) -> int | None:
        """Seconds to send as `Retry-After`, at least 1; None lets the call through and counts it."""
        asked: list[tuple[str, int, float]] = []
        allowed = self._faults.calls_allowed(method)
        if allowed is not None:
            asked.append((method, allowed, self._faults.rate_window))
        if method == "chat.postMessage" and channel and self._faults.posts_limited:
            asked.append((f"{method} {channel}", 1, 1.0))
        now = self._clock()
        waits = [self._wait(*limit, now) for limit in asked]
        if any(waits):
            return max(1, math.ceil(max(waits)))
        for name, _, _ in asked:
            self._windows[name].append(now)
        return None

    def _wait(self, name: str, allowed: int, window: float, now: float) -> float:
        seen = self._windows.setdefault(name, deque())
        while seen and seen[0] <= now - window:
            seen.popleft()
        if len(seen) < allowed:
            return 0.0
        return seen[0] + window - now if seen else window
