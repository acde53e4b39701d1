"""Amounts of US dollars as people write them, read into integer micro-dollars. Pure."""

from __future__ import annotations

import re

from core.errors import WrongUse

MICRO = 1_000_000
LARGEST = 999_999_999_999_999  # what nine digits before the point and six after it make
DECIMALS = 6
_WRITTEN = re.compile(r"([+-]?)\$?([0-9]+)(?:\.([0-9]+))?")
_LIKE = "such as 5.00"


def amount(text: str) -> int | None:
    """A limit in micro-dollars, None for the word none. Raises WrongUse, one sentence that says what to write.

    Nothing is rounded: whatever is not an amount to the micro-dollar is refused.
    """
    if text.strip().lower() == "none":
        return None
    found = _dollars(text, "A limit", f"{_LIKE}, or the word none")
    if not found:
        raise WrongUse(
            "A limit of zero would refuse every question. Write the least that may be spent, such as 0.01, or the word "
            "none for no limit."
        )
    return found


def cost(text: str) -> int:
    """What a call has cost, in micro-dollars; zero is a cost. Raises WrongUse, one sentence that says what to write."""
    return _dollars(text, "A cost", "such as 0.0123")


def _dollars(text: str, what: str, such_as: str) -> int:
    written = text.strip()
    if "," in written:
        raise WrongUse(f"{what} is written with a point and without commas: write US dollars {such_as}.")
    match = _WRITTEN.fullmatch(written)
    if match is None:
        raise WrongUse(f"{what} is an amount of US dollars in plain digits: write it {such_as}.")
    sign, whole, part = match[1], match[2], match[3] or ""
    if sign == "-":
        raise WrongUse(f"{what} cannot be negative: write US dollars {such_as}.")
    if len(part) > DECIMALS:
        raise WrongUse(f"{what} has six decimals at most, as a micro-dollar is the least that is counted: {such_as}.")
    if len(whole.lstrip("0")) > 9:
        raise WrongUse(f"{what} has nine digits before the point at most: write US dollars {such_as}.")
    return int(whole) * MICRO + int(part.ljust(DECIMALS, "0"))
