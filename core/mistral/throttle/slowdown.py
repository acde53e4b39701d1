"""How a model that says "too many" slows everybody down: half the rate at once, then a little more per success."""

from __future__ import annotations

from collections import deque

_LEAST_RATE = 0.1  # calls a second
_FIRST_RATE = 1.0  # what is taken for the rate where too few calls were seen to tell
_RECENT = 10.0  # seconds
_STEPS = 20  # successes from nothing back to the rate before
_LONGEST_PAUSE = 600.0  # what a Retry-After can ask for
_LONGEST_GUESS = 16.0


class Slowdown:
    """The brake of one model; times are monotonic seconds. `rate`: calls a second, None while nothing is slowed."""

    __slots__ = ("_cut_at", "_full", "_next_at", "_recent", "_streak", "paused_until", "rate")

    def __init__(self) -> None:
        self.rate: float | None = None
        self.paused_until = 0.0
        self._full = 0.0
        self._next_at = 0.0
        self._cut_at = float("-inf")
        self._streak = 0
        self._recent: deque[float] = deque(maxlen=128)

    def wait(self, now: float) -> float:
        """Seconds until the next call may go."""
        next_at = self._next_at if self.rate is not None else now
        return max(self.paused_until - now, next_at - now, 0.0)

    def took(self, now: float) -> None:
        """A call was let in."""
        self._recent.append(now)
        if self.rate is not None:
            self._next_at = now + 1.0 / self.rate

    def refused(self, started_at: float, now: float, retry_after: float | None) -> bool:
        """A call that left at `started_at` met 429 or 503. True if it slows further: one wave of them counts once."""
        first = started_at > self._cut_at
        if first:
            self._cut_at = now
            self._streak += 1
            if self.rate is None:
                self._full = self.rate = self._seen(now)
            self.rate = max(self.rate / 2, _LEAST_RATE)
        pause = retry_after if retry_after is not None else min(0.5 * 2.0**self._streak, _LONGEST_GUESS)
        if first or retry_after is not None:
            self.paused_until = max(self.paused_until, now + min(pause, _LONGEST_PAUSE))
        return first

    def succeeded(self, started_at: float) -> None:
        """A call that left at `started_at` was answered; those from before the last refusal say nothing."""
        if started_at <= self._cut_at:
            return
        self._streak = 0
        if self.rate is not None:
            self.rate += self._full / _STEPS
            if self.rate >= self._full:
                self.rate = None

    def _seen(self, now: float) -> float:
        recent = [at for at in self._recent if now - at <= _RECENT]
        if len(recent) < 2 or now <= recent[0]:
            return _FIRST_RATE
        return max(len(recent) / max(now - recent[0], 1.0), _FIRST_RATE)
