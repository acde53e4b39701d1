"""Turns shared by several processes: jobs in PostgreSQL, each held until its turn is over, whoever ran it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from core.errors import StoreUnavailable
from core.store import jobs, turns
from core.store.database import Connection, Database
from core.store.jobs import Job, Jobs
from core.turns.patience import to_its_end

_log = structlog.get_logger()
Run = Callable[[int], Awaitable[float | None]]
_POLL = 0.2  # seconds between looks for jobs that nothing announced: given back, or next in their line
_LOOK_AGAIN = 0.5  # seconds until a turn is looked at again that somebody else is running
_MAKE_SURE_EVERY = 10.0  # seconds
_TRY_AGAIN = 0.5  # seconds, while the database is away
_SETTLING = 3.0  # seconds after an absence of the database in which live workers give their sign of life
_LAST_GRACE = 10.0  # seconds for final writes after the patience is over
_HURRIED_GRACE = 2.0  # the same where we are told to hurry, or the database does not answer


class PostgresQueue:
    """Honours `core.ports.TurnQueue`. A process that never starts it only puts turns in.

    `poll`: seconds between looks for jobs that nothing announced.
    """

    def __init__(self, url: str, concurrency: int, database: Database) -> None:
        self.poll = _POLL
        self._jobs = Jobs(url)
        self._database = database
        self._free = asyncio.Semaphore(concurrency)
        self._platforms: set[str] = set()
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._held: dict[int, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._run: Run | None = None
        self._waiting = 0
        self._back_at = 0.0

    @property
    def length(self) -> int:
        """Turns that wait or run in any process, as of the last look, or run here."""
        return max(self._waiting, len(self._held))

    def defer(self, connection: Connection, platform: str, turn: int, line: int) -> None:
        """Puts a turn where every process finds it, once the transaction has committed."""
        jobs.defer(connection, platform, turn, line)

    def put(self, turn: int, line: int) -> None:  # noqa: ARG002 - it has been deferred
        """It has committed: this process need not wait for the news."""
        self._wake.set()

    def attend(self, platform: str) -> None:
        """Takes turns of this platform from now on."""
        self._platforms.add(platform)
        self._wake.set()

    async def start(self, run: Run) -> None:
        """Runs what waits and whatever will. Raises StoreUnavailable."""
        worker = await self._jobs.open()
        _log.info("queue.started", worker=worker)
        self._run = run
        work: tuple[Coroutine[Any, Any, None], ...] = (self._take(), self._beat(), self._listen())
        self._tasks = [asyncio.create_task(one, name="queue") for one in work]

    async def stop(self, patience: float) -> None:
        """Takes no more turns; waits `patience` seconds for the running ones, then gives them to other processes."""
        self._stopping.set()
        self._wake.set()
        tasks, self._tasks = self._tasks, []
        if not tasks:
            return
        hurried = True
        try:
            # A fetch under way ends as well: what it brings goes back at once.
            await asyncio.wait([tasks[0], *self._held.values()], timeout=patience)
            hurried = False
        finally:
            await to_its_end(self._leave([*tasks, *self._held.values()], hurried=hurried))

    async def _leave(self, tasks: list[asyncio.Task[None]], *, hurried: bool) -> None:
        for task in tasks:
            task.cancel()
        asking = asyncio.create_task(self._answers())
        _, late = await asyncio.wait(tasks, timeout=_HURRIED_GRACE)
        if await asking and late and not hurried:
            await asyncio.wait(late, timeout=_LAST_GRACE - _HURRIED_GRACE)
        try:
            await self._jobs.close()
        except StoreUnavailable as error:  # without signs of life, what we hold is anybody's soon
            _log.warning("queue.not_left", why=str(error))

    async def _answers(self) -> bool:
        """Whether the database is there, so that final writes are worth their time; a sign of life, too."""
        try:
            async with asyncio.timeout(_HURRIED_GRACE):
                await self._jobs.beat()
        except (StoreUnavailable, TimeoutError):
            return False
        return True

    async def idle(self) -> None:
        """Returns when there is no turn that waits or runs, wherever."""
        while await self._look() > 0:  # noqa: ASYNC110 - other processes set no event of ours
            await asyncio.sleep(0.05)

    async def recover(self) -> None:
        """Gives the jobs of dead workers to those who live. Raises StoreUnavailable."""
        if not self._tasks or self._now() - self._back_at < _SETTLING:
            return
        if recovered := await self._jobs.recover():
            _log.warning("jobs.recovered", turns=[job.turn for job in recovered])
            self._wake.set()

    async def mend(self, platforms: tuple[str, ...]) -> None:
        """Makes jobs for queued turns that have none, and counts what waits. Raises StoreUnavailable."""
        missing = await self._database.write(lambda connection: jobs.defer_missing(connection, platforms))
        if missing:
            _log.warning("turns.without_job", turns=missing)
        await self._look()

    async def _look(self) -> int:
        self._waiting = await self._database.read(jobs.count)
        return self._waiting

    async def _take(self) -> None:
        """Fetches jobs while there are any and places are free."""
        away, sure_at = False, self._now()
        while not self._stopping.is_set():
            try:
                # A fetch that failed may have succeeded: what it took is ours by the database, and nobody runs it.
                if away or self._now() - sure_at > _MAKE_SURE_EVERY:
                    await self._give_up_unknown()
                    sure_at = self._now()
                await self._take_all()
                away = False
            except StoreUnavailable as error:
                if not away:
                    _log.warning("queue.away", why=str(error))
                away = True
            except Exception:  # noqa: BLE001 - a fault of ours must not end the taking for good
                _log.exception("queue.fault")
                away = True
            await self._until_woken(_TRY_AGAIN if away else self.poll)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _take_all(self) -> None:
        while self._platforms and not self._free.locked() and not self._stopping.is_set():
            await self._free.acquire()
            job = None
            try:
                job = await self._jobs.fetch(self._platforms)
            finally:
                if job is None or job.id in self._held:
                    self._free.release()
            if job is None:
                return
            if job.id not in self._held:  # else others gave up on us while we were running it, and we got it again
                self._held[job.id] = asyncio.create_task(self._hold(job), name=f"turn-{job.turn}")

    async def _give_up_unknown(self) -> None:
        for job in await self._jobs.held():
            if job.id not in self._held:
                await self._jobs.give_back(job.id)

    async def _hold(self, job: Job) -> None:
        over = False
        try:
            over = await self._until_over(job.turn)
        finally:
            await to_its_end(self._let_go(job, over=over))
            del self._held[job.id]
            self._wake.set()  # the next of its line need not wait for a look

    async def _until_over(self, turn: int) -> bool:
        """Whether the turn is over, by whomever; else we are stopping. The line waits as long as we hold the job."""
        again: float | None = None
        while True:
            try:
                if not self._stopping.is_set():
                    again = await self._run_one(turn)
            finally:
                self._free.release()
            if again is None and await self._is_over(turn):
                return True
            await self._pause(_LOOK_AGAIN if again is None else again)
            if self._stopping.is_set():
                return False
            await self._free.acquire()

    async def _run_one(self, turn: int) -> float | None:
        assert self._run is not None  # noqa: S101 - jobs are taken after the start
        try:
            return await self._run(turn)
        except Exception:  # noqa: BLE001 - one turn's failure must not end its line
            _log.exception("turn.crashed", turn=turn)
            return None

    async def _is_over(self, turn: int) -> bool:
        try:
            return await self._database.read(lambda connection: turns.is_over(connection, turn))
        except StoreUnavailable:
            return False

    async def _let_go(self, job: Job, *, over: bool) -> None:
        while True:
            try:
                if not await (self._jobs.finish(job.id) if over else self._jobs.give_back(job.id)):
                    _log.info("job.gone", turn=job.turn)  # somebody else took it for a dead worker's
            except StoreUnavailable as error:
                if self._stopping.is_set():  # without our signs of life it is anybody's soon
                    _log.warning("job.not_let_go", turn=job.turn, why=str(error))
                    return
                await asyncio.sleep(_TRY_AGAIN)
            else:
                return

    async def _beat(self) -> None:
        away = False
        while True:
            await asyncio.sleep(_TRY_AGAIN if away else jobs.BEAT_EVERY)
            try:
                await self._jobs.beat()
            except StoreUnavailable:
                away = True
                self._back_at = self._now() + _SETTLING  # not before it is back
            else:
                if away:
                    away, self._back_at = False, self._now()

    async def _listen(self) -> None:
        while True:
            try:
                await self._jobs.listen(self._wake.set)
            except StoreUnavailable:
                await asyncio.sleep(_TRY_AGAIN)

    async def _until_woken(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), seconds)
        except TimeoutError:
            return
        self._wake.clear()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return
