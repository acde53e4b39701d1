"""An event loop for tests whose time leaps: hours pass in milliseconds, and every run is the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class StuckClock(Exception):
    """Everybody waits and nothing will ever happen."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time leaps to the next timer instead of passing."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(LeapingSelector(self))

    def time(self) -> float:
        return self.now


class LeapingSelector(selectors.SelectSelector):
    loop: VirtualLoop

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise StuckClock
        self.loop.now += max(timeout, 0.0)
        return []


def run(scene: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(scene(loop))
    finally:
        loop.close()
