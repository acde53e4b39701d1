"""What the Reply of a running turn may write, and remembers of it."""

from __future__ import annotations

from collections.abc import Collection

from core.ports import Clock
from core.store.posts import StoredPosts
from core.turns.lease import TurnLease
from core.turns.patience import insist


class TurnPosts:
    """Honours `core.ports.PostLog`: a post that stands must be remembered, however long the database is away."""

    def __init__(self, stored: StoredPosts, lease: TurnLease, clock: Clock) -> None:
        self._stored = stored
        self._lease = lease
        self._clock = clock
        self._closing: list[int] | None = None

    @property
    def lease(self) -> TurnLease:
        return self._lease

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        await insist(lambda: self._stored.add(ordinal, platform_id, start), self._lease, self._clock)

    def defer_closing(self) -> None:
        """From now on the closing of posts is left to the transaction that ends the turn, which follows at once."""
        self._closing = []

    def deferred(self) -> tuple[int, ...]:
        """The posts that this transaction has to close; later ones are closed at once again."""
        closing, self._closing = self._closing or (), None
        return tuple(closing)

    async def close(self, ordinal: int) -> None:
        if self._closing is not None:
            self._closing.append(ordinal)
            return
        await insist(lambda: self._stored.close(ordinal), self._lease, self._clock)

    async def drop(self, ordinal: int) -> None:
        await insist(lambda: self._stored.drop(ordinal), self._lease, self._clock)

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return await insist(lambda: self._stored.owned(platform_ids), self._lease, self._clock)
