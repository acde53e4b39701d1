"""What is not given up at once: work on a database that is away, and work that must not be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from core.errors import StoreUnavailable
from core.ports import Clock, TurnLost
from core.turns.lease import TurnLease

Result = TypeVar("Result")
_WAITS = (0.2, 0.5, 1.0, 2.0, 4.0)  # seconds between tries; the last one again and again
_LONGEST = 300.0  # seconds over all waits


async def insist(work: Callable[[], Awaitable[Result]], lease: TurnLease | None, clock: Clock) -> Result:
    """Does `work` again while the database is away and the turn is ours; without a lease, until it is cancelled.

    Raises TurnLost, and StoreUnavailable in the end.
    """
    tried, waited = 0, 0.0
    while True:
        try:
            return await work()
        except StoreUnavailable as error:
            if lease is not None and lease.lost:
                raise TurnLost from error
            if waited >= _LONGEST:
                raise
        wait = _WAITS[min(tried, len(_WAITS) - 1)]
        tried, waited = tried + 1, waited + wait
        await clock.sleep(wait)


async def to_its_end(work: Coroutine[Any, Any, Result]) -> Result:
    """Awaits what must not be cut short: a cancellation, also a second one, takes effect when it is over."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait([task])  # which leaves the task alone when it is cancelled itself
        except asyncio.CancelledError:
            cancelled = True
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result
