"""How many native streams of one workspace may begin and end now, and whether Slack takes them there at all."""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 60.0
CALLS_PER_WINDOW = 18  # Slack's tier 2 is 20 a minute
REFUSED_SECONDS = 3600.0


class StreamAllowance:
    """Beyond it there is a way around that does not wait for most of a minute. Times are monotonic."""

    def __init__(self) -> None:
        self._begun: deque[float] = deque()
        self._ended: deque[float] = deque()
        self._closed_until = 0.0

    def may_begin(self, now: float) -> bool:
        return now >= self._closed_until and _has_room(self._begun, now)

    def may_end(self, now: float) -> bool:
        return _has_room(self._ended, now)

    def begun(self, now: float) -> None:
        self._begun.append(now)

    def ended(self, now: float) -> None:
        self._ended.append(now)

    def close(self, now: float, seconds: float = REFUSED_SECONDS) -> None:
        """No new streams for a while: Slack refused the method, or asked to wait."""
        self._closed_until = max(self._closed_until, now + seconds)


def _has_room(calls: deque[float], now: float) -> bool:
    while calls and calls[0] <= now - WINDOW_SECONDS:
        calls.popleft()
    return len(calls) < CALLS_PER_WINDOW
