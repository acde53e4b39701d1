"""Several real processes on one PostgreSQL: one is killed or frozen, the others go on with its turns."""

from __future__ import annotations

import asyncio
import random
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack import SlackPost
from core.store.turns import UNFINISHED
from core.turns.mending import UNDER_WAY
from tests.databases import SECRET, Place, place_of
from tests.process import KEY, ServeProcess, environment

SEED = 20261124
TAKEN_OVER_IN = 10.0  # seconds
CHANNEL = "C0GENERAL"


def answer(body: Body) -> Reply:
    """An answer of a second that names its question, in few writes: Slack takes so many a minute."""
    words, _ = last_words(body)
    return Reply(chunks=(f"Answer to [{words}]:", " and", " end."), chunk_delay=0.5)


class Fleet:
    """Some `bise serve` on one database, between simulated platforms and a scripted model."""

    def __init__(self, place: Place, simulators: Simulators, model: MistralSimulator, size: int) -> None:
        self.place = place
        self.slack = simulators.slack
        self.model = model
        env = environment(simulators, model, place.folder / "unused.db")
        env = {name: value for name, value in env.items() if not name.startswith("DISCORD_")}
        env |= {"DATABASE_URL": place.url, "BISE_SECRET_KEY": SECRET}
        self.processes = [ServeProcess(env, self._folder(number)) for number in range(size)]
        self.roots: dict[int, str] = {}
        self.asked: dict[int, list[str]] = {}

    def _folder(self, number: int) -> Path:
        folder = self.place.folder / f"process-{number}"
        folder.mkdir()
        return folder

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in self.processes))

    async def ask(self, thread: int) -> None:
        """The next question in a thread."""
        asked = self.asked.setdefault(thread, [])
        asked.append(f"question {len(asked)} of thread {thread}]")
        words = f"<@{self.slack.bot_user_id}> {asked[-1].rstrip(']')}"
        said = await self.slack.post("U0ADA", CHANNEL, words, thread_ts=self.roots.get(thread))
        self.roots.setdefault(thread, said)

    def answers(self, thread: int) -> list[SlackPost]:
        return [post for post in self.slack.messages(CHANNEL, self.roots[thread]) if post.bot_id]

    def wrong(self, thread: int) -> str | None:
        """What is lost, doubled, unfinished or out of order in a thread."""
        shown = self.answers(thread)
        if len(shown) != len(self.asked[thread]):
            return f"thread {thread}: {len(shown)} answers to {len(self.asked[thread])} questions"
        for post, question in zip(shown, self.asked[thread], strict=True):
            if post.streaming or post.shown.count(question) != 1 or not post.shown.endswith("end."):
                return f"thread {thread}: {question[:-1]} has {post.shown[:50]!r}…{post.shown[-10:]!r}"
        return None

    def running(self) -> dict[int, int]:
        """The attempts under way, by turn."""
        rows = self.place.rows("SELECT id, attempt FROM turn WHERE state = 'running'")
        return {row[0]: row[1] for row in rows}

    async def taken_over(self, running: dict[int, int]) -> float:
        """Seconds from now until those of these turns that nobody runs any more are in somebody else's hands."""
        began, last = time.monotonic(), 0.0
        while running and time.monotonic() - began < 6 * TAKEN_OVER_IN:
            passed = time.monotonic() - began
            for turn, attempt, state in self.place.rows("SELECT id, attempt, state FROM turn"):
                if attempt > running.get(turn, attempt):
                    last = passed
                    del running[turn]
                elif state not in UNFINISHED:  # it ran elsewhere
                    running.pop(turn, None)
            await asyncio.sleep(0.1)
        return last

    def busiest(self) -> ServeProcess:
        """The process that holds most jobs."""
        held = Counter(
            row[0] for row in self.place.rows("SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing'")
        )
        return max(self.processes, key=lambda process: max(held[worker] for worker in _workers(process)))

    async def until_answered(self, seconds: float) -> list[str]:
        """Waits for all answers; returns what is wrong in the end."""
        until = time.monotonic() + seconds
        while (wrong := [what for thread in self.asked if (what := self.wrong(thread))]) and time.monotonic() < until:
            await asyncio.sleep(0.2)
        return wrong

    def logs(self) -> str:
        return "\n".join(process.log[-3000:] for process in self.processes)


def _workers(process: ServeProcess) -> list[int]:
    """The numbers under which it has taken jobs, one for each start."""
    return [int(number) for number in re.findall(r'"worker": (\d+),', process.log)]


@asynccontextmanager
async def fleet(folder: Path, size: int) -> AsyncIterator[Fleet]:
    """A running fleet, ended in an orderly way."""
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.script = answer
    model.mount(simulators.app)
    with place_of("postgres", folder) as place:
        async with simulators:
            model.origin = simulators.base_url
            ships = Fleet(place, simulators, model, size)
            try:
                await ships.start()
                yield ships
            finally:
                for process in ships.processes:
                    process.send(signal.SIGCONT)
                statuses = await asyncio.gather(*(process.end() for process in ships.processes))
        assert set(statuses) == {0}, ships.logs()


@pytest.mark.timeout(3600)
async def test_kill_9_of_one_of_several_processes_loses_doubles_and_reorders_nothing(
    tmp_path: Path, full_size: bool
) -> None:
    size, threads, each, kills = (4, 100, 20, 40) if full_size else (3, 8, 5, 3)
    turns, chance = threads * each, random.Random(SEED)
    async with fleet(tmp_path, size) as ships:
        moments = sorted(chance.sample(range(threads, turns), kills))
        watching: list[asyncio.Task[float]] = []
        starting: list[asyncio.Task[None]] = []
        for number in range(turns):
            await ships.ask(number % threads)
            await asyncio.sleep(chance.random() * 0.2)
            if number in moments:
                await asyncio.gather(*starting)  # one at a time
                victim = ships.busiest()
                await victim.end(signal.SIGKILL)
                watching.append(asyncio.create_task(ships.taken_over(ships.running())))
                starting.append(asyncio.create_task(victim.start()))
        await asyncio.gather(*starting)
        wrong = await ships.until_answered(1800 if full_size else 60)
        takeovers = await asyncio.gather(*watching)
        states = ships.place.rows("SELECT state, count(*) FROM turn GROUP BY state")
        taken = ships.place.rows("SELECT count(*) FROM turn WHERE attempt > 1")[0][0]
        print(
            f"seed {SEED}: {size} processes, {turns} turns, {kills} kills, {taken} turns taken over, "
            f"the slowest after {max(takeovers):.1f} s, {len(wrong)} threads wrong"
        )
        assert wrong == [], ships.logs()
        assert states == [("done", turns)]
        assert taken > 0
        assert max(takeovers) <= TAKEN_OVER_IN


@pytest.mark.timeout(1800)
async def test_a_worker_that_is_frozen_for_longer_than_its_lease_leaves_the_answer_to_the_new_owner(
    tmp_path: Path, full_size: bool
) -> None:
    freezes, frozen_for = (20, 30.0) if full_size else (1, 9.0)
    chance = random.Random(SEED)
    async with fleet(tmp_path, 2) as ships:
        for thread in range(freezes):
            await ships.ask(thread)
            await ships.slack.until(lambda thread=thread: bool(ships.answers(thread)), 20)
            owner = ships.busiest()
            await asyncio.sleep(chance.random() * 0.3)
            owner.send(signal.SIGSTOP)
            await asyncio.sleep(frozen_for)
            owner.send(signal.SIGCONT)
        wrong = await ships.until_answered(30)
        await asyncio.sleep(UNDER_WAY.total_seconds())  # the frozen one's late writes have come, and are mended
        wrong += await ships.until_answered(0)
        rows = ships.place.rows("SELECT state, attempt FROM turn")
        taken = rows.count(("done", 2))
        print(
            f"seed {SEED}: {freezes} times a worker frozen for {frozen_for:.0f} s, {taken} turns taken over, "
            f"{len(wrong)} threads wrong"
        )
        assert wrong == [], ships.logs()
        assert rows == [("done", 2)] * freezes
        assert ships.place.rows("SELECT count(*) FROM procrastinate_jobs") == [(0,)]


async def test_a_worker_that_is_told_to_hurry_leaves_its_answer_to_the_next(tmp_path: Path) -> None:
    async with fleet(tmp_path, 1) as ships:
        await ships.ask(0)
        await ships.slack.until(lambda: bool(ships.answers(0)), 20)
        [process] = ships.processes
        process.send(signal.SIGTERM)
        await asyncio.sleep(0.1)
        async with asyncio.timeout(8):  # its patience is 20 seconds
            assert await process.end() == 1
        assert "Traceback" not in process.log
        assert '"level": "error"' not in process.log
        assert ships.place.rows("SELECT state FROM turn") == [("queued",)]
        assert ships.place.rows("SELECT status::text FROM procrastinate_jobs") == [("todo",)]
        await process.start()
        assert await ships.until_answered(10) == []
