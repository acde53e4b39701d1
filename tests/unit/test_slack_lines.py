"""What is said in one thread is stored in its order, also where Slack has to bring some of it again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from bots.slack.lines import COMES_AGAIN_WITHIN, Lines
from core.errors import PlatformUnavailable
from tests.unit.virtual_clock import VirtualLoop, run

UNTIL = 2.5  # seconds after it came


@dataclass
class Scene:
    """A thread whose messages are refused until `known_at`, each after `patience` seconds."""

    loop: VirtualLoop
    known_at: float = 0.0
    stored: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lines = Lines(self.loop.time)

    async def come(self, number: int, at: float = 0.0, *, read_back: bool = False) -> bool:
        """Whether it was stored."""
        await asyncio.sleep(at - self.loop.time())
        until = at + UNTIL

        async def store() -> None:
            left = 0.0 if read_back else max(until - self.loop.time(), 0.0)
            await asyncio.sleep(min(left, max(self.known_at - self.loop.time(), 0.0)))
            if self.loop.time() < self.known_at:
                raise PlatformUnavailable("unknown", code="author_unknown")
            self.stored.append((round(self.loop.time(), 3), number))

        try:
            await self.lines.take("T1:C1:1", number, store, None if read_back else until)
        except PlatformUnavailable:
            return False
        return True

    @property
    def order(self) -> list[int]:
        return [number for _, number in self.stored]


def test_nothing_said_after_a_refused_message_is_stored_before_it() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=2.6)
        outcomes = await asyncio.gather(*(place.come(number, number * 0.01) for number in range(4)), place.come(9, 2.7))
        assert outcomes == [False] * 4 + [False]
        assert place.order == []

    run(scene)


def test_what_waited_behind_a_refused_message_follows_it_when_that_comes_again() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=2.6)
        first = [place.come(number, number * 0.01) for number in range(4)]
        again = [place.come(number, 3.0 + number * 0.01) for number in range(4)]
        outcomes = await asyncio.gather(*first, place.come(9, 2.7), *again)
        assert outcomes == [False] * 4 + [True] + [True] * 4
        assert place.order == [0, 1, 2, 3, 9]
        assert place.stored[-1][0] < 3.1, "it waits for them and no longer"

    run(scene)


def test_a_message_that_never_comes_again_is_waited_for_a_while_only() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=2.6)
        assert not await place.come(0)
        assert await place.come(1, UNTIL + COMES_AGAIN_WITHIN - 0.5)
        assert place.stored == [(UNTIL + COMES_AGAIN_WITHIN, 1)]

    run(scene)


def test_what_is_read_back_waits_for_nothing_that_was_refused() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=2.5)
        assert not await place.come(0, read_back=True)
        place.known_at = 0.0
        assert await place.come(1, 0.1, read_back=True)
        assert place.stored == [(0.1, 1)]

    run(scene)


def test_of_those_that_wait_the_earliest_goes_first_and_twins_go_both() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=1.0)
        assert await asyncio.gather(*(place.come(number) for number in (1, 3, 2, 2))) == [True] * 4
        assert place.order == [1, 2, 2, 3]

    run(scene)


def test_a_cancelled_message_holds_up_nobody() -> None:
    async def scene(loop: VirtualLoop) -> None:
        place = Scene(loop, known_at=1.0)
        first, second = (asyncio.create_task(place.come(number)) for number in (1, 2))
        await asyncio.sleep(0.5)
        first.cancel()
        assert await second
        with pytest.raises(asyncio.CancelledError):
            await first

    run(scene)
