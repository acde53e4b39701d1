"""Fenced code, line by line: enough of CommonMark to know whether a text ends inside a fence.

One thing is taken more widely than there: a fence may be opened at any indent, because models put fences into list
items, and platforms draw them there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import reduce

LONGEST_MARK = 32  # a longer run of marks is text: closing and re-opening it would fill the post
LONGEST_INFO = 64  # what is repeated of an info string when its fence is re-opened
DEEPEST_TOP = 3  # an indent beyond this cannot close a fence that was opened outside of lists

_FENCE = re.compile(r"([ \t]*)((?:[-*+]|\d{1,9}[.)]) +)?(`{3,}|~{3,})(.*)", re.DOTALL)
_ITEM = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+")


@dataclass(frozen=True, slots=True)
class Fence:
    """An open fence: its run of marks, its info string, the column it was opened at, whether that was in a list."""

    mark: str
    info: str
    column: int = 0
    nested: bool = False

    @property
    def opening(self) -> str:
        """The line that opens it again in the next post, with the line break."""
        space = " " if self.info.startswith(self.mark[0]) else ""
        return f"{self.mark}{space}{self.info}\n"

    @property
    def closing(self) -> str:
        """The line that closes it at the end of a post, with the line break before it."""
        return f"\n{' ' * self.column}{self.mark}"

    def reopened(self) -> Fence:
        """The same fence as it stands in the next post, at the left."""
        return replace(self, column=0)

    def closed_by(self, line: str) -> bool:
        """Whether `line` closes it: nothing but enough of the same marks."""
        if self.mark not in line:
            return False
        run = line.strip(" \t\r")
        if run != self.mark[0] * len(run):
            return False
        return self.nested or _width(line[: line.index(self.mark[0])]) <= DEEPEST_TOP


def fence_after(fence: Fence | None, line: str) -> Fence | None:
    """The open fence behind one more line, given without its line break."""
    if fence:
        return None if fence.closed_by(line) else fence
    if "```" not in line and "~~~" not in line:
        return None
    found = _FENCE.match(line)
    if found is None:
        return None
    indent, item, mark, info = found.groups(default="")
    if len(mark) > LONGEST_MARK or (mark[0] == "`" and "`" in info):
        return None
    column = _width(indent + item)
    return Fence(mark, _short(info.strip()), min(column, LONGEST_MARK), nested=bool(item) or column > DEEPEST_TOP)


def open_fence(text: str) -> Fence | None:
    """The fence in which `text` ends, if it ends in one."""
    return reduce(fence_after, text.split("\n"), None)


def closing(fence: Fence | None) -> str:
    return fence.closing if fence else ""


def starts_like_fence(line: str) -> bool:
    """Whether a line would open or close a fence if it stood at the start of a post."""
    return line.lstrip().startswith(("```", "~~~"))


def starts_list_item(line: str) -> bool:
    """Whether a line begins an item of an outermost list."""
    found = _ITEM.match(line)
    return found is not None and _width(found.group(1)) < 2


def _short(info: str) -> str:
    return info if len(info) <= LONGEST_INFO else info.split(maxsplit=1)[0][:LONGEST_INFO]


def _width(indent: str) -> int:
    return len(indent.expandtabs(4))
