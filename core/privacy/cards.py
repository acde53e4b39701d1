"""Numbers of payment cards: what they look like, and Luhn's check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A run of digits in groups, as long as it goes. What begins with a set is looked for in C, quicker than any lookbehind.
_RUN = re.compile(r"[0-9]+(?:[ \u00a0-][0-9]+)*")
_GROUP = re.compile(r"[0-9]+")
# Beginnings and lengths that are issued today, unbroken: a Discord id is 17 to 19 digits, a SIRET 14 with a check digit
# of the same kind, an EAN-13 may begin with a 4, so these lengths count only where they are grouped as on a card.
_UNBROKEN = re.compile(
    r"4[0-9]{15}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}|3[47][0-9]{13}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|62[0-9]{14}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
)
_GROUPED = re.compile(r"3(?:0[0-5]|[689][0-9])[0-9]{11}|62[0-9]{17}|" + _UNBROKEN.pattern)
_GROUPINGS = ((4, 4, 4, 4, 3), (4, 4, 4, 4), (4, 6, 5), (4, 6, 4))
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_BEFORE, _AFTER = "._,", "_"  # parts of decimal numbers and of names


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others. `digits`: ASCII digits alone."""
    values = digits.encode("ascii").translate(_VALUES)
    return (sum(values[-1::-2]) + sum(values[-2::-2].translate(_DOUBLED))) % 10 == 0


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers begin and end, in order; one that is written over several lines is none."""
    for run in _RUN.finditer(text):
        begin, end = run.span()
        if end - begin >= 14 and _alone(text, begin, end):
            yield from _cards(text, begin, end)


def _alone(text: str, begin: int, end: int) -> bool:
    """Whether the run is neither part of a word nor of a decimal number."""
    before, after = text[begin - 1 : begin], text[end : end + 1]
    if before.isalnum() or (before and before in _BEFORE):
        return False
    return not (after.isalnum() or (after and after in _AFTER) or (after == "." and text[end + 1 : end + 2].isdigit()))


def _cards(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    groups = [group.span() for group in _GROUP.finditer(text, begin, end)]
    lengths = [stop - start for start, stop in groups]
    place = 0
    while place < len(groups):
        count = _count(text, groups, lengths, place)
        if count:
            yield groups[place][0], groups[place + count - 1][1]
        place += count or 1


def _count(text: str, groups: list[tuple[int, int]], lengths: list[int], place: int) -> int:
    """Of how many groups the card number is made that begins with that one; 0: none does."""
    if 15 <= lengths[place] <= 16:
        return int(_is_card(text[slice(*groups[place])], _UNBROKEN))
    if lengths[place] != 4 or (place and lengths[place - 1] == 4):  # a longer row of fours is a table, or an IBAN
        return 0
    for grouping in _GROUPINGS:
        count = len(grouping)
        if tuple(lengths[place : place + count]) != grouping:
            continue
        if grouping[-1] == 4 and len(set(grouping)) == 1 and lengths[place + count : place + count + 1] == [4]:
            continue
        digits = "".join(text[start:stop] for start, stop in groups[place : place + count])
        if _is_card(digits, _GROUPED):
            return count
    return 0


def _is_card(digits: str, form: re.Pattern[str]) -> bool:
    return form.fullmatch(digits) is not None and luhn(digits)
