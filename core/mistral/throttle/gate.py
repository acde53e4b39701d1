"""Lets calls in, one by one: as many at once as allowed, as fast as their model allows, in turn between accounts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from core.chat import ChatRequest
from core.errors import ModelError, ModelHeldBack
from core.mistral.throttle.lane import Lane, Taken, Waiter
from core.mistral.throttle.limits import Limits

if TYPE_CHECKING:  # it brings the messages of the platforms, 20 ms that the client does not need
    from core.ports import Clock

_SOONEST = 0.001  # seconds: a timer that is early must not become a busy loop


class Gate:
    """The way in to one home with one key. `concurrency`: calls at once; `patience`: seconds that a caller waits."""

    def __init__(self, limits: Limits, clock: Clock, *, concurrency: int, patience: float, minute: float) -> None:
        self._limits = limits
        self._clock = clock
        self._concurrency = max(concurrency, 1)
        self._patience = patience
        self._minute = minute
        self._lanes: dict[str, Lane] = {}  # the one that was served longest ago comes first
        self._waiting: dict[Waiter, None] = {}  # in the order in which they came
        self._inside = 0
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_at = 0.0

    @property
    def inside(self) -> int:
        """How many calls are under way."""
        return self._inside

    @property
    def waiting(self) -> int:
        """How many callers wait."""
        return len(self._waiting)

    async def admit(self, request: ChatRequest) -> Taken:
        """Waits for the caller's turn; what it returns must go to `leave`.

        Raises ModelHeldBack, or what `refuse_all` is given.
        """
        lane = self._lanes.get(request.model)
        if lane is None:
            lane = self._lanes[request.model] = Lane(self._limits, self._minute)
        now = self._clock.monotonic()
        hopeless = lane.queue.waiting(request.account) >= lane.most_within(self._patience)
        if hopeless or lane.slowdown.paused_until - now > self._patience:
            raise self._held_back(lane, now)
        tokens = lane.weight.of(request)
        waiter = Waiter(lane, request, tokens, now + self._patience)
        lane.queue.push(request.account, waiter, lane.cost(tokens))
        self._waiting[waiter] = None
        self.look()
        try:
            return await waiter.admitted
        except asyncio.CancelledError:
            # It may have been let in and cancelled in the same turn of the loop.
            admitted = waiter.admitted
            if admitted.done() and not admitted.cancelled() and admitted.exception() is None:
                self.leave(admitted.result())
            else:
                self._forget(waiter)
                self.look()
            raise

    def leave(self, taken: Taken) -> None:
        """The call is over; one that never started has taken nothing."""
        if taken.started_at is None:
            taken.drop()
        self._inside -= 1
        self.look()

    def look(self) -> None:
        """Lets in whoever may go, sends away whose patience is over, and sets the alarm for the next look."""
        now = self._clock.monotonic()
        while self._waiting and (oldest := next(iter(self._waiting))).deadline <= now:
            self._refuse(oldest, self._held_back(oldest.lane, now))
        soonest = next(iter(self._waiting)).deadline - now if self._waiting else None
        while self._inside < self._concurrency:
            wait = self._let_one_in(now)
            if wait is None:
                break
            if wait > 0:
                soonest = min(wait, soonest) if soonest is not None else wait
                break
        self._wake_in(soonest if self._waiting else None, now)

    def paused(self, lane: Lane) -> None:
        """That model has asked for a pause: those who would not live to see its end are told so now."""
        now = self._clock.monotonic()
        for waiter in [one for one in self._waiting if one.lane is lane and one.deadline < lane.slowdown.paused_until]:
            self._refuse(waiter, self._held_back(lane, now))
        self.look()

    def refuse_all(self, error: Callable[[], ModelError]) -> None:
        """Sends everybody away who waits."""
        for waiter in list(self._waiting):
            self._refuse(waiter, error())
        self._wake_in(None, self._clock.monotonic())

    def _let_one_in(self, now: float) -> float | None:
        """0 if somebody was let in; else the seconds until somebody may be, None if only an event can tell."""
        soonest: float | None = None
        for model, lane in self._lanes.items():
            # One whose caller was cancelled a moment ago is still in the queue: the caller has yet to run.
            while (waiter := lane.queue.peek()) is not None and waiter.admitted.cancelled():
                self._forget(waiter)
            if waiter is None:
                continue
            wait = lane.wait(waiter.tokens, now)
            if wait is None:
                continue
            if wait > 0:
                soonest = min(wait, soonest) if soonest is not None else wait
                continue
            lane.queue.pop()
            del self._waiting[waiter]
            self._inside += 1
            waiter.admitted.set_result(lane.take(waiter, now))
            self._lanes[model] = self._lanes.pop(model)
            return 0.0
        return soonest

    def _refuse(self, waiter: Waiter, error: ModelError) -> None:
        self._forget(waiter)
        waiter.refuse(error)

    def _forget(self, waiter: Waiter) -> None:
        if waiter in self._waiting:
            del self._waiting[waiter]
            waiter.lane.queue.remove(waiter.request.account, waiter)

    def _held_back(self, lane: Lane, now: float) -> ModelHeldBack:
        return ModelHeldBack(retry_after=max(lane.slowdown.wait(now), self._patience))

    def _wake_in(self, seconds: float | None, now: float) -> None:
        """Sets the one alarm: a later look sets it anew, an earlier one stays if it is early enough."""
        alarm = self._alarm
        if alarm is not None and seconds is not None and not alarm.done() and self._alarm_at <= now + seconds:
            return
        if alarm is not None:
            alarm.cancel()
        self._alarm = None
        if seconds is not None:
            self._alarm_at = now + seconds
            self._alarm = asyncio.create_task(self._ring(max(seconds, _SOONEST)))

    async def _ring(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm = None
        self.look()
