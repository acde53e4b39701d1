"""How values become words: names from outside, amounts of money, moments. None can write markup or call people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

Values = Mapping[str, str | int]
_MICRO = 1_000_000
_MARKUP = "*_`~|<>@[]\\"


def dollars(microusd: int) -> str:
    """Micro-dollars as people read them: cents, and as many digits as a small amount needs."""
    if 0 < microusd < 10_000:
        return f"${microusd / _MICRO:.6f}".rstrip("0")
    return f"${microusd / _MICRO:,.2f}"


def coded(name: str | int) -> str:
    """A name from outside as code: no markup, no pings."""
    kept = "".join(character for character in str(name) if character not in "`<>&|" and character.isprintable())
    return f"`{kept[:80]}`"


def plain(value: str | int) -> str:
    """A value from outside (a file's name) as plain text: no markup, no pings."""
    if isinstance(value, int):
        return f"{value:,}"
    return "".join(character for character in value if character not in _MARKUP and character.isprintable())[:80]


def filled(words: str, values: Values) -> str:
    """The words with the values in them, as plain text; a value that is missing is shown by its name."""
    return words.format_map(_Filled({name: plain(value) for name, value in values.items()}))


def day_and_time(moment: datetime) -> str:
    """A local moment with its day: Tuesday 1 December, 00:00."""
    return f"{moment:%A} {moment.day} {moment:%B}, {moment:%H:%M}"


def joined(parts: list[str], last: str = " and ") -> str:
    """One, two and three: as a sentence lists things."""
    return last.join(filter(None, (", ".join(parts[:-1]), parts[-1] if parts else "")))


class _Filled(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key
