"""One fair writer per place: decides when each answer in progress is sent there. Reading the model never waits for it.

A place is whatever shares the platform's write limits: a Slack workspace, a Discord channel or interaction token.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from bots.pace import Limit, Schedule
from core.errors import PlatformUnavailable
from core.ports import Lease, TurnLost

FINAL_ATTEMPTS = 6
_FIRST_BACKOFF = 0.5  # seconds, doubled with each failure in a row
_LONGEST_BACKOFF = 8.0
_ASKED_EVERY = 0.1  # seconds between two questions to an outlet what it would send
_SHORTEST_PAUSE = 0.25  # after a refusal that names no time, or none worth the name
_SHORTEST_SLEEP = 0.001

_log = structlog.get_logger()


class RateLimited(Exception):
    """A platform refused a call for now. `retry_after` in seconds; `everywhere`: for all methods of the place."""

    def __init__(self, retry_after: float, *, everywhere: bool = False) -> None:
        super().__init__(f"retry after {retry_after} s")
        self.retry_after = retry_after
        self.everywhere = everywhere


class Outlet(Protocol):
    """An answer in progress, as the platform's reply implements it."""

    def pending(self, *, final: bool) -> str | None:
        """The bucket of the next call (`chat.appendStream`, `edit` …); None: all that is known is written."""

    async def write(self, *, final: bool) -> None:
        """Make exactly that one call with the newest text. Raises RateLimited or a PlatformError."""


class Unfenced:
    """Honours `core.ports.Lease` for what belongs to no turn: it may always be written."""

    def held(self) -> bool:
        return True

    async def wait(self) -> None:
        return

    def overrun(self) -> None:
        return


UNFENCED = Unfenced()


class Lane:
    """One answer's way to its place. At most one of its writes is under way, and it carries what is newest then.

    None begins without the lease: text waits until it is held again, and `finish` fails when it is lost for good.
    """

    def __init__(self, writer: Writer, outlet: Outlet, number: int, lease: Lease) -> None:
        self._writer = writer
        self.outlet = outlet
        self.number = number
        self.lease = lease
        self.fence: asyncio.Task[None] | None = None  # waits for the lease
        self.write: asyncio.Task[None] | None = None  # the newest
        self.finishing = False
        self.wanting = False
        self.writing = False
        self.stale = False  # something new came since the outlet was last asked
        self.ask_at = 0.0
        self.failures = 0
        self.error: BaseException | None = None
        self.done = asyncio.Event()

    def touch(self) -> None:
        """Something new can be shown. Never waits, costs next to nothing when a write is due anyway."""
        if not (self.wanting or self.writing or self.stale or self.fence or self.done.is_set()):
            self._writer.consider_soon(self)

    async def finish(self) -> None:
        """Return when everything has been written, or the lane was closed.

        Raises what the outlet's last write raised for good; PlatformUnavailable where the writer closed before the
        end; TurnLost.
        """
        if not self.finishing and not self.done.is_set():
            self.finishing, self.failures = True, 0
            self._writer.consider(self)
        await self.done.wait()
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Write nothing more; a write under way ends by itself. A waiting `finish` returns."""
        self._writer.release(self)

    async def rest(self) -> None:
        """Returns when no write is under way, after `close`."""
        if self.write is not None:
            await asyncio.wait([self.write])


class Writer:
    """Sends the answers of one place within its limits: newest text wins, finals first, no lane starves.

    `limits` names the limit of each bucket, `min_gap` is the least time between two writes of one answer, in seconds.
    """

    def __init__(
        self,
        limits: Callable[[str], Limit],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        min_gap: float = 1.0,
    ) -> None:
        self._schedule = Schedule(limits, min_gap=min_gap)
        self._clock = clock
        self._sleep = sleep
        self._lanes: dict[int, Lane] = {}
        self._writes: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Task[None] | None = None
        self._timer_at = 0.0
        self._closing = False

    @property
    def idle(self) -> bool:
        """Whether no answer is in progress here and no write is under way."""
        return not self._lanes and not self._writes

    def open(self, outlet: Outlet, lease: Lease = UNFENCED) -> Lane:
        lane = Lane(self, outlet, self._schedule.open(), lease)
        self._lanes[lane.number] = lane
        if self._closing:
            self._fail(lane, _closed())
        return lane

    async def close(self) -> None:
        """Start nothing more, and wait for the writes under way; answers that are not whole then have failed."""
        self._closing = True
        self._wake_at(None, self._clock())
        if self._writes:
            await asyncio.wait(self._writes)
        for lane in list(self._lanes.values()):
            self._fail(lane, _closed())

    def consider(self, lane: Lane) -> None:
        """Ask the lane's outlet what it would send, and send what may be sent now."""
        self._ask(lane)
        self._pump()

    def consider_soon(self, lane: Lane) -> None:
        """The same, for the chunks of a model: an outlet is asked a few times a second, not for each of them."""
        now = self._clock()
        if now >= lane.ask_at:
            lane.ask_at = now + _ASKED_EVERY
            self.consider(lane)
        else:
            lane.stale = True
            self._wake_at(lane.ask_at, now)

    def release(self, lane: Lane) -> None:
        """Forget a lane: it is done, has failed or was given up."""
        self._lanes.pop(lane.number, None)
        if lane.fence is not None:
            lane.fence.cancel()
            lane.fence = None
        if not lane.writing:
            self._schedule.close(lane.number)
        lane.done.set()
        self._pump()

    def _ask(self, lane: Lane) -> str | None:
        if lane.done.is_set():
            return None
        if not lane.lease.held():
            self._wait_for_lease(lane)
            return None
        try:
            method = lane.outlet.pending(final=lane.finishing)
        except Exception as error:  # noqa: BLE001 - one lane's fault, raised by its finish(), must not stop the others
            self._fail(lane, error)
            return None
        lane.wanting = method is not None
        self._schedule.want(lane.number, method, final=lane.finishing, now=self._clock())
        if method is None and lane.finishing and not lane.writing:
            self.release(lane)
        return method

    def _wait_for_lease(self, lane: Lane) -> None:
        lane.wanting = False
        self._schedule.want(lane.number, None, final=lane.finishing, now=self._clock())
        if lane.fence is None:
            lane.fence = asyncio.ensure_future(self._regain(lane))

    async def _regain(self, lane: Lane) -> None:
        try:
            await lane.lease.wait()
        except TurnLost as lost:
            lane.fence = None
            self._fail(lane, lost)
        else:
            lane.fence = None
            self.consider(lane)

    def _pump(self) -> None:
        """Start every write that may start now, and set the timer for the next."""
        while not self._closing:
            now = self._clock()
            stale = [lane for lane in self._lanes.values() if lane.stale]
            for lane in stale:
                if lane.ask_at <= now:
                    lane.stale, lane.ask_at = False, now + _ASKED_EVERY
                    self._ask(lane)
            turn = self._schedule.next(now)
            if turn.lane is None:
                wakes = [lane.ask_at for lane in stale if lane.stale]
                self._wake_at(min([*wakes, turn.wake] if turn.wake is not None else wakes, default=None), now)
                return
            lane = self._lanes[turn.lane]
            due = self._schedule.wish(turn.lane)
            if self._ask(lane) == due and due is not None:
                self._start(lane, due, now)

    def _start(self, lane: Lane, method: str, now: float) -> None:
        self._schedule.started(lane.number, now)
        lane.writing, lane.wanting = True, False
        final = lane.finishing
        task = lane.write = asyncio.ensure_future(lane.outlet.write(final=final))
        self._writes.add(task)
        task.add_done_callback(lambda ended: self._written(lane, method, final, ended))

    def _written(self, lane: Lane, method: str, final: bool, task: asyncio.Task[None]) -> None:
        now = self._clock()
        self._writes.discard(task)
        lane.writing = False
        self._schedule.ended(lane.number, now)
        if not lane.lease.held():
            lane.lease.overrun()
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, RateLimited):
            pause = max(error.retry_after, _SHORTEST_PAUSE)
            _log.warning("write_rate_limited", method=method, seconds=pause, everywhere=error.everywhere)
            self._schedule.pause(method, now + pause, everywhere=error.everywhere)
        elif isinstance(error, PlatformUnavailable) and not (final and lane.failures + 1 >= FINAL_ATTEMPTS):
            backoff = min(_FIRST_BACKOFF * 2.0 ** min(lane.failures, 10), _LONGEST_BACKOFF)
            lane.failures += 1
            _log.warning("write_failed_for_now", method=method, reason=error.reason, seconds=backoff)
            self._schedule.delay(lane.number, now + backoff)
        elif error is not None:
            self._fail(lane, error)
        else:
            lane.failures = 0
        if lane.done.is_set():
            self._schedule.close(lane.number)
        self._ask(lane)
        self._pump()

    def _fail(self, lane: Lane, error: BaseException) -> None:
        if lane.error is None and not lane.done.is_set():
            _log.warning("write_failed", error=type(error).__name__, reason=getattr(error, "reason", "unexpected"))
            lane.error = error
        self.release(lane)

    def _wake_at(self, at: float | None, now: float) -> None:
        if self._timer is not None:
            if at is not None and self._timer_at <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer_at = at
            self._timer = asyncio.ensure_future(self._wake_in(max(at - now, _SHORTEST_SLEEP)))

    async def _wake_in(self, seconds: float) -> None:
        await self._sleep(seconds)
        self._timer = None
        self._pump()


def _closed() -> PlatformUnavailable:
    return PlatformUnavailable("closing", code="closing")
