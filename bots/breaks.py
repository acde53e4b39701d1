"""Where a post may end: the places to cut a text, each with how good it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from bots.fences import Fence, closing, fence_after, starts_like_fence, starts_list_item
from bots.graphemes import boundary, last_boundary

_SCRIPTS_WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_GAP = re.compile(
    rf"(?P<space>\s+)|(?<=[。！？])(?=[^\s」』）】〉》。！？])|(?<=[{_SCRIPTS_WITHOUT_SPACES}])(?=[{_SCRIPTS_WITHOUT_SPACES}])"
)
_CLOSERS = "\"')]*_»”’`"
_HALF_MARK = re.compile(r"(?:`{1,2}|~{1,2})\Z")
_HALF_NUMBER = re.compile(r"\d{1,9}[.)]?\Z")
_MARKS = re.compile("`+")


class Rank(IntEnum):
    """How good a place is, worst first."""

    AVOID = 0
    SPACE = 1
    SENTENCE = 2
    LINE = 3
    ITEM = 4
    PARAGRAPH = 5


@dataclass(frozen=True, slots=True)
class Break:
    """A place to cut: what is shown ends before `end`. `fence` is what is open there as posted.

    `at_line`: the next post begins with a whole line. `tentative`: words still to come may change the rank.
    """

    end: int
    rank: Rank
    fence: Fence | None
    at_line: bool = True
    tentative: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    start: int
    text: str
    before: Fence | None
    after: Fence | None
    ended: bool

    @property
    def end(self) -> int:
        """Where its last visible character ends."""
        return self.start + len(self.text.rstrip())

    @property
    def whole(self) -> bool:
        """Whether it should never be cut: code, a fence, a table's row."""
        return self.before is not None or self.after is not None or _row(self.text)


@dataclass(frozen=True, slots=True)
class Lines:
    """The visible lines of one window as far as they fit, each with whether a blank line stands before it.

    `last` is the line that does not fit any more, or the last of all when everything `fits`.
    """

    known: Sequence[tuple[Line, bool]]
    last: Line
    fits: bool

    def breaks(self, low: int, room: int) -> list[Break]:
        """The places between lines from `low` on, and the last good one before; each fits with its closing fence."""
        found: list[Break] = []
        for index in range(len(self.known) - 1, 0, -1):
            previous, (line, blank) = self.known[index - 1][0], self.known[index]
            if previous.end + len(closing(line.before)) > room:
                continue
            tentative = not line.ended and _undecided(line.text)
            found.append(Break(previous.end, _rank_between(previous, line, blank), line.before, tentative=tentative))
            if previous.end < low and found[-1].rank > Rank.AVOID and not tentative:
                break
        return found[::-1]


def survey(window: str, fence: Fence | None, room: int) -> Lines:
    """The lines of `window` that fit into `room` characters, and the first that does not."""
    known: list[tuple[Line, bool]] = []
    blank = False
    position = 0
    while True:
        newline = window.find("\n", position)
        text = window[position:] if newline < 0 else window[position:newline]
        after = fence_after(fence, text)
        if text and not text.isspace():
            line = Line(position, text, fence, after, newline >= 0)
            known.append((line, blank))
            blank = False
            if line.end + len(closing(after)) > room:
                return Lines(known, line, fits=False)
        else:
            blank = True
        if newline < 0:
            return Lines(known, known[-1][0], fits=True)
        fence, position = after, newline + 1


def within(window: str, line: Line, low: int, high: int) -> Iterator[Break]:
    """Places inside one line, from `low` to `high`: spaces, sentence ends, and between letters that need no space."""
    stop = line.start + len(line.text)
    low = min(low, stop)
    while low > line.start and window[low - 1].isspace():
        low -= 1
    text_start = stop - len(line.text.lstrip())
    counted, in_code_span = line.start, False
    for gap in _GAP.finditer(window, low, stop):
        end, start = gap.span()
        if end > high or start >= stop:
            return
        if line.before is None:
            in_code_span ^= len(_MARKS.findall(window, counted, end)) % 2 == 1
            counted = end
        if end <= text_start or not boundary(window, start):
            continue
        rest = window[start : start + 3]
        if in_code_span or starts_like_fence(rest) or (start + len(rest) == len(window) and _HALF_MARK.match(rest)):
            rank = Rank.AVOID
        else:
            rank = _rank_inside(window, end, spaced=gap.group("space") is not None)
        yield Break(end, rank, fence_after(line.before, window[line.start : end]), at_line=False)


def anywhere(window: str, line: Line, high: int) -> Break:
    """The last resort: as much as fits, without tearing a visible character or a run of fence marks."""
    end = last_boundary(window, high)
    while end > max(high - 64, line.start + 1) and window[end - 1] == window[end : end + 1] and window[end] in "`~":
        end -= 1
    return Break(end, Rank.AVOID, fence_after(line.before, window[line.start : end]), at_line=False)


def _rank_between(previous: Line, line: Line, blank: bool) -> Rank:
    opens, closed = line.after, previous.before
    if line.before:
        if opens is None or closed is None:
            return Rank.AVOID  # would leave an empty fence
        return Rank.ITEM if blank else Rank.LINE
    if _row(line.text) and _row(previous.text) and not blank:
        return Rank.AVOID if _table_rule(line.text) or _table_rule(previous.text) else Rank.LINE
    if previous.text.lstrip().startswith("#"):
        return Rank.LINE  # a heading stays with what it heads
    if blank or opens or closed or line.text.startswith("#"):
        return Rank.PARAGRAPH
    return Rank.ITEM if starts_list_item(line.text) else Rank.LINE


def _rank_inside(window: str, end: int, *, spaced: bool) -> Rank:
    if not spaced:
        return Rank.SENTENCE if window[end - 1] in "。！？" else Rank.SPACE
    tail = window[max(0, end - 8) : end].rstrip(_CLOSERS)
    if tail.endswith((".", "!", "?", "…", "。", "！", "？")):
        return Rank.SPACE if len(tail) > 1 and tail[-2].isdigit() else Rank.SENTENCE
    return Rank.SPACE


def _row(text: str) -> bool:
    return text.lstrip().startswith("|")


def _table_rule(text: str) -> bool:
    return "-" in text and set(text.strip()) <= set("|-: ")


def _undecided(text: str) -> bool:
    """Whether the rest of a growing line may still make it a fence, a list item, a table's rule."""
    begun = text.strip()
    marks_only = set(begun) <= set("-*+#>|:= `~")
    return marks_only or starts_like_fence(begun) or _HALF_NUMBER.match(begun) is not None
