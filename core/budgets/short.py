"""When money is short: which cheaper form of a call the room still covers. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

SHORTEST = 256  # tokens of an answer; below that nobody is helped


class Form(Protocol):
    """A call as it could be made: its worst cost, its longest answer, and whether it shows the question alone."""

    @property
    def cost(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def bare(self) -> bool: ...


SomeForm = TypeVar("SomeForm", bound=Form)


@dataclass(frozen=True, slots=True)
class Cut:
    """What is saved. `halvings`: how often the history's limit is halved; `max_tokens` None: as long as usual."""

    halvings: int = 0
    max_tokens: int | None = None
    economy: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """What people are told of: history, length, economy."""
        told = {"history": self.halvings > 0, "length": self.max_tokens is not None, "economy": self.economy}
        return tuple(name for name, done in told.items() if done)


def affordable(form: Callable[[Cut], SomeForm], room: int, *, economy: bool) -> tuple[Cut, SomeForm] | None:
    """The dearest form that costs `room` micro-dollars at most; None where even the cheapest costs more.

    First the history is trimmed, then the answer shortened, then the same with the economy model, where there is one.
    """
    for by_economy in (False, True) if economy else (False,):
        halvings = 0
        while True:
            found = form(cut := Cut(halvings, economy=by_economy))
            if found.cost <= room:
                return cut, found
            if found.bare:
                break
            halvings += 1
        shortened = _shortened(form, room, halvings, found.max_tokens, by_economy=by_economy)
        if shortened is not None:
            return shortened
    return None


def cheapest(form: Callable[[Cut], SomeForm], *, economy: bool) -> int:
    """What the cheapest form costs at worst."""
    costs = []
    for by_economy in (False, True) if economy else (False,):
        halvings = 0
        while not (found := form(Cut(halvings, economy=by_economy))).bare:
            halvings += 1
        costs.append(form(Cut(halvings, min(SHORTEST, found.max_tokens), by_economy)).cost)
    return min(costs)


def _shortened(
    form: Callable[[Cut], SomeForm], room: int, halvings: int, longest: int, *, by_economy: bool
) -> tuple[Cut, SomeForm] | None:
    """The longest answer that there is room for, not below SHORTEST."""
    low, high = min(SHORTEST, longest), longest
    best = form(Cut(halvings, low, by_economy))
    if best.cost > room:
        return None
    while high - low > 1:  # low fits, high does not
        middle = (low + high) // 2
        found = form(Cut(halvings, middle, by_economy))
        if found.cost <= room:
            low, best = middle, found
        else:
            high = middle
    return Cut(halvings, low, by_economy), best
