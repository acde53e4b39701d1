"""A clock over the reads of one stream, cheap enough for thousands of reads a second."""

from __future__ import annotations

import asyncio


class Watch:
    """Ends a read that takes longer than `seconds` by cancelling it, as `asyncio.timeout` does.

    One timer serves all reads of a stream: it is set again only when it goes off, a timer per read costs more than the
    read. Time counts only between `start` and `stop`, never while the consumer holds what was read.
    """

    __slots__ = ("_cancelling", "_deadline", "_loop", "_task", "_timer", "expired", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.expired = False
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self.restart()

    def restart(self) -> None:
        """Something worth waiting for has come: the next wait has all its seconds again."""
        self._deadline = self._loop.time() + self.seconds
        if self._timer is None or self._timer.when() > self._deadline:
            self._arm()

    def start(self) -> None:
        """A read begins, in the task that calls this."""
        self._task = asyncio.current_task()
        if self._timer is None:
            self._arm()

    def stop(self) -> None:
        """The read has ended."""
        self._task = None

    def cancelled_read(self) -> bool:
        """Whether the CancelledError just caught is ours alone; then the task goes on as if never cancelled."""
        task, self._task = self._task, None
        return self.expired and task is not None and task.uncancel() <= self._cancelling

    def close(self) -> None:
        """Ends the clock."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() < self._deadline:
            self._arm()
        elif self._task is not None:
            self.expired = True
            self._cancelling = self._task.cancelling()
            self._task.cancel()
