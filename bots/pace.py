"""Which answer may be written to a place, and when: pure, every method is told the time.

A call holds one token of its method's bucket from its start until `seconds` after it surely reached the platform, so
that the platform never counts more than `count` calls in any window, however long they travel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

LONGEST_TRAVEL = 1.0  # seconds after which a call still under way has surely reached the platform
LONG_WINDOW = 10.0  # seconds; a longer window must never be spent at once, it would silence the place for that long
PATIENCE = 15.0  # seconds; who waited longer than this stands in line with the final writes


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` calls in any `seconds`; `kept` tokens stay for final writes, twice as many among many streams."""

    count: int
    seconds: float
    kept: int = 1

    def share(self, streams: int) -> int:
        """The tokens for writes that are not final."""
        return max(1, self.count - (self.kept if streams <= 1 else 2 * self.kept))


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer of `Schedule.next`: the lane that may write now, or else when to ask again, or neither."""

    lane: int | None = None
    wake: float | None = None


@dataclass(slots=True)
class _Call:
    started: float
    ended: float = math.inf

    def until(self, seconds: float) -> float:
        return min(self.ended, self.started + LONGEST_TRAVEL) + seconds


@dataclass(slots=True)
class _Bucket:
    limit: Limit
    calls: list[_Call] = field(default_factory=list)
    held: list[float] = field(default_factory=list)  # when each token that is out comes back, soonest first
    paused_until: float = -math.inf
    paced: float = -math.inf  # start of the last write that was not urgent
    spent: bool = False  # by a crowd: it opens again as a whole

    def look(self, now: float) -> None:
        """Bring `held` up to date."""
        self.calls = [call for call in self.calls if call.until(self.limit.seconds) > now]
        self.held = sorted(call.until(self.limit.seconds) for call in self.calls)

    def opens(self, tokens: int, now: float) -> float:
        """The earliest time at which fewer than `tokens` are out."""
        return now if len(self.held) < tokens else self.held[len(self.held) - tokens]


@dataclass(slots=True)
class _Lane:
    order: int
    method: str | None = None
    final: bool = False
    wanted_since: float = 0.0
    last: float = -math.inf
    not_before: float = -math.inf
    busy: _Call | None = None
    streaming: bool = False


class Schedule:
    """The lanes of one place and its buckets. Finals first, then the lane written longest ago."""

    def __init__(self, limits: Callable[[str], Limit], *, min_gap: float) -> None:
        self._limits = limits
        self._min_gap = min_gap
        self._buckets: dict[str, _Bucket] = {}
        self._lanes: dict[int, _Lane] = {}
        self._paused_until = -math.inf
        self._opened = 0

    def open(self) -> int:
        self._opened += 1
        self._lanes[self._opened] = _Lane(self._opened)
        return self._opened

    def close(self, lane: int) -> None:
        self._lanes.pop(lane, None)

    def want(self, lane: int, method: str | None, *, final: bool, now: float) -> None:
        """What the lane would send next; None: it has nothing to send."""
        state = self._lanes[lane]
        if state.method is None and method is not None:
            state.wanted_since = now
        state.method, state.final = method, final
        state.streaming = state.streaming or method is not None

    def wish(self, lane: int) -> str | None:
        """The bucket of what the lane would send next."""
        return self._lanes[lane].method

    def next(self, now: float) -> Turn:
        for bucket in self._buckets.values():
            bucket.look(now)
        streams = self._streams()
        wake, chosen, best = math.inf, None, (True, math.inf, 0)
        for number, lane in self._lanes.items():
            if lane.method is None or lane.busy is not None:
                continue
            due, urgent = self._due(lane, self._bucket(lane.method), streams, now)
            if due > now:
                wake = min(wake, due)
            elif (order := (not urgent, lane.last, lane.order)) < best or chosen is None:
                chosen, best = number, order
        if chosen is not None:
            return Turn(lane=chosen)
        return Turn(wake=None if wake == math.inf else wake)

    def started(self, lane: int, now: float) -> None:
        """The lane's wish is being sent."""
        state = self._lanes[lane]
        if state.method is None:
            raise ValueError(f"lane {lane} has nothing to send")
        bucket, streams = self._bucket(state.method), self._streams()
        state.busy = _Call(now)
        bucket.calls.append(state.busy)
        bucket.look(now)
        if not self._urgent(state, bucket.limit, streams, now):
            bucket.paced = now
            bucket.spent = _crowded(bucket.limit, streams) and len(bucket.held) >= bucket.limit.share(streams)
        state.last, state.wanted_since = now, now

    def ended(self, lane: int, now: float) -> None:
        """The call that the lane started has returned, whatever came of it."""
        state = self._lanes.get(lane)
        if state is not None and state.busy is not None:
            state.busy.ended, state.busy, state.wanted_since = now, None, now

    def pause(self, method: str, until: float, *, everywhere: bool = False) -> None:
        """No lane calls `method` (or anything) before `until`."""
        bucket = self._bucket(method)
        bucket.paused_until = max(bucket.paused_until, until)
        if everywhere:
            self._paused_until = max(self._paused_until, until)

    def delay(self, lane: int, until: float) -> None:
        """This one lane writes nothing before `until`."""
        self._lanes[lane].not_before = until

    def _due(self, lane: _Lane, bucket: _Bucket, streams: int, now: float) -> tuple[float, bool]:
        """The earliest time at which the lane may send, and whether it then goes before those who are not urgent."""
        limit = bucket.limit
        floor = max(now, lane.not_before, bucket.paused_until, self._paused_until)
        soonest = max(floor, bucket.opens(limit.count, now))
        if self._urgent(lane, limit, streams, now):
            return soonest, True
        patient = max(soonest, lane.wanted_since + _patience(limit, streams))
        return min(patient, self._polite(lane, bucket, streams, floor, now)), False

    def _polite(self, lane: _Lane, bucket: _Bucket, streams: int, floor: float, now: float) -> float:
        """When a write that is not final has its turn."""
        limit = bucket.limit
        if lane.last == -math.inf:
            return max(floor, bucket.opens(max(1, limit.count - limit.kept), now))
        share = limit.share(streams)
        due = max(floor, bucket.opens(share, now))
        spacing = limit.seconds / share
        if limit.seconds > LONG_WINDOW:
            return max(due, lane.last + self._min_gap, bucket.paced + spacing)
        if not _crowded(limit, streams):
            return max(due, lane.last + max(self._min_gap, streams * spacing))
        whole = max(bucket.held, default=now) if bucket.spent else now
        return max(due, lane.last + self._min_gap, whole)

    def _urgent(self, lane: _Lane, limit: Limit, streams: int, now: float) -> bool:
        return lane.final or now >= lane.wanted_since + _patience(limit, streams)

    def _streams(self) -> int:
        return sum(lane.streaming for lane in self._lanes.values())

    def _bucket(self, method: str) -> _Bucket:
        if method not in self._buckets:
            self._buckets[method] = _Bucket(self._limits(method))
        return self._buckets[method]


def _crowded(limit: Limit, streams: int) -> bool:
    """More streams than tokens: they write in bursts, so that between bursts every token is back for finals."""
    return limit.seconds <= LONG_WINDOW and streams > limit.share(streams)


def _patience(limit: Limit, streams: int) -> float:
    return max(PATIENCE, 2 * streams * limit.seconds / limit.share(streams))
