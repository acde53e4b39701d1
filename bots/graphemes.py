"""Where a text may be cut without tearing what people see as one character."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"
_REACH = 64  # further back than any real cluster; keeps hostile texts linear


def boundary(text: str, index: int) -> bool:
    """Whether `text[:index]` and `text[index:]` share no visible character. The ends of a text are boundaries."""
    if index <= 0 or index >= len(text):
        return True
    before, after = text[index - 1], text[index]
    if after < "\u0300" and before < "\u0300":
        return not (before == "\r" and after == "\n")
    if _extends(after) or before == _JOINER:
        return False
    if "\ud800" <= before <= "\udbff" and "\udc00" <= after <= "\udfff":
        return False
    if _flag_half(before) and _flag_half(after):
        return _flag_halves_before(text, index) % 2 == 0
    return not _same_syllable(before, after)


def last_boundary(text: str, index: int) -> int:
    """The boundary nearest to `index` and not after it; `index` itself if a cluster is absurdly long."""
    for candidate in range(index, max(0, index - _REACH), -1):
        if boundary(text, candidate):
            return candidate
    return index


def _extends(char: str) -> bool:
    """Combining marks, variation selectors, skin tones, tags and joiners belong to what stands before them."""
    if char in "\u200c\u200d" or "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    return unicodedata.category(char) in ("Mn", "Me", "Mc")


def _flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_halves_before(text: str, index: int) -> int:
    first = index
    while first > 0 and _flag_half(text[first - 1]):
        first -= 1
    return index - first


def _same_syllable(before: str, after: str) -> bool:
    """Hangul written in single letters: leading consonant, vowel, trailing consonant."""
    if "\u1100" <= before <= "\u115f":
        return "\u1100" <= after <= "\u11a7" or "\uac00" <= after <= "\ud7a3"
    return "\u1160" <= after <= "\u11ff" and ("\u1160" <= before <= "\u11ff" or "\uac00" <= before <= "\ud7a3")
