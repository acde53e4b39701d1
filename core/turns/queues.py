"""Which queue turns wait in: this process's own, or the one in PostgreSQL that several processes share."""

from __future__ import annotations

from core.ports import TurnQueue
from core.settings import Settings
from core.store.database import Database
from core.turns.lease import Leases
from core.turns.local_queue import LocalQueue
from core.turns.recovery import LocalRecovery, Recovery, SharedRecovery


def open_queue(settings: Settings, database: Database, *, shared: bool) -> TurnQueue:
    """The queue; nothing is connected yet. `shared` needs PostgreSQL."""
    if not shared:
        return LocalQueue(settings.max_concurrent_turns)
    from core.turns.postgres_queue import PostgresQueue  # procrastinate is not loaded where nobody needs it

    return PostgresQueue(settings.database_url, settings.max_concurrent_turns, database)


def recovery_of(queue: TurnQueue, database: Database, leases: Leases) -> Recovery:
    """What finds the turns that this queue lost sight of."""
    if isinstance(queue, LocalQueue):
        return LocalRecovery(database, queue)
    from core.turns.postgres_queue import PostgresQueue

    assert isinstance(queue, PostgresQueue)  # noqa: S101 - there are these two
    return SharedRecovery(queue, leases)
