"""The posts of one answer: what they should say, what they say, and the one call that brings these nearer.

This is the outlet that a writer drives: reading the model only adds text here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from bots.discord.aside import Aside
from bots.discord.controls import answer_row, stop_row
from bots.discord.errors import UNKNOWN_MESSAGE
from bots.discord.orphans import Orphans
from bots.discord.places import Components, Place
from bots.rendering import render, stable_prefix
from bots.replies import sentence
from bots.splitting import Splitter
from bots.writer import RateLimited
from core.errors import PlaceGone, PlatformError
from core.messages import Answer, Notice, Post, ReplyOrder
from core.ports import PostLog, TurnLost

LONGEST_POST = 2000
LONGEST_ASIDE = LONGEST_POST - 100  # a line goes before it
_NEARLY_FULL = LONGEST_POST - 400
_log = structlog.get_logger()


@dataclass(slots=True)
class _Shown:
    """A post as Discord has it; `content` is None while that is not known (it is from an earlier attempt)."""

    post: str
    content: str | None = None
    buttons: bool = True
    closed: bool = False
    gone: bool = False  # somebody deleted it: it is not written again
    adopted: bool = False  # nobody's until now, and not yet written to


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A post as it should be. `start`: where its text begins in the rendered answer."""

    content: str
    start: int
    buttons: bool
    closed: bool


class AnswerPosts:
    """Writes an answer into a place, post by post, the newest open one with a Stop button.

    When it is whole, the last one has the buttons that the answer brings.

    `lead` is a line above the answer that is no part of it (the question, where nobody else would see it). `aside`
    tells the asker alone what is for nobody else; None where nobody else reads the place.
    """

    def __init__(
        self,
        order: ReplyOrder,
        log: PostLog,
        place: Place,
        *,
        lead: str = "",
        aside: Aside | None = None,
    ) -> None:
        self._order = order
        self._log = log
        self._place = place
        self._orphans = Orphans(order, log, place)
        self._sought = order.attempt <= 1
        self._lead = f"{render(lead, 'discord')}\n" if lead else ""
        self._opening = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._opened = bool(order.posts)
        self._splitter = Splitter(LONGEST_POST - len(self._lead))
        self._text = ""
        self._answer: Answer | None = None
        self._aside = aside
        self._hidden = False  # whether the answer is for the asker's eyes alone
        self._stale = False  # whether text came since `_wanted` was worked out
        self._wanted: list[_Wanted] = []
        self._shown = _of_earlier(order.posts)

    def add(self, text: str) -> None:
        """More of the model's text."""
        self._text += text
        self._stale = True

    def conclude(self, answer: Answer) -> None:
        """All of it, and what people must be told below."""
        if not answer.text.startswith(self._text):
            self._splitter = Splitter(LONGEST_POST - len(self._lead))
        self._text = answer.text
        self._answer = answer
        self._hidden = self._aside is not None and answer.only_asker and not answer.text
        self._stale = True

    def begin_again(self, posts: tuple[Post, ...]) -> None:
        """Whatever these posts show, everything is to be written once more."""
        self._shown, self._opened, self._sought = _of_earlier(posts), True, True
        self._hidden = False  # what the asker alone was shown is nowhere that a late write could reach

    async def open(self) -> None:
        """Takes over the post that the place has already, if any: a deferred answer. Raises PlatformError."""
        async with self._opening:
            if not self._opened:
                post = await self._place.open()
                self._opened = True
                if post is not None:
                    await self._keep(post, 0)

    def pending(self, *, final: bool) -> str | None:
        """The bucket of the next call, "edit" or "send"; None when Discord has everything."""
        number = self._next(final=final)
        if number is None:
            return "send" if final and self._to_be_said() else None
        first_exists = number == 0 and self._place.opens
        return "send" if number >= len(self._shown) and not first_exists else "edit"

    async def write(self, *, final: bool) -> None:
        """Makes the next call. Raises RateLimited, PlatformError."""
        async with self._writing:
            await self.open()
            number = self._next(final=final)
            if not self._log.lease.held():  # it was, when the writer asked
                return
            if number is None:
                if final and self._to_be_said():
                    await self._say_aside()
                return
            if number >= len(self._wanted):
                await self._remove(number)
            elif number < len(self._shown):
                await self._edit(number, self._wanted[number])
            else:
                await self._begin(number, self._wanted[number])
            for other, (shown, wanted) in enumerate(zip(self._shown, self._wanted, strict=False)):
                if (shown.content, shown.buttons) == (wanted.content, wanted.buttons):
                    await self._mark(other, wanted)  # it became whole without a write of its own

    async def rest(self) -> None:
        """Returns when no write is under way."""
        async with self._writing:
            return

    def _next(self, *, final: bool) -> int | None:
        """The number of the first post that is not as it should be; beyond the wanted ones: the last, as surplus."""
        self._refresh()
        for number, wanted in enumerate(self._wanted):
            if number >= len(self._shown):
                return number
            shown = self._shown[number]
            if not shown.gone and (shown.content, shown.buttons) != (wanted.content, wanted.buttons):
                return number
        return len(self._shown) - 1 if final and len(self._shown) > len(self._wanted) else None

    def _to_be_said(self) -> bool:
        """Whether the asker has yet to be told what nobody else reads."""
        return self._hidden and self._aside is not None and not (self._aside.told or self._aside.refused)

    async def _say_aside(self) -> None:
        if self._aside is None or self._answer is None:
            return
        words = _words_of(self._answer)
        if not self._sought and await self._adopt_earlier(_Wanted(words, 0, buttons=True, closed=True)):
            return  # now there is something to be taken away first
        if self._log.lease.held():
            await self._aside.say(words[:LONGEST_ASIDE], answer_row(self._answer))
            self._stale = True  # where that was refused, there is something to be shown after all

    async def _begin(self, number: int, wanted: _Wanted) -> None:
        """A further post: one that an earlier attempt left here, else a new one."""
        if not self._sought and await self._adopt_earlier(wanted):
            return  # now there is another next call
        if self._log.lease.held():  # the look took its time
            await self._send(number, wanted)

    async def _adopt_earlier(self, wanted: _Wanted) -> bool:
        """Before the first new post of a later attempt: whether an earlier one made posts that it did not write down.

        What they show is not believed: each is written over, and those beyond the answer's end are removed.
        """
        found = await self._orphans.of_earlier_attempts([shown.post for shown in self._shown], wanted.content)
        self._sought = True
        for post in found:
            self._shown.append(_Shown(post, adopted=True))
            # Where the turn is lost by now the post stays: whoever has it looks here as well.
            await self._log.add(len(self._shown) - 1, post, wanted.start)
            _log.info("post_adopted", turn=self._order.turn, post=post)
        return bool(found)

    async def _send(self, number: int, wanted: _Wanted) -> None:
        sent = await self._place.send(wanted.content, self._buttons(wanted), f"{self._order.turn}.{number}")
        await self._keep(sent.post, wanted.start)
        if (sent.content, sent.buttons) == (wanted.content, wanted.buttons):
            await self._mark(number, wanted)
        else:  # an earlier send had arrived, with an older text: an edit follows
            self._shown[number].content, self._shown[number].buttons = sent.content, sent.buttons

    async def _keep(self, post: str, start: int) -> None:
        """Remembers a new post, in the store too, before anything else is written."""
        self._shown.append(_Shown(post))
        try:
            await self._log.add(len(self._shown) - 1, post, start)
        except TurnLost:
            if not await self._log.owned([post]):
                await self._take_away(post)
            raise

    async def _take_away(self, post: str) -> None:
        """A post that came too late: its turn is somebody else's, who never heard of it."""
        try:
            await self._place.delete(post)
        except (PlatformError, RateLimited) as error:
            _log.warning("late_post_stays", turn=self._order.turn, post=post, error=type(error).__name__)
        else:
            _log.info("late_post_removed", turn=self._order.turn, post=post)

    async def _edit(self, number: int, wanted: _Wanted) -> None:
        shown = self._shown[number]
        try:
            await self._place.edit(shown.post, wanted.content, self._buttons(wanted))
        except PlaceGone as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
            if shown.adopted and number == len(self._shown) - 1:
                # Its late maker took it away as nobody's, between our look and our row: a new one takes its place.
                self._shown.pop()
                await self._log.drop(number)
                return
            shown.gone = True
            _log.info("post_deleted_by_others", turn=self._order.turn, ordinal=number)
        shown.adopted = False
        await self._mark(number, wanted)

    async def _mark(self, number: int, wanted: _Wanted) -> None:
        shown = self._shown[number]
        shown.content, shown.buttons = wanted.content, wanted.buttons
        if wanted.closed and not shown.closed:
            shown.closed = True
            await self._log.close(number)

    async def _remove(self, number: int) -> None:
        try:
            await self._place.delete(self._shown[number].post)
        except PlaceGone as error:
            if error.code != UNKNOWN_MESSAGE:
                raise
        self._shown.pop()
        await self._log.drop(number)

    def _buttons(self, wanted: _Wanted) -> Components:
        if not wanted.buttons:
            return []
        return answer_row(self._answer) if self._answer is not None else stop_row(self._order.stop)

    def _refresh(self) -> None:
        """Brings `_wanted` up to the text: only when the writer asks, so that many deltas cost one look."""
        if not self._stale:
            return
        self._stale = False
        if self._hidden and self._aside is not None:
            short = f"{self._lead}{sentence(Notice('refused_in_place'), platform='discord')}"
            self._wanted = (
                [_Wanted(short, 0, buttons=_is_pressable(self._answer), closed=True)] if self._aside.refused else []
            )
            return
        final = self._answer is not None
        rendered = render(self._text[: stable_prefix(self._text, final=final)], "discord")
        self._wanted = []
        for number, piece in enumerate(self._splitter.feed(rendered)):
            content = (self._lead if number == 0 else "") + piece.text
            closed = final or piece.settled
            # A post that is nearly full loses its button with its next words: a write of its own would cost people
            # more than a second of text, and the next post has a button soon.
            buttons = not closed and len(content) < _NEARLY_FULL
            self._wanted.append(_Wanted(content, piece.start, buttons=buttons, closed=closed))
            if not closed:
                break  # a further post is opened when this one can change no more
        if self._answer is not None:
            self._put_below(self._answer, len(rendered))

    def _put_below(self, answer: Answer, end: int) -> None:
        """Adds the notices to the last post, or in a post of their own where they do not fit; then the button."""
        pressable = _is_pressable(answer)
        notices = [sentence(notice, platform="discord") for notice in answer.notices]
        if not self._wanted:
            words = _words_of(answer)
            self._wanted = [_Wanted(f"{self._lead}{words}"[:LONGEST_POST], 0, buttons=pressable, closed=True)]
        elif notices:
            small = "\n".join(f"-# {line}" for notice in notices for line in notice.splitlines() if line.strip())
            last = self._wanted[-1]
            together = f"{last.content}\n{small}"
            if len(together) <= LONGEST_POST:
                self._wanted[-1] = _Wanted(together, last.start, buttons=pressable, closed=True)
            else:
                self._wanted.append(_Wanted(small[:LONGEST_POST], end, buttons=pressable, closed=True))


def _is_pressable(answer: Answer | None) -> bool:
    return answer is not None and bool(answer.again or answer.ask_admin)


def _words_of(answer: Answer) -> str:
    """What people are told of an answer without text."""
    return "\n".join(sentence(notice, platform="discord") for notice in answer.notices) or "…"


def _of_earlier(posts: tuple[Post, ...]) -> list[_Shown]:
    return [_Shown(post.platform_id, closed=post.closed) for post in sorted(posts, key=lambda post: post.ordinal)]
