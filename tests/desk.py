"""A queue at work on a real database: questions are put in, and run by the claim and the end of their turns alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.clock import SystemClock
from core.service import Core, open_core
from core.store import turns
from core.store.turns import Turn
from tests.databases import Place
from tests.fakes import FakePlatform, ScriptedModel, said

SLACK = "slack"


class Ledger:
    """What happened to turns, over all desks: `began` and `ended` in order, `most` of a thread at once."""

    def __init__(self) -> None:
        self.asked = 0
        self.began: list[int] = []
        self.ended: list[int] = []
        self.cancelled: list[int] = []
        self.at: dict[int, float] = {}
        self.most = 0
        self._under_way: Counter[int] = Counter()

    def begin(self, turn: Turn) -> None:
        self.began.append(turn.id)
        self.at[turn.id] = asyncio.get_running_loop().time()
        self._under_way[turn.conversation] += 1
        self.most = max(self.most, self._under_way[turn.conversation])

    def leave(self, turn: Turn) -> None:
        self._under_way[turn.conversation] -= 1


class Desk:
    """One worker's queue. Its turns take `pace` seconds, wait for their gate, and are put off first by `pauses`."""

    def __init__(self, place: Place, ledger: Ledger | None = None, cap: int = 50) -> None:
        self.core: Core = open_core(
            place.settings(max_concurrent_turns=cap),
            clock=SystemClock(),
            model=ScriptedModel(),
            shared=place.postgres,
        )
        self.core.attach(FakePlatform())
        self.ledger = ledger or Ledger()
        self.gates: dict[int, asyncio.Event] = {}
        self.pauses: dict[int, list[float]] = {}
        self.pace = 0.0

    async def ask(self, thread: int = 1) -> int:
        """A question in a thread; returns its turn."""
        self.ledger.asked += 1
        accepted = await self.core.accept(said("And?", str(1000 + self.ledger.asked), str(thread), mentioned=True))
        assert accepted.turn is not None
        return accepted.turn

    def hold(self, turn: int) -> asyncio.Event:
        """The gate that this turn waits for from now on."""
        return self.gates.setdefault(turn, asyncio.Event())

    async def start(self) -> None:
        await self.core.take_up(SLACK)
        await self.core.queue.start(self.run)

    async def run(self, number: int) -> float | None:
        now = self.core._parts.clock.now()
        turn = await self.core.database.write(lambda connection: turns.claim(connection, number, now))
        if turn is None:
            return None
        self.ledger.begin(turn)
        try:
            if waits := self.pauses.get(number):
                await self.core.database.write(lambda connection: turns.give_back(connection, turn))
                return waits.pop(0)
            if (gate := self.gates.get(number)) is not None:
                await gate.wait()
            await asyncio.sleep(self.pace)
            await self.core.database.write(lambda connection: turns.finish(connection, turn, "done", now))
            self.ledger.ended.append(number)
        except asyncio.CancelledError:
            self.ledger.cancelled.append(number)
            await self.core.database.write(lambda connection: turns.give_back(connection, turn))
            raise
        finally:
            self.ledger.leave(turn)
        return None

    async def close(self) -> None:
        await self.core.stop(0.0)
        await self.core.close()


@asynccontextmanager
async def desk(place: Place, ledger: Ledger | None = None, cap: int = 50) -> AsyncIterator[Desk]:
    """A desk that is closed at the end."""
    one = Desk(place, ledger, cap)
    try:
        yield one
    finally:
        await one.close()
