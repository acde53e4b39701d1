"""Turns in one process: in order within a conversation, conversations side by side, a cap over all."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from core.store.database import Connection
from core.turns.patience import to_its_end

_log = structlog.get_logger()
Run = Callable[[int], Awaitable[float | None]]
_LAST_GRACE = 10.0  # seconds for final writes after the patience is over
_HURRIED_GRACE = 2.0  # the same where we are told to hurry


class LocalQueue:
    """Honours `core.ports.TurnQueue`. It remembers nothing that the table of turns does not know: it is refilled."""

    def __init__(self, concurrency: int) -> None:
        self._free = asyncio.Semaphore(concurrency)
        self._waiting: dict[int, deque[int]] = {}
        self._known: set[int] = set()
        self._pauses: set[asyncio.Task[None]] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._run: Run | None = None
        self._stopping = False

    def defer(self, connection: Connection, platform: str, turn: int, line: int) -> None:
        """Nothing: the table of turns has it, and `put` follows."""

    def put(self, turn: int, line: int) -> None:
        """Makes a committed turn known. Calling twice is harmless."""
        if turn in self._known or self._stopping:
            return
        self._known.add(turn)
        waiting = self._waiting.get(line)
        if waiting is not None:
            waiting.append(turn)
            return
        self._waiting[line] = deque([turn])
        if self._run is not None:
            self._begin(line, self._run)

    async def start(self, run: Run) -> None:
        """Runs whatever was put, and whatever is put from now on."""
        self._run = run
        for line in list(self._waiting):
            self._begin(line, run)

    async def stop(self, patience: float) -> None:
        """Begins no more turns; waits `patience` seconds for the running ones, then cancels them."""
        self._stopping = True
        for waiting in self._waiting.values():
            waiting.clear()
        for pause in self._pauses:
            pause.cancel()
        workers = set(self._workers)
        if not workers:
            return
        grace = _HURRIED_GRACE
        try:
            await asyncio.wait(workers, timeout=patience)
            grace = _LAST_GRACE
        finally:  # also when we are told to hurry
            for worker in workers:
                worker.cancel()
            await to_its_end(asyncio.wait(workers, timeout=grace))

    async def idle(self) -> None:
        """Returns when nothing is waiting or running."""
        while self._workers:
            await asyncio.wait(self._workers)

    def knows(self, turn: int) -> bool:
        """Whether the turn waits or runs here."""
        return turn in self._known

    @property
    def length(self) -> int:
        """Turns that wait or run."""
        return len(self._known)

    def _begin(self, line: int, run: Run) -> None:
        worker = asyncio.create_task(self._work(line, run), name=f"line-{line}")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    async def _work(self, line: int, run: Run) -> None:
        waiting = self._waiting[line]
        try:
            while waiting:
                async with self._free:
                    if not waiting:  # emptied by stop() while we waited
                        break
                    turn = waiting.popleft()
                    again = await self._run_one(turn, run)
                if again is None or self._stopping:
                    self._known.discard(turn)
                else:  # its place in the order is kept: whatever was asked after it waits
                    waiting.appendleft(turn)
                    await self._pause(again)
        finally:
            self._known.difference_update(waiting)
            del self._waiting[line]

    async def _run_one(self, turn: int, run: Run) -> float | None:
        try:
            return await run(turn)
        except Exception:  # noqa: BLE001 - one turn's failure must not end its conversation
            _log.exception("turn.crashed", turn=turn)
            return None
        except asyncio.CancelledError:
            self._known.discard(turn)
            raise

    async def _pause(self, seconds: float) -> None:
        pause = asyncio.create_task(asyncio.sleep(seconds))
        self._pauses.add(pause)
        try:
            await asyncio.wait([pause])
        finally:
            pause.cancel()
            self._pauses.discard(pause)
