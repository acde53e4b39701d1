"""In which order what is said in one thread is stored: one message at a time, earlier ones first."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from core.errors import BiseError, PlatformUnavailable

COMES_AGAIN_WITHIN = 3.0  # seconds from a refusal: Slack brings an event again at once, three seconds after its begin


@dataclass(slots=True)
class _Line:
    """`present`: messages that are here. `owed`: those that were refused, and until when they are expected again."""

    present: list[int] = field(default_factory=list)
    owed: dict[int, float] = field(default_factory=dict)
    busy: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


class Lines:
    """By place, a thread or a direct message. Messages have numbers that grow within a place."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lines: dict[str, _Line] = {}

    async def take(
        self, place: str, number: int, work: Callable[[], Awaitable[None]], until: float | None = None
    ) -> None:
        """Does `work` when its turn has come. Raises what it raises: then later messages wait for this one's return.

        They wait until `until`, by the clock, and then raise PlatformUnavailable, to come again behind it. Without
        `until` nothing that was refused is waited for.
        """
        line = self._lines.setdefault(place, _Line())
        line.present.append(number)
        try:
            await self._come_up(line, number, until)
            line.busy = True
            try:
                await work()
            finally:
                line.busy = False
            line.owed.pop(number, None)
        except BiseError:
            self._forget_expired()
            line.owed[number] = self._clock() + COMES_AGAIN_WITHIN
            raise
        finally:
            line.present.remove(number)
            line.wake()
            if not line.present and not line.owed:
                del self._lines[place]

    async def _come_up(self, line: _Line, number: int, until: float | None) -> None:
        while True:
            if line.busy or min(line.present) < number:
                await line.changed.wait()
                continue
            expected = None if until is None else self._expected(line, number)
            if until is None or expected is None:
                return
            now = self._clock()
            if now >= until:
                raise PlatformUnavailable("an earlier message of the thread was refused", code="behind_another")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(until, expected) - now):
                    await line.changed.wait()

    def _expected(self, line: _Line, number: int) -> float | None:
        """Until when an earlier message is expected again; None: none is."""
        now = self._clock()
        return max((end for owed, end in line.owed.items() if owed < number and end > now), default=None)

    def _forget_expired(self) -> None:
        now = self._clock()
        for place, line in list(self._lines.items()):
            line.owed = {owed: end for owed, end in line.owed.items() if end > now}
            if not line.present and not line.owed:
                del self._lines[place]
