"""Who is next: every account in its turn, each first come, first served."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class _Account(Generic[Item]):
    __slots__ = ("name", "paid_until", "waiting")

    def __init__(self, name: str, paid_until: float) -> None:
        self.name = name
        self.paid_until = paid_until
        self.waiting: dict[Item, float] = {}  # in the order in which they came, with what each costs


class FairQueue(Generic[Item]):
    """Start-time fair queueing: next is the account that has been served least since it began to wait.

    `cost` of an item is its share of what is scarce, so that ten short calls equal one long one. An account that waits
    for nothing is forgotten as soon as the others have caught up with it.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, _Account[Item]] = {}
        # Each account is in it exactly once, empty ones too: they keep what they owe until they come to the top.
        self._order: list[tuple[float, int, _Account[Item]]] = []
        self._now = 0.0
        self._serial = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def accounts(self) -> int:
        """How many accounts are remembered."""
        return len(self._accounts)

    def waiting(self, account: str) -> int:
        """How many items of that account wait."""
        known = self._accounts.get(account)
        return len(known.waiting) if known is not None else 0

    def push(self, account: str, item: Item, cost: float) -> None:
        """Adds an item behind its account's others."""
        known = self._accounts.get(account)
        if known is None:
            known = self._accounts[account] = _Account(account, self._now)
            self._put(known)
        known.waiting[item] = cost
        self._length += 1

    def peek(self) -> Item | None:
        """Whose turn it is."""
        return next(iter(self._order[0][2].waiting)) if self._order else None

    def pop(self) -> Item:
        """Takes out whose turn it is; its account pays. IndexError if nobody waits."""
        _, _, account = heapq.heappop(self._order)
        item = next(iter(account.waiting))
        self._now = account.paid_until
        account.paid_until += account.waiting.pop(item)
        self._length -= 1
        self._put(account)
        self._forget()
        return item

    def remove(self, account: str, item: Item) -> None:
        """Takes out an item that waits no longer; it costs its account nothing."""
        known = self._accounts.get(account)
        if known is not None and known.waiting.pop(item, None) is not None:
            self._length -= 1
            self._forget()

    def _put(self, account: _Account[Item]) -> None:
        self._serial += 1
        heapq.heappush(self._order, (account.paid_until, self._serial, account))

    def _forget(self) -> None:
        while self._order and not self._order[0][2].waiting:
            _, _, account = heapq.heappop(self._order)
            del self._accounts[account.name]
