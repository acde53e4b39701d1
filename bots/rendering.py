"""The model's text as a platform may show it. What is changed is named by these rules and by nothing else.

- **refused characters** are removed: control characters but tab and line break, halves of surrogate pairs without
  their other half (two halves become the character they stand for), and the two non-characters of the basic plane.
- **pings** are broken by a word joiner (U+2060) behind their first character, in code too, so that no answer can
  wake a channel: `@everyone`, `@here`, `@channel`, and on Slack `<!channel>`, `<!subteam^…>`, `<@U…>` and their like.
"""

from __future__ import annotations

import re
from typing import Literal

Platform = Literal["slack", "discord"]

WORD_JOINER = "\u2060"

_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_EVERYBODY = r"@(?=everyone|(?:channel|here)(?!\w))"
_PINGS: dict[Platform, re.Pattern[str]] = {
    "slack": re.compile(rf"<(?=!(?:channel|here|everyone|subteam)|@[uw])|{_EVERYBODY}", re.IGNORECASE | re.ASCII),
    "discord": re.compile(_EVERYBODY, re.IGNORECASE | re.ASCII),
}
_TRIGGERS = ("<!channel", "<!here", "<!everyone", "<!subteam", "<@u", "@everyone")
_ENDED_TRIGGERS = ("@channel", "@here")  # a ping only where the word ends
_LONGEST = max(map(len, _TRIGGERS))
_LONGEST_HELD_MARKS = 64


def render(text: str, platform: Platform) -> str:
    """`text` with the rules of this module applied. Rendering it again changes nothing."""
    paired = _PAIR.sub(lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _PINGS[platform].sub(rf"\g<0>{WORD_JOINER}", _REFUSED.sub("", paired))


def stable_prefix(text: str, *, final: bool = False) -> int:
    """How many characters of a growing text can be rendered now: what follows never changes them as rendered.

    Held back are a ping begun, the first half of a surrogate pair, and an unfinished run of fence marks.
    """
    end = len(text)
    while not final and (held := _held(text, end)) < end:
        end = held
    return end


def _held(text: str, end: int) -> int:
    """Where the undecided end of `text[:end]` begins; `end` if all of it is decided."""
    if end == 0:
        return 0
    last = text[end - 1]
    if "\ud800" <= last <= "\udbff":
        return end - 1
    if last in "`~":
        return _run_start(text, end, last)
    tail = ""
    for index in range(end - 1, -1, -1):
        char = text[index]
        if _REFUSED.match(char):
            continue
        tail = char.lower() + tail
        if char in "<@" and _undecided(tail):
            return index
        if len(tail) > _LONGEST:
            break
    return end


def _undecided(tail: str) -> bool:
    return any(len(tail) < len(whole) and whole.startswith(tail) for whole in _TRIGGERS) or any(
        whole.startswith(tail) for whole in _ENDED_TRIGGERS
    )


def _run_start(text: str, end: int, mark: str) -> int:
    start = end
    while start > 0 and text[start - 1] == mark:
        start -= 1
    return start if end - start <= _LONGEST_HELD_MARKS else end
