"""The posts of one answer, and the next call that brings them nearer to what they should show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bots.splitting import Piece
from core.messages import Post

STREAM_SECONDS = 240.0  # Slack ends a stream after about 300, also one that is written to

Mode = Literal["stream", "edit", "left"]
Act = Literal["start", "append", "stop", "post", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Foot:
    """What stands below an answer: sentences for people, and a button, which is a control's id.

    `stop` is there while it is written, `again` when the model could not be had, `ask_admin` when money was short.
    """

    notes: tuple[str, ...] = ()
    stop: str = ""
    again: str = ""
    ask_admin: str = ""


NO_FOOT = Foot()


@dataclass(slots=True)
class Shown:
    """A post as Slack has it. `text` None: nobody knows.

    `mode`: "stream" is an open stream; "left" may still be one, left by an earlier attempt or by a call that
    failed; "edit" is a plain post. `foot`: what stands below the text.
    """

    ts: str
    mode: Mode
    text: str | None = None
    foot: Foot = NO_FOOT
    started: float = 0.0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `text`: what it sends; `shown`: what the post shows afterwards; `foot`: what is below it then.

    `last`: nothing will be changed in this post afterwards.
    """

    act: Act
    ordinal: int
    text: str
    shown: str | None
    foot: Foot = NO_FOOT
    start: int = 0
    last: bool = False


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be seen. `running`: more text may come; then `foot` is shown on posts that can be edited only."""

    pieces: Sequence[Piece]
    running: bool
    foot: Foot = NO_FOOT


class Posts:
    """Plans one call at a time; `done` and `lost` tell it what became of the call."""

    def __init__(self, earlier: Sequence[Post]) -> None:
        self._shown = [
            Shown(post.platform_id.rpartition(":")[2], "edit" if post.closed else "left", closed=post.closed)
            for post in sorted(earlier, key=lambda post: post.ordinal)
        ]

    def __len__(self) -> int:
        return len(self._shown)

    def __getitem__(self, ordinal: int) -> Shown:
        return self._shown[ordinal]

    def next(self, goal: Goal, now: float, *, streaming: bool = True, stops: bool = True) -> Step | None:
        """The next call, None when all is as it should be.

        `streaming`: whether a new stream may be started. `stops`: whether one may be stopped without waiting; where
        it may not, the last words go ahead by themselves.
        """
        last = len(goal.pieces) - 1
        for ordinal, piece in enumerate(goal.pieces):
            whole = not goal.running or ordinal < last
            foot = goal.foot if ordinal == last else NO_FOOT
            if ordinal >= len(self._shown):
                step = _begun(ordinal, piece, whole, foot, streaming=streaming)
            else:
                step = _continued(self._shown[ordinal], ordinal, piece, whole, foot, now, stops=stops)
            if step is not None:
                return step
            if ordinal >= len(self._shown):
                return None  # nothing to begin it with yet
        if not goal.running and len(self._shown) > len(goal.pieces):
            surplus = len(self._shown) - 1
            act: Act = "delete" if self._shown[surplus].mode == "edit" else "stop"
            return Step(act, surplus, "", None)
        return None

    def done(self, step: Step, ts: str, now: float) -> None:
        """The call was carried out. `ts`: of the post that it made, for "start" and "post"."""
        if step.act == "delete":
            self._shown.pop(step.ordinal)
            return
        if step.act in {"start", "post"}:
            self._shown.append(Shown(ts, "stream" if step.act == "start" else "edit", started=now))
        shown = self._shown[step.ordinal]
        if step.act == "stop":
            shown.mode = "edit"
        shown.text, shown.foot, shown.closed = step.shown, step.foot, step.last

    def adopt(self, ts: str) -> None:
        """A post that turned out to be there although the call that made it seemed to fail."""
        self._shown.append(Shown(ts, "left"))

    def lost(self, ordinal: int, *, ended: bool) -> None:
        """A stream can no longer be written to, or what it shows is unknown. `ended`: Slack has closed it."""
        shown = self._shown[ordinal]
        shown.mode, shown.text = "edit" if ended else "left", None


def _begun(ordinal: int, piece: Piece, whole: bool, foot: Foot, *, streaming: bool) -> Step | None:
    if whole or not streaming:
        return Step("post", ordinal, piece.text, piece.text, foot, piece.start, last=whole)
    sure = piece.text[: piece.sure]
    return Step("start", ordinal, sure, sure, NO_FOOT, piece.start) if sure.strip() else None


def _continued(
    shown: Shown, ordinal: int, piece: Piece, whole: bool, foot: Foot, now: float, *, stops: bool
) -> Step | None:
    if shown.mode == "left":
        return Step("stop", ordinal, "", None, NO_FOOT, piece.start)
    wanted = piece.text if whole or shown.mode == "edit" else piece.text[: piece.sure]
    if shown.mode == "edit":
        if shown.text == wanted and shown.foot == foot:
            return None
        return Step("update", ordinal, wanted, wanted, foot, piece.start, last=whole)
    if shown.text is None or not piece.text.startswith(shown.text):
        return Step("stop", ordinal, "", None, NO_FOOT, piece.start)
    rest = wanted[len(shown.text) :]
    if whole and (stops or not rest):
        return Step("stop", ordinal, rest, wanted, foot, piece.start, last=True)
    if not whole and now - shown.started >= STREAM_SECONDS:
        # Going on by edits keeps the piece in one post; the next piece gets a stream of its own again.
        return Step("stop", ordinal, rest, shown.text + rest, NO_FOOT, piece.start)
    return Step("append", ordinal, rest, wanted, NO_FOOT, piece.start) if rest else None
