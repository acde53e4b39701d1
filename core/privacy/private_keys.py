"""Private keys in PEM's form or PGP's, as they stand in files, in JSON, in quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
# Without possessive repeats, which Python 3.11's first releases get wrong; each of these only ever goes on or ends.
_BODY = re.compile(r"[^-]*(?:-(?!----)[^-]*)*")
# What a key that was cut off still shows: whole lines of it, one after the other, also where JSON writes breaks as \n.
_CUT_BODY = re.compile(
    r"(?:(?:\s|\\[nr])+[A-Z][A-Za-z-]{2,20}: [^\n\\]{1,100})*(?:(?:[\s>|\"'+,]|\\[nrt])*[A-Za-z0-9+/=]{24,})*"
)
_LINE = re.compile(r"[ \t>|\"'+,]*[A-Za-z0-9+/=]{1,100}[ \t\"'+,]*(?:\\[nr])?[\"'+, \t]*")
_LONG = re.compile(r"[A-Za-z0-9+/=]{24}")


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where keys begin and end: whole ones, and what is left of those that a platform's limit has cut in two."""
    end = 0
    for begin in _BEGIN.finditer(text):
        if begin.start() < end:
            continue
        body = _BODY.match(text, begin.end())
        closing = _END.match(text, body.end()) if body is not None else None
        if body is not None and closing is not None:
            end = closing.end()
            if re.search(r"[A-Za-z0-9+/=]{16}", body[0]):
                yield begin.start(), end
        elif (rest := _CUT_BODY.match(text, begin.end())) is not None and _LONG.search(rest[0]):
            end = rest.end()
            yield begin.start(), end
    last = 0
    for closing in _END.finditer(text):
        head = text[last : closing.start()]
        last = closing.end()
        if "-----" not in head and (size := _tail(head)):
            yield closing.start() - size, closing.end()


def _tail(head: str) -> int:
    """How many characters before a key's end mark belong to it: its last lines, one of them a long one."""
    size = longest = 0
    for line in reversed(head.split("\n")):
        if line.strip() and not _LINE.fullmatch(line):
            break
        if line.strip() and size > 1 and len(line.strip()) < 24:  # only the last line of a key is short
            break
        longest = max(longest, len(line.strip()))
        size += len(line) + 1
    return len(head[max(len(head) - size, 0) :].lstrip()) if longest >= 24 else 0
