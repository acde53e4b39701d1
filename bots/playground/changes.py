"""Tells waiting tests and open pages that something changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Json = dict[str, Any]
QUEUE_MAX = 2000
_LOOK_SECONDS = 0.05


class Changes:
    """One feed of changes. `wake` is for what only tests wait for; `publish` also reaches the pages."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._queues: set[asyncio.Queue[Json]] = set()

    def wake(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    @property
    def has_readers(self) -> bool:
        return bool(self._queues)

    def publish(self, change: Json) -> None:
        """Hands a change to every page; one that lags too far behind gets {"type":"resync"} and starts afresh."""
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait({"type": "resync"})
            else:
                queue.put_nowait(change)
        self.wake()

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[Json]]:
        queue: asyncio.Queue[Json] = asyncio.Queue(QUEUE_MAX)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    async def until(self, predicate: Callable[[], object], seconds: float) -> None:
        """Returns once the predicate holds: looked at after each change, and now and then for what lies outside.

        Raises TimeoutError after `seconds`.
        """
        async with asyncio.timeout(seconds):
            while not predicate():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._event.wait(), _LOOK_SECONDS)
