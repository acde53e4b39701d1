"""Discord's ids: milliseconds since 2015 in the upper bits, so that ids tell times and sort by them."""

from __future__ import annotations

EPOCH_MS = 1_420_070_400_000
_SEQUENCE = 1 << 22


class Snowflakes:
    """Gives ids that only grow."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, at: float) -> str:
        """A new id of the instant `at` (epoch seconds), later than every id before it."""
        self._last = max(first(at), self._last + 1)
        return str(self._last)


def first(at: float) -> int:
    """The lowest id of that millisecond."""
    return (int(at * 1000) - EPOCH_MS) * _SEQUENCE


def instant(snowflake: str) -> float:
    """Epoch seconds of an id's making."""
    return (int(snowflake) // _SEQUENCE + EPOCH_MS) / 1000
