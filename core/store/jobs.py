"""Jobs in PostgreSQL, which procrastinate keeps beside our tables: one for each turn that is not over.

A job's lock is the line of its turn: of the jobs of a line the first alone can be fetched, and the next one only once
it is gone. A job is given back under its own number, so that it keeps its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from procrastinate import PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AppNotOpen, ConnectorException, UniqueViolation
from procrastinate.jobs import Job as StoredJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from sqlalchemy import BigInteger, column, exists, func, make_url, select, table
from sqlalchemy.dialects.postgresql import JSONB

from core.errors import StoreUnavailable
from core.store import postgres_engine, tables, turns
from core.store.database import Connection

BEAT_EVERY = 2.0  # seconds between the signs of life of a worker
STALLED = 6.0  # seconds without one, after which its jobs are anybody's
_FORGOTTEN = 3600.0  # seconds without one, after which a worker's own row goes
_TASK = "run_turn"
_AT_ONCE = datetime(2000, 1, 1, tzinfo=UTC)  # by any machine's clock
_CONNECTIONS = 4
_LEAVES_WITHIN = 2.0  # seconds, twice: whoever stops while the database is away does not wait for it
_STATEMENT_MS = 15_000
_LOCK = 0x42697366  # PostgreSQL's advisory lock of whoever looks for turns without a job
_job = table("procrastinate_jobs", column("args", JSONB()), column("status"))
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Job:
    """A turn that this worker is to run to its end."""

    id: int
    turn: int


class WorkerForgotten(Exception):
    """The row of this worker is gone: it was silent for too long."""


def defer(connection: Connection, platform: str, turn: int, line: int, *, first: bool = False) -> None:
    """Makes the job of a turn in the caller's transaction, last in its line, or `first`. Raises StoreUnavailable."""
    stored = StoredJob(
        queue=platform,
        lock=str(line),
        queueing_lock=None,
        task_name=_TASK,
        task_kwargs={"turn": turn},
        priority=int(first),
    )
    with _told():
        JobManager(SyncPsycopgConnector()).defer_job(stored, connection=connection.connection.driver_connection)


def defer_missing(connection: Connection, platforms: Collection[str]) -> list[int]:
    """Makes a job for each queued turn of these platforms that has none, before all others; returns these turns."""
    if not connection.execute(select(func.pg_try_advisory_xact_lock(_LOCK))).scalar_one():
        return []  # another worker is looking
    known = exists().where(_job.c.args["turn"].astext.cast(BigInteger) == _turn.c.id)
    lost = (
        select(_turn.c.id, _turn.c.conversation_id, _turn.c.command, _workspace.c.platform)
        .join_from(_turn, _workspace, _workspace.c.id == _turn.c.workspace_id)
        .where(_turn.c.state == "queued", _workspace.c.platform.in_(platforms), ~known)
        .order_by(_turn.c.id)
    )
    rows = connection.execute(lost).all()
    for row in rows:
        defer(connection, row.platform, row.id, turns.line(row.id, row.conversation_id, row.command), first=True)
    return [row.id for row in rows]


def count(connection: Connection) -> int:
    """How many jobs there are: turns that wait or run, wherever."""
    return int(connection.execute(select(func.count()).select_from(_job)).scalar_one())


class Jobs:
    """The jobs as one worker sees them, by a few connections of its own. All raise StoreUnavailable."""

    def __init__(self, url: str) -> None:
        self._connector = PsycopgConnector(
            kwargs=_connection_of(url),
            configure=_configure,
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=float(postgres_engine.CONNECT_SECONDS),
            reconnect_timeout=1.0,  # seconds; then each new use tries again, which a long absence would else delay
            name="jobs",
        )
        self._manager = JobManager(self._connector)
        self._worker: int | None = None
        self._opened = False

    async def open(self) -> int:
        """Connects, and begins the life of a worker; returns its number."""
        try:
            with _told():
                await self._connector.open_async()
                self._opened = True
                self._worker = await self._manager.register_worker()
        except StoreUnavailable:
            await self._connector.close_async()
            raise
        return self._worker

    async def close(self) -> None:
        """Ends the worker's life: what it still holds is anybody's at once, or later if this raises."""
        try:
            if self._worker is not None:
                worker, self._worker = self._worker, None
                with _told():
                    async with asyncio.timeout(_LEAVES_WITHIN):
                        await self._manager.unregister_worker(worker)
        except TimeoutError as error:
            raise StoreUnavailable("The queue does not answer.") from error
        finally:
            if self._opened:
                self._opened = False
                await self._connector.pool.close(_LEAVES_WITHIN)  # the connector itself would give it longer
            await self._connector.close_async()

    async def beat(self) -> None:
        """Gives the sign of life."""
        with _told():
            await self._manager.update_heartbeat(self._own)

    async def fetch(self, platforms: Collection[str]) -> Job | None:
        """The next job of these platforms, ours from now on; None where there is none."""
        try:
            with _told():
                stored = await self._manager.fetch_job(queues=sorted(platforms), worker_id=self._own)
        except UniqueViolation:  # two of one line at once: the other one has it
            return None
        except WorkerForgotten:
            with _told():
                self._worker = await self._manager.register_worker()
            return None
        return None if stored is None else _of(stored)

    async def finish(self, job: int) -> bool:
        """The job is done, and the next of its line can be fetched. False: it was gone."""
        with _told(gone := _Gone()):
            await self._manager.finish_job_by_id_async(job, Status.SUCCEEDED, delete_job=True)
        return not gone

    async def give_back(self, job: int) -> bool:
        """For any worker, at once, in its old place. False: it was gone, or had been given back."""
        with _told(gone := _Gone()):
            await self._manager.retry_job_by_id_async(job, _AT_ONCE)
        return not gone

    async def held(self) -> list[Job]:
        """The jobs that are ours by the database."""
        with _told():
            stored = await self._manager.list_jobs_async(task=_TASK, status="doing", worker_id=self._own)
        return [_of(one) for one in stored]

    async def recover(self) -> list[Job]:
        """Gives back the jobs of workers that give no sign of life any more; returns them."""
        with _told():
            stalled = await self._manager.get_stalled_jobs(task_name=_TASK, seconds_since_heartbeat=STALLED)
        recovered = [job for job in map(_of, stalled) if await self.give_back(job.id)]
        with _told():
            await self._manager.prune_stalled_workers(_FORGOTTEN)
        return recovered

    async def listen(self, wake: Callable[[], None]) -> None:
        """Calls `wake` when a job was made, until cancelled."""

        async def notified(*, channel: str, notification: Any) -> None:  # noqa: ARG001 - any of them will do
            wake()

        with _told():
            await self._manager.listen_for_jobs(on_notification=notified)

    @property
    def _own(self) -> int:
        if self._worker is None:
            raise StoreUnavailable("This worker is not connected.")
        return self._worker


class _Gone:
    """Whether a job was not there to be changed."""

    def __init__(self) -> None:
        self.true = False

    def __bool__(self) -> bool:
        return self.true


@contextmanager
def _told(gone: _Gone | None = None) -> Iterator[None]:
    """The driver's and procrastinate's errors as ours, without what PostgreSQL quotes of rows."""
    try:
        yield
    except UniqueViolation:
        raise
    except (AppNotOpen, ConnectorException, psycopg.Error) as error:
        cause = error.__cause__ or error
        if isinstance(cause, psycopg.errors.RaiseException) and gone is not None:
            gone.true = True
            return
        if isinstance(cause, psycopg.errors.ForeignKeyViolation):
            raise WorkerForgotten from None
        raise StoreUnavailable(f"The queue does not answer: {type(cause).__name__}.") from error


def _of(stored: StoredJob) -> Job:
    assert stored.id is not None  # noqa: S101 - it comes from the table
    return Job(stored.id, int(str(stored.task_kwargs["turn"])))


def _connection_of(url: str) -> dict[str, Any]:
    """What psycopg is told, as SQLAlchemy tells it."""
    parts = make_url(url)
    _, given = parts.get_dialect()().create_connect_args(parts)
    return {**postgres_engine.connect_args(parts), **given}


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
    await connection.execute("SELECT set_config('statement_timeout', %s, false)", [str(_STATEMENT_MS)])
