"""A rendered answer as pieces that a platform takes, with nothing lost between them.

The cut of a piece depends only on the text from its start to `limit + LOOKAHEAD` characters further on, so a piece
that has that much text behind its start is settled: text that comes later never changes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bots.breaks import Break, Line, Lines, Rank, anywhere, survey, within
from bots.fences import LONGEST_MARK, Fence, closing, open_fence, starts_like_fence

__all__ = ["LOOKAHEAD", "SMALLEST_LIMIT", "Piece", "Splitter", "open_fence", "split", "unsplit"]

LOOKAHEAD = 128  # tells a closing fence, a list item and a joined emoji from what they begin like
SMALLEST_LIMIT = 256  # room for the longest fence lines and some text
_WIDEST_MARGIN = 600
_STRIDE = 200

_VISIBLE = re.compile(r"\S")


@dataclass(frozen=True, slots=True)
class Piece:
    """One post's worth of text.

    `text` is what is posted: `lead` (the opening line of a fence that the post before closed), the rendered text's
    `[start:end)`, and `tail` (the closing line of a fence that goes on). `before` is whitespace dropped in front of
    the first piece, `gap` the whitespace dropped behind this one. The first `sure` characters of `text` stand
    in this piece whatever text follows: what a post that can only be appended to may show by now.
    `settled`: all of the piece stands, `gap` too.
    """

    text: str
    start: int
    end: int
    lead: str = ""
    tail: str = ""
    before: str = ""
    gap: str = ""
    sure: int = 0
    settled: bool = False

    @property
    def body(self) -> str:
        return self.text[len(self.lead) : len(self.text) - len(self.tail)]


def split(text: str, limit: int) -> list[Piece]:
    """Pieces of at most `limit` code points, each with its fences closed and no whitespace at its ends.

    A text without a visible character has no pieces. ValueError: a limit under `SMALLEST_LIMIT`.
    """
    return Splitter(limit).feed(text)


def unsplit(pieces: Iterable[Piece]) -> str:
    """The text that `split` was given."""
    return "".join(piece.before + piece.body + piece.gap for piece in pieces)


class Splitter:
    """Splits a text that grows, without looking again at settled pieces."""

    def __init__(self, limit: int) -> None:
        if limit < SMALLEST_LIMIT:
            raise ValueError(f"no fence fits into pieces of {limit} characters")
        self._limit = limit
        self._settled: list[Piece] = []
        self._start = 0
        self._fence: Fence | None = None

    def feed(self, text: str) -> list[Piece]:
        """All pieces of `text`, which begins with every text fed before."""
        unsettled: list[Piece] = []
        start, fence = self._start, self._fence
        if start == 0:
            first = _VISIBLE.search(text)
            if first is None:
                return []
            start = first.start()
        before = text[:start] if not self._settled else ""
        while start < len(text):
            piece, following, fence = _first_piece(text, start, fence, self._limit, before)
            start, before = following, ""
            if piece.settled and not unsettled:
                self._settled.append(piece)
                self._start, self._fence = start, fence
            else:
                unsettled.append(piece)
        return [*self._settled, *unsettled]


def _first_piece(
    text: str, start: int, fence: Fence | None, limit: int, before: str
) -> tuple[Piece, int, Fence | None]:
    """The piece that begins at `start`, where the next one begins, and the fence open there."""
    lead = fence.opening if fence else ""
    window = text[start : start + limit + LOOKAHEAD]
    room = limit - len(lead)
    low = room - min(_WIDEST_MARGIN, limit // 4)
    lines = survey(window, fence, room)
    rest = Break(lines.last.end, Rank.PARAGRAPH, lines.last.after)
    cut = rest if lines.fits else _chosen(window, lines, low, room)
    end = start + cut.end
    following = _following(text, end, cut, limit)
    gap = text[end:following]
    tail = closing(cut.fence)
    posted = f"{lead}{text[start:end]}{tail}"
    settled = following < len(text) and start + limit + LOOKAHEAD <= len(text)
    sure = len(posted) if settled else _sure(window, lines, low, room, len(lead), cut.end)
    carried = cut.fence.reopened() if cut.fence else None
    return Piece(posted, start, end, lead, tail, before, gap, sure, settled), following, carried


def _chosen(window: str, lines: Lines, low: int, room: int) -> Break:
    """Where to cut: the best place near the end, else the last good one, else anywhere."""
    line = lines.last
    high = room - _reserve(lines)
    inside = list(within(window, line, max(low, line.start), high)) if high > line.start else []
    between = lines.breaks(low, room)
    good = [place for place in between if place.rank > Rank.AVOID]
    near = [place for place in good if place.end >= low]
    if not line.whole:
        near += [place for place in inside if place.rank > Rank.AVOID]
    if near:
        return _best(near)
    if not line.whole and high > line.start:
        good += [place for place in within(window, line, line.start, high) if place.rank > Rank.AVOID]
    if good:
        return good[-1]
    if inside:
        return _best(inside)
    if between and (high <= line.start or starts_like_fence(line.text)):
        return between[-1]
    return anywhere(window, line, high)


def _sure(window: str, lines: Lines, low: int, room: int, lead: int, end: int) -> int:
    """How much of the piece stays if words follow: up to the place where it would be cut at the worst."""
    line = lines.last
    between = lines.breaks(low, room)
    certain = [place for place in between if place.rank > Rank.AVOID and not place.tentative]
    undecided = bool(between) and between[-1].tentative
    if not line.whole and not undecided and not starts_like_fence(line.text):
        certain += _last_inside(window, line, low, min(room - _reserve(lines), len(window)))
    near = [place for place in certain if place.end >= low]
    if not certain:
        return 0
    place = _best(near) if near else certain[-1]
    return lead + min(place.end, end)


def _last_inside(window: str, line: Line, low: int, high: int) -> list[Break]:
    """The good places from `low` on within a line, or else at least the last one: found without reading it all."""
    for start in (low, high - _STRIDE, line.start):
        good = [place for place in within(window, line, max(start, line.start), high) if place.rank > Rank.AVOID]
        if good:
            return good
    return []


def _best(places: Sequence[Break]) -> Break:
    return max(places, key=lambda place: (place.rank, place.end))


def _reserve(lines: Lines) -> int:
    """Room for the closing line, should the cut fall into the last line."""
    line = lines.last
    torn = LONGEST_MARK + 1 if starts_like_fence(line.text) else 0
    return max(len(closing(line.before)), len(closing(line.after)), torn)


def _following(text: str, end: int, cut: Break, limit: int) -> int:
    """Where the next piece begins: at the next visible character, or in a fence at the start of its line."""
    found = _VISIBLE.search(text, end)
    if found is None:
        return len(text)
    visible = found.start()
    if cut.fence is None or not cut.at_line:
        return visible
    line = text.rfind("\n", end, visible) + 1
    return line if line > end and visible - line <= limit // 4 else visible
