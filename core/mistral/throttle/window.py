"""An exact rolling window over what was sent: never more than the limit in any stretch of its length."""

from __future__ import annotations

from collections import deque

_BURST_SHARE = 4  # one part in four may go at once, the others keep a pace
_LATE = 0.05  # seconds by which a timer may be late without the pace losing them


class Entry:
    """What one call takes of a window. `started_at` is None until it leaves: until then it does not grow old."""

    __slots__ = ("burst", "live", "started_at", "weight")

    def __init__(self, weight: int, *, burst: bool) -> None:
        self.weight = weight
        self.burst = burst
        self.started_at: float | None = None
        self.live = True


class Window:
    """At most `limit` of weight in any `seconds`; times are monotonic seconds that never go back.

    A quarter of the limit may be taken at once and comes back `seconds` later; the rest is paced evenly over the
    window, so that a burst at its start leaves the others a share of every second. Together they are the whole limit.
    """

    __slots__ = ("_burst_used", "_bursts", "_next_paced", "_started", "limit", "seconds", "taken", "used")

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.used = 0
        self.taken = 0  # everything ever taken: tells what was added between two instants
        self._started: deque[Entry] = deque()
        self._bursts: deque[Entry] = deque()
        self._burst_used = 0
        self._next_paced = 0.0

    def wait(self, weight: int, now: float) -> float | None:
        """Seconds until that weight may be taken; None if not before a call that was let in starts or is dropped."""
        self._expire(now)
        weight = self.clamped(weight)
        room = self._room_at(weight, now)
        if room is None:
            return None
        return max(room, self._pace_at(weight, now)) - now

    def take(self, weight: int, now: float) -> Entry:
        """Takes the weight, clamped to the limit; what takes it asked `wait` first, or goes over the limit."""
        self._expire(now)
        weight = self.clamped(weight)
        paced = now >= self._next_paced
        entry = Entry(weight, burst=not paced)
        if paced:
            self._next_paced = max(self._next_paced, now - min(_LATE, self.seconds / self.limit)) + self._pause(weight)
        else:
            self._burst_used += weight
        self.used += weight
        self.taken += weight
        return entry

    def start(self, entry: Entry, now: float) -> None:
        """The call leaves: from now on its weight grows old."""
        self._expire(now)
        entry.started_at = now
        self._started.append(entry)
        if entry.burst:
            self._bursts.append(entry)

    def correct(self, entry: Entry, weight: int) -> None:
        """The call weighs something else than was thought; what it took too much is free at once."""
        if not entry.live:
            return
        more = weight - entry.weight
        entry.weight = weight
        self.used += more
        self.taken += max(more, 0)
        if entry.burst:
            self._burst_used += more
        else:
            self._next_paced += self._pause(more)

    def drop(self, entry: Entry) -> None:
        """The call was never made: it has taken nothing."""
        self.correct(entry, 0)
        if entry.started_at is None:
            entry.live = False

    def add_foreign(self, weight: int, now: float) -> None:
        """Somebody else has used the same key."""
        self._expire(now)
        entry = Entry(weight, burst=False)
        entry.started_at = now
        self._started.append(entry)
        self.used += weight
        self.taken += weight

    def clamped(self, weight: int) -> int:
        """The weight as far as it can ever be let in."""
        return max(0, min(weight, self.limit))

    def _room_at(self, weight: int, now: float) -> float | None:
        excess = self.used + weight - self.limit
        if excess <= 0:
            return now
        for entry in self._started:
            excess -= entry.weight
            if excess <= 0:
                assert entry.started_at is not None  # noqa: S101
                return entry.started_at + self.seconds
        return None

    def _pace_at(self, weight: int, now: float) -> float:
        """When the pace lets it in, or a burst that has grown old makes room."""
        excess = self._burst_used + weight - self._burst
        if now >= self._next_paced or excess <= 0:
            return now
        for entry in self._bursts:
            excess -= entry.weight
            if excess <= 0:
                assert entry.started_at is not None  # noqa: S101
                return min(self._next_paced, entry.started_at + self.seconds)
        return self._next_paced

    @property
    def _burst(self) -> int:
        return min(max(1, self.limit // _BURST_SHARE), self.limit - 1)

    def _pause(self, weight: int) -> float:
        return weight * self.seconds / (self.limit - self._burst)

    def _expire(self, now: float) -> None:
        horizon = now - self.seconds
        while self._started and (self._started[0].started_at or 0.0) <= horizon:
            entry = self._started.popleft()
            entry.live = False
            self.used -= entry.weight
            if entry.burst:
                self._bursts.popleft()
                self._burst_used -= entry.weight
