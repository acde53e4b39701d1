"""Some `bise serve` on one database, between simulated platforms and a scripted model."""

from __future__ import annotations

import asyncio
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from core.store.turns import UNFINISHED
from tests.databases import SECRET, Place
from tests.faults.crowd import Crowd, Question
from tests.process import KEY, ServeProcess, environment

_RECONNECT = '"event": "Attempting a reconnect'  # what discord.py calls an error: a connection was cut
_CHATTER = ('"serve.not_yet"', '"model.call"')
_WORKER = re.compile(r'"worker": (\d+),')
_ENDING = 10.0  # seconds from an answer's last write to the end of its turn, at most
_NEVER = 60.0  # seconds after which a turn counts as not taken over


class Fleet:
    """`crowd` asks it. On SQLite its size is one."""

    def __init__(
        self,
        place: Place,
        simulators: Simulators,
        model: MistralSimulator,
        size: int,
        crowd: Crowd,
        settings: Mapping[str, str],
    ) -> None:
        self.place = place
        self.crowd = crowd
        self.model = model
        env = environment(simulators, model, place.folder / "unused.db") | dict(settings)
        env |= {"DATABASE_URL": place.url} | ({"BISE_SECRET_KEY": SECRET} if place.postgres else {})
        self.env: Mapping[str, str] = env
        self.processes = [ServeProcess(env, self._folder(number)) for number in range(size)]
        self._cut: Counter[Question] = Counter()
        self._left_at: dict[int, float] = {}

    def _folder(self, number: int) -> Path:
        folder = self.place.folder / f"process-{number}"
        folder.mkdir()
        return folder

    async def start(self) -> None:
        await asyncio.gather(*(process.start() for process in self.processes))

    async def kill(self, process: ServeProcess) -> dict[int, int]:
        """kill -9; returns the attempts that it leaves under way, by turn."""
        await process.end(signal.SIGKILL)
        held = await asyncio.to_thread(self._held_by, process)
        left = [(turn, question, attempt) for turn, question, attempt, state in held if state == "running"]
        self._cut.update(question for _, question, _ in left)
        # Also those that it had taken over from an earlier one, and had not begun yet.
        self._left_at.update(dict.fromkeys((turn for turn, _, _, _ in held), time.monotonic()))
        return {turn: attempt for turn, _, attempt in left}

    def _held_by(self, process: ServeProcess) -> list[tuple[int, Question, int, str]]:
        """Unfinished turns with the attempt at them and their state; on SQLite those that run."""
        query = "SELECT turn.id, message.text, attempt, state FROM turn JOIN message ON message.id = turn.message_id"
        if self.place.postgres:
            query += " JOIN procrastinate_jobs AS job ON job.args ->> 'turn' = turn.id::text AND job.status = 'doing'"
            query += f" AND job.worker_id = {worker(process)}"
        states = "'queued', 'running'" if self.place.postgres else "'running'"
        rows = self.place.rows(f"{query} WHERE turn.state IN ({states})")
        return [(turn, Question.last_in(text), attempt, state) for turn, text, attempt, state in rows]

    async def taken_over(self, left: dict[int, int]) -> float:
        """The most seconds from a turn's last kill, which is that of its next owner if need be, to its next attempt."""
        began, longest = time.monotonic(), 0.0
        while left and time.monotonic() - began < _NEVER:
            now = time.monotonic()
            numbers = ", ".join(map(str, left))
            query = f"SELECT id, attempt, state FROM turn WHERE id IN ({numbers})"  # noqa: S608 - numbers
            for turn, attempt, state in await asyncio.to_thread(self.place.rows, query):
                if attempt > left[turn]:
                    longest = max(longest, now - self._left_at[turn])
                    del left[turn]
                elif state not in UNFINISHED:  # its last write was under way
                    del left[turn]
            await asyncio.sleep(0.1)
        return _NEVER if left else longest

    async def busiest(self) -> ServeProcess:
        """The process that holds most turns."""
        query = "SELECT worker_id FROM procrastinate_jobs WHERE status = 'doing'"
        held = Counter(row[0] for row in await asyncio.to_thread(self.place.rows, query))
        return max(self.processes, key=lambda process: held[worker(process)])

    def listener(self, shard: int) -> ServeProcess:
        """The process that connected a shard last."""
        up = re.compile(rf'"shard": {shard}, .*"discord.shard_up".*"timestamp": "([^"]+)"')
        return max(self.processes, key=lambda process: max(up.findall(process.log), default=""))

    def unpaid(self) -> tuple[int, list[Question]]:
        """How many calls are not on the ledger, and those questions with more of them than a kill can explain.

        A call under way at a kill -9 leaves no row: nothing was held for it. Every other one has its row.
        """
        query = "SELECT message.text FROM usage JOIN turn ON turn.id = usage.turn_id"
        query += " JOIN message ON message.id = turn.message_id"
        paid = Counter(Question.last_in(text) for (text,) in self.place.rows(query))
        missing = self.crowd.requests - paid
        return missing.total(), [*(missing - self._cut), *(paid - self.crowd.requests)]

    async def states(self) -> dict[str, int]:
        """How many turns are in each state, once none is unfinished or 10 seconds have passed."""
        until = time.monotonic() + _ENDING
        while True:
            found = dict(await asyncio.to_thread(self.place.rows, "SELECT state, count(*) FROM turn GROUP BY state"))
            if found.keys().isdisjoint(UNFINISHED) or time.monotonic() > until:
                return found
            await asyncio.sleep(0.1)

    def faults(self) -> list[str]:
        """The lines of all logs that tell of a fault of ours."""
        lines = [line for process in self.processes for line in process.log.splitlines() if _RECONNECT not in line]
        return [line[:1500] for line in lines if '"level": "error"' in line or not line.startswith("{")]

    def logs(self) -> str:
        """What each process says that a failure may need, its newest lines."""
        told = []
        for number, process in enumerate(self.processes):
            lines = [line for line in process.log.splitlines() if not any(word in line for word in _CHATTER)]
            told += [f"process {number}, {len(lines)} lines:", *(line[:500] for line in lines[-200:])]
        return "\n".join(told)


def worker(process: ServeProcess) -> int:
    """The number under which it takes jobs since its newest start; what it took before is a dead worker's."""
    return int(_WORKER.findall(process.log)[-1])


@asynccontextmanager
async def fleet(
    place: Place,
    size: int,
    *,
    threads: int,
    pause: float = 0.5,
    slack_every: int = 4,
    settings: Mapping[str, str] | None = None,
    shards: int = 1,
) -> AsyncIterator[Fleet]:
    """A running fleet, ended in an orderly way; nobody in it fell over.

    `settings`: further ones, by variable. `shards`: of Discord, a door for each.
    """
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    simulators.discord.faults.shards = simulators.discord.faults.max_concurrency = shards
    model.mount(simulators.app)
    crowd = Crowd(simulators, model, pause=pause, slack_every=slack_every)
    await crowd.gather(threads)
    async with simulators:
        model.origin = simulators.base_url
        ships = Fleet(place, simulators, model, size, crowd, settings or {})
        try:
            await ships.start()
            yield ships
        finally:
            for process in ships.processes:
                process.send(signal.SIGCONT)
            statuses = await asyncio.gather(*(process.end() for process in ships.processes))
    assert set(statuses) == {0}, ships.logs()
    assert ships.faults() == []
