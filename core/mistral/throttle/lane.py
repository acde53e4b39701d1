"""One model's part of the throttle: its windows, its brake, and who waits for it."""

from __future__ import annotations

import asyncio
import math

from core.chat import ChatRequest, Usage
from core.errors import ModelError
from core.mistral.throttle.fair_queue import FairQueue
from core.mistral.throttle.limits import Limits, Told
from core.mistral.throttle.slowdown import Slowdown
from core.mistral.throttle.weight import TokenWeight
from core.mistral.throttle.window import Entry, Window

_MINUTE = 60.0


class Waiter:
    """A caller in the queue. `deadline`: monotonic seconds."""

    __slots__ = ("admitted", "deadline", "lane", "request", "tokens")

    def __init__(self, lane: Lane, request: ChatRequest, tokens: int, deadline: float) -> None:
        self.lane = lane
        self.request = request
        self.tokens = tokens
        self.deadline = deadline
        self.admitted: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()

    def refuse(self, error: ModelError) -> None:
        """Ends the wait by an error."""
        if not self.admitted.done():
            self.admitted.set_exception(error)


class Taken:
    """What one call has taken of its model's windows."""

    __slots__ = ("_before", "_entries", "cost_told", "lane", "request", "started_at")

    def __init__(self, lane: Lane, request: ChatRequest, entries: dict[Window, Entry]) -> None:
        self.lane = lane
        self.request = request
        self.started_at: float | None = None
        self.cost_told = 0
        self._entries = entries
        self._before: dict[Window, int] = {}

    def start(self, now: float) -> None:
        """The request leaves."""
        self.started_at = now
        for window, entry in self._entries.items():
            window.start(entry, now)
            self._before[window] = window.used - window.taken

    def drop(self) -> None:
        """No request was made, or none that arrived."""
        for window, entry in self._entries.items():
            window.drop(entry)

    def weighs(self, window: Window | None, tokens: int) -> None:
        """The call weighs so many tokens."""
        if window is not None and window in self._entries:
            window.correct(self._entries[window], tokens)

    def most_of_ours(self, window: Window) -> int:
        """The most that the provider can have counted of us when it answered this call.

        Of a window that is younger than the call only what it knows: our own use from before is as good as foreign.
        """
        before = self._before.get(window)
        return before + window.taken if before is not None else window.used


class Lane:
    """The limits of one model for one key. `minute`: the length of a minute in seconds, for benches in a hurry."""

    def __init__(self, limits: Limits, minute: float = _MINUTE) -> None:
        self.queue: FairQueue[Waiter] = FairQueue()
        self.slowdown = Slowdown()
        self.weight = TokenWeight()
        self.limits = limits
        self._minute = minute
        self._per_second = _window_of_rate(limits.requests_per_second, minute / _MINUTE)
        self._requests = _window(limits.requests_per_minute, minute)
        self._tokens = _window(limits.tokens_per_minute, minute)

    def wait(self, tokens: int, now: float) -> float | None:
        """Seconds until a call of that weight may go; None if that depends on calls that have yet to start."""
        wait = self.slowdown.wait(now)
        for window, weight in self._windows(tokens):
            needed = window.wait(weight, now)
            if needed is None:
                return None
            wait = max(wait, needed)
        return wait

    def take(self, waiter: Waiter, now: float) -> Taken:
        """Lets a call in."""
        self.slowdown.took(now)
        entries = {window: window.take(weight, now) for window, weight in self._windows(waiter.tokens)}
        return Taken(self, waiter.request, entries)

    def cost(self, tokens: int) -> float:
        """A call's share of what is scarcest, for fairness between accounts; 1 where nothing is scarce."""
        shares = [window.clamped(weight) / window.limit for window, weight in self._windows(tokens)]
        return max(shares, default=1.0)

    def most_within(self, patience: float) -> float:
        """More calls than that are surely not let in within so many seconds."""
        counted = [window for window in (self._per_second, self._requests) if window is not None]
        return min((window.limit * math.ceil(patience / window.seconds) for window in counted), default=math.inf)

    def learn(self, told: Told, taken: Taken, now: float) -> bool:
        """Takes in what a response told; True if the limits are others than before."""
        limits = self.limits.told(told)
        changed, self.limits = limits != self.limits, limits
        self._requests = _resized(self._requests, limits.requests_per_minute, self._minute)
        self._tokens = _resized(self._tokens, limits.tokens_per_minute, self._minute)
        if told.tokens_cost is not None:
            taken.cost_told = told.tokens_cost
            taken.weighs(self._tokens, told.tokens_cost)
        for window, remaining in ((self._requests, told.requests_remaining), (self._tokens, told.tokens_remaining)):
            if window is not None and remaining is not None:
                foreign = window.limit - remaining - taken.most_of_ours(window)
                if foreign > 0:
                    window.add_foreign(foreign, now)
        return changed

    def settle(self, taken: Taken, usage: Usage) -> None:
        """The call is over and counted; never less than what the provider said that it takes of the limit."""
        counted = usage.prompt_tokens + usage.completion_tokens
        taken.weighs(self._tokens, max(counted, taken.cost_told))
        self.weight.learn(taken.request, usage)

    def _windows(self, tokens: int) -> list[tuple[Window, int]]:
        weighed = ((self._per_second, 1), (self._requests, 1), (self._tokens, tokens))
        return [(window, weight) for window, weight in weighed if window is not None]


def _window(limit: int | None, seconds: float) -> Window | None:
    # A little longer than it is called: requests that leave a minute apart may arrive closer together.
    return Window(max(limit, 1), seconds + min(0.25, seconds / 20)) if limit is not None else None


def _window_of_rate(rate: float | None, second: float) -> Window | None:
    if rate is None or rate <= 0:
        return None
    return _window(int(rate), second) if rate >= 1 else _window(1, second / rate)


def _resized(window: Window | None, limit: int | None, seconds: float) -> Window | None:
    if window is None or limit is None:
        return window if limit is None else _window(limit, seconds)
    window.limit = max(limit, 1)
    return window
