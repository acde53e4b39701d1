"""The leases of the turns that run here: renewed together, asked before each write, lost for good at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from core.errors import StoreUnavailable
from core.ports import Clock, TurnLost
from core.store.leases import Owned, Renewed
from core.store.turns import LEASE

RENEW_EVERY = 1.5  # seconds; with it comes who asked to stop, wherever the button was pressed
_TRY_AGAIN = 0.5  # seconds, while the database is away
_SETTLING = 3.0  # seconds after an absence of the database in which live workers renew before any sweep takes theirs
_log = structlog.get_logger()


class LeaseStore(Protocol):
    """Where leases are kept; both raise StoreUnavailable."""

    async def renew(self, owned: Sequence[Owned], until: datetime) -> Renewed: ...
    async def expire(self, now: datetime, platforms: tuple[str, ...]) -> list[tuple[int, int]]: ...


class TurnLease:
    """Honours `core.ports.Lease`. Its end is on the monotonic clock, counted from before it was asked for."""

    def __init__(self, turn: int, attempt: int, ends_at: float, clock: Clock) -> None:
        self.turn = turn
        self.attempt = attempt
        self.lost = False
        self.overran = False
        self.interrupt: Callable[[], None] | None = None  # ends what runs for the turn, once it is lost
        self._ends_at = ends_at
        self._clock = clock
        self._over = False
        self._changed = asyncio.Event()

    def held(self) -> bool:
        return self._over or (not self.lost and self._clock.monotonic() < self._ends_at)

    async def wait(self) -> None:
        while not self.held():
            if self.lost:
                raise TurnLost
            self._changed.clear()
            await self._changed.wait()

    def overrun(self) -> None:
        self.overran = True

    def lengthen(self, ends_at: float) -> None:
        """It was renewed."""
        self._ends_at = ends_at
        self._changed.set()

    def lose(self) -> None:
        """Somebody else has the turn."""
        self.lost = True
        self._changed.set()
        if self.interrupt is not None:
            self.interrupt()

    def settle(self) -> None:
        """The turn is over for good: whoever writes its kept answer now writes the same."""
        self._over = True
        self._changed.set()


class Leases:
    """Keeps the leases of this process. It renews while there are any, by one statement for all.

    `stop` is told which turn a person asked to stop, perhaps more than once.
    """

    def __init__(self, store: LeaseStore, clock: Clock, stop: Callable[[int], None]) -> None:
        self._store = store
        self._clock = clock
        self._stop = stop
        self._held: set[TurnLease] = set()
        self._keeping: asyncio.Task[None] | None = None
        self._away = False
        self._back_at: float | None = None

    @property
    def waiting(self) -> int:
        """How many turns buffer what they would write, because their lease could not be renewed."""
        return sum(not lease.held() for lease in self._held)

    def hold(self, turn: int, attempt: int, asked_at: float) -> TurnLease:
        """The lease of a turn that was claimed; `asked_at`: monotonic, from before the claim was sent."""
        lease = TurnLease(turn, attempt, asked_at + LEASE.total_seconds(), self._clock)
        self._held.add(lease)
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep(), name="leases")
        return lease

    def drop(self, lease: TurnLease) -> None:
        """It is renewed no more."""
        self._held.discard(lease)
        if not self._held and self._keeping is not None:
            self._keeping.cancel()
            self._keeping = None

    async def renew(self) -> None:
        """Renews all leases at once, and tells those that are lost. Raises StoreUnavailable."""
        asked_at, owners = self._clock.monotonic(), {(lease.turn, lease.attempt): lease for lease in self._held}
        try:
            renewed = await self._store.renew(sorted(owners), self._clock.now() + LEASE)
        except StoreUnavailable:
            self._went_away()
            raise
        self._came_back()
        for owned, lease in owners.items():
            if owned in renewed.ours:
                lease.lengthen(asked_at + LEASE.total_seconds())
                if lease.turn in renewed.stopping:
                    self._stop(lease.turn)
            elif lease in self._held:  # else it ended while we asked
                lease.lose()

    async def expire(self, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
        """Takes turns from workers that renew no more, as (turn, line), to be queued. Raises StoreUnavailable.

        After an absence of the database every lease has passed: those who live get a moment to renew theirs.
        """
        now = self._clock.monotonic()
        if self._back_at is not None and now - self._back_at < _SETTLING:
            return []
        try:
            if self._away:
                await self._store.expire(self._clock.now(), ())  # whether it is back
                self._came_back()
                return []
            expired = await self._store.expire(self._clock.now(), platforms)
        except StoreUnavailable:
            self._went_away()
            raise
        if expired:
            _log.warning("turns.expired", turns=[turn for turn, _ in expired])
        return expired

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_TRY_AGAIN if self._away else RENEW_EVERY)
            try:
                await self.renew()
            except StoreUnavailable:
                continue
            except Exception:  # noqa: BLE001 - a fault of ours: leases end by the clock, and others take the turns
                _log.exception("leases.fault")

    def _went_away(self) -> None:
        if not self._away:
            _log.warning("leases.not_renewed", turns=len(self._held))
        self._away = True

    def _came_back(self) -> None:
        if self._away:
            self._away, self._back_at = False, self._clock.monotonic()
            _log.info("leases.renewed_again", turns=len(self._held))
