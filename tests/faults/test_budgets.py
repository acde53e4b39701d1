"""Money at the edge of a limit: whoever asks at once, is cut or dies, the provider never bills what is not covered."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bots.playground.mistral.simulator import MistralSimulator
from core.clock import SystemClock
from core.messages import Person
from core.service import Core, open_core
from tests.databases import Place, place_of
from tests.fakes import FakePlatform, message
from tests.faults.fleet import Fleet, fleet
from tests.faults.till import Till
from tests.process import KEY

SEED = 20261125
LONGEST = 1024  # tokens of an answer
A_TURN = 900  # micro-dollars, about what one costs: a limit of that for each is soon met, at each attempt's bound
PEOPLE = 8
_PAST = "'2001-01-01 00:00:00.000000'"
_TURNS = """SELECT count(*), count(*) FILTER (WHERE state NOT IN ('done', 'failed', 'cancelled')) FROM turn
JOIN workspace ON workspace.id = turn.workspace_id WHERE platform <> 'local'"""
_MOST_OF_A_PERSON = "SELECT max(spent_microusd) FROM budget WHERE kind = 'day' AND place LIKE 'person:%'"
_SHORT = "SELECT count(*) FROM turn WHERE refused_by IS NOT NULL OR saved_by IS NOT NULL"
_EXPIRED = f"UPDATE reservation SET expires_at = {_PAST} WHERE state = 'held'"  # noqa: S608 - a constant


class QuickClock(SystemClock):
    """The system's time, of which those who wait sleep a fifth alone."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 5)


@asynccontextmanager
async def core_at(place: Place, model: MistralSimulator, **settings: object) -> AsyncIterator[Core]:
    """A core in this process, on the scripted model over HTTP."""
    given = {"max_tokens": LONGEST, "monthly_budget": None, "model": "mistral-large-2512", **settings}
    core = open_core(place.settings(mistral_base_url=model.base_url, mistral_api_key=KEY, **given), clock=QuickClock())
    core.attach(FakePlatform())
    try:
        yield core
    finally:
        await core.stop(0.0)
        await core.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_turns_at_once_at_the_edge_of_a_limit_never_spend_more(
    tmp_path: Path, full_size: bool, kind: str
) -> None:
    for at_once in (8, 64, 512) if full_size else (8, 64):
        folder = tmp_path / str(at_once)
        folder.mkdir()
        with place_of(kind, folder) as place:
            model = MistralSimulator(api_key=KEY)
            async with model.running():
                limit = at_once * A_TURN
                till = Till(model, place, limit, SEED, pause=0.05)
                days = {"total_monthly_budget": limit, "user_daily_budget": limit // 6}
                async with core_at(place, model, max_concurrent_turns=at_once, **days) as core:
                    watching = asyncio.create_task(till.watch())
                    for number in range(at_once):
                        person = Person(f"U{number % PEOPLE}", "Ada")
                        asked = message(f"question {number:03}", str(1000 + number), author=person)
                        await core.accept(asked)
                    await core.start()
                    async with asyncio.timeout(300):
                        await core.queue.idle()
                    watching.cancel()
                    await till.look()
            refused, needlessly = till.refused()
            print(
                f"seed {SEED}: {kind}, {at_once} turns at once, {till.told()}, {refused} refused, {needlessly} of them "
                f"with room"
            )
            assert (till.overspent, needlessly, till.errors()) == (0, 0, [])
            assert place.rows(_TURNS) == [(at_once, 0)]
            assert place.rows(_MOST_OF_A_PERSON)[0][0] <= limit // 6
            assert place.rows(_SHORT)[0][0] > 0, "the limit was met"
            assert till.spent() <= limit


@dataclass(frozen=True, slots=True)
class Size:
    """`kills`: of the fleet's processes; `a_turn`: micro-dollars of the limit for each, with what the dead leave, which
    stays charged at its bound; `asks`: how many `bise ask` there are beside the fleet, each the next after the other.
    """

    kind: str
    processes: int
    turns: int
    kills: int
    a_turn: int
    asks: int = 0


SMALL = {"sqlite": (Size("sqlite", 1, 12, 1, 5000, asks=3),), "postgres": (Size("postgres", 2, 12, 1, 5000),)}
FULL = {
    "sqlite": (Size("sqlite", 1, 660, 66, 2000, asks=3),),
    "postgres": (Size("postgres", 1, 670, 67, 2000), Size("postgres", 4, 670, 67, 2000)),
}


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_no_kill_9_and_no_cut_stream_makes_the_bill_exceed_what_is_held(
    tmp_path: Path, full_size: bool, kind: str
) -> None:
    for size in (FULL if full_size else SMALL)[kind]:
        folder = tmp_path / str(size.processes)
        folder.mkdir()
        await _through_kills(size, folder)


async def _through_kills(size: Size, folder: Path) -> None:
    limit, chance = size.turns * size.a_turn, random.Random(SEED)
    settings = {"BISE_TOTAL_MONTHLY_BUDGET": f"{limit / 1_000_000:.6f}", "BISE_MAX_TOKENS": str(LONGEST)}
    with place_of(size.kind, folder) as place:
        async with fleet(place, size.processes, threads=size.turns, slack_every=16, settings=settings) as ships:
            ships.crowd.discord.faults.rate_limits = False  # many answers at once are what is wanted
            till = Till(ships.model, place, limit, SEED, pause=0.15)
            watching = asyncio.create_task(till.watch())
            asking = [asyncio.create_task(_ask_on(ships, caller)) for caller in range(size.asks)]
            await _ask_and_kill(ships, size, chance)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            assert await _until(place, lambda _, unfinished: not unfinished, 600), ships.logs()
            watching.cancel()
        held = len(place.rows("SELECT id FROM reservation WHERE state = 'held'"))
        place.change(_EXPIRED)  # as if their fifteen minutes had passed
        async with core_at(place, ships.model, total_monthly_budget=limit) as core:
            await core.sweep()
        await till.look()
        refused, needlessly = till.refused()
        print(
            f"seed {SEED}: {size}, {place.rows(_TURNS)[0][0]} turns, {held} holds left by the dead, {till.told()}, "
            f"{refused} refused, {needlessly} of them with room"
        )
        assert (till.overspent, needlessly, till.errors()) == (0, 0, [])
        assert till.simulator.billed_microusd <= till.spent() <= limit
        assert held > 0, "no kill met a call"


async def _ask_and_kill(ships: Fleet, size: Size, chance: random.Random) -> None:
    """People ask, some at once, each in a thread of their own; amid their answers a process dies, and comes back."""
    at_once = size.turns // size.kills
    for first in range(0, size.turns, at_once):
        await asyncio.gather(*(ships.crowd.ask(thread) for thread in range(first, first + at_once)))
        await _until(ships.place, lambda all_, _, asked=first + at_once: all_ >= asked, 10)  # type: ignore[misc]
        await _until(ships.place, lambda _, unfinished: ships.model.open_streams > 0 or not unfinished, 5)
        await asyncio.sleep(chance.random() * 0.3)
        victim = await ships.busiest() if len(ships.processes) > 1 else ships.processes[0]
        await ships.kill(victim)
        await victim.start()


async def _ask_on(ships: Fleet, caller: int) -> None:
    """One `bise ask` after the other, every third of them killed, until it is cancelled."""
    chance, number = random.Random(SEED + caller), 0
    while True:
        number += 1
        words = (sys.executable, "-m", "bots", "ask", f"question {caller} of thread {100 + number % 900}")
        nowhere = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            *words, cwd=ships.place.folder, env=dict(ships.env), stdout=nowhere, stderr=nowhere
        )
        try:
            if number % 3 == 0:
                await asyncio.wait([asyncio.create_task(process.wait())], timeout=1.0 + chance.random())
            else:
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _until(place: Place, reached: Callable[[int, int], bool], seconds: float) -> bool:
    """Waits, so long at most, for something of the number of turns and of those that are not finished."""
    until = time.monotonic() + seconds
    while not reached(*(await asyncio.to_thread(place.rows, _TURNS))[0]):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.05)
    return True
