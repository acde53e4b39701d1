"""One answer on its way into a Slack thread: each `write` makes the one call that is next."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bots.rendering import render, stable_prefix
from bots.slack import blocks
from bots.slack.api import Json
from bots.slack.aside import Aside
from bots.slack.errors import METHOD_REFUSED, Unsure
from bots.slack.orphans import Orphans
from bots.slack.posts import Foot, Goal, Posts, Step
from bots.slack.status import StatusLine
from bots.slack.workspace import SlackWorkspace
from bots.splitting import Piece, Splitter
from bots.writer import RateLimited
from core.errors import PlaceGone, PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import Post, ReplyOrder
from core.ports import PostLog, TurnLost

PIECE_MAX = 10_000  # `markdown_text` takes 12,000, and closing a fence costs some
REFUSALS_MAX = 4

_METHODS = {
    "start": "chat.startStream",
    "append": "chat.appendStream",
    "stop": "chat.stopStream",
    "post": "chat.postMessage",
    "update": "chat.update",
    "delete": "chat.delete",
}

log = structlog.get_logger()


class Outlet:
    """What should be seen (`text`, `foot`) against what is seen; honours `bots.writer.Outlet`.

    With an `aside`, nothing is to be seen here: once that is so, the asker alone is told.
    """

    def __init__(
        self,
        order: ReplyOrder,
        workspace: SlackWorkspace,
        posts: PostLog,
        status: StatusLine,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.text = ""
        self.foot = Foot(stop=order.stop)
        self.placeholder = ""
        self.aside: Aside | None = None
        self._order = order
        self._workspace = workspace
        self._log = posts
        self._status = status
        self._clock = clock
        self._posts = Posts(order.posts)
        self._orphans = Orphans(order, workspace, posts)
        self._sought = order.attempt <= 1
        self._splitter = Splitter(PIECE_MAX)
        self._fed = ""
        self._streaming: bool | None = None
        self._streams_refused = False
        self._refusals = 0

    def begin_again(self, posts: tuple[Post, ...]) -> None:
        """Whatever these posts show, everything is to be written once more."""
        self._posts = Posts(posts)
        self._sought, self._refusals = True, 0

    def pending(self, *, final: bool) -> str | None:
        """The bucket of the next call; None when everything is as it should be."""
        if self._streaming is None:
            self._streaming = not self._streams_refused and self._workspace.streams.may_begin(self._clock())
        step = self._next(final=final)
        if step is None:
            return self.aside.bucket if final and self.aside is not None else None
        method = _METHODS[step.act]
        return f"{method}:{self._order.channel}" if step.act == "post" else method

    async def write(self, *, final: bool) -> None:
        """Makes one call. Raises RateLimited, and the PlatformError that no other call could get round."""
        step = self._next(final=final)
        self._streaming = None
        if step is None:
            if final and self.aside is not None and self.aside.bucket is not None:
                await self._say_aside(self.aside)
            return
        if step.act in {"start", "post"}:
            if not self._sought and await self._adopt_earlier():
                return  # now there is another next call
            await self._status.end()
            if not self._log.lease.held():  # it was, when the writer asked
                return
        asked_at = time.time()
        try:
            answer = await self._call(step)
        except RateLimited as error:
            if step.act == "start":
                self._workspace.streams.close(self._clock(), error.retry_after)
            raise
        except Unsure:
            await self._look_again(step, asked_at)
            raise  # the writer comes again in a while
        except PlatformError as error:
            await self._give_way(step, error)
        else:
            await self._done(step, str(answer.get("ts") or ""))

    async def _say_aside(self, aside: Aside) -> None:
        if not self._sought and await self._adopt_earlier():
            return  # now there is something to be taken away first
        await self._status.end(clear=True)
        if self._log.lease.held():
            await aside.say()

    def _next(self, *, final: bool) -> Step | None:
        stops = self._workspace.streams.may_end(self._clock())
        streaming = bool(self._streaming) and bool(self.text)  # a placeholder is there to be written over
        return self._posts.next(self._goal(final=final), self._clock(), streaming=streaming, stops=stops)

    def _goal(self, *, final: bool) -> Goal:
        if self.aside is not None and not self.aside.refused:
            return Goal((), running=not final)
        pieces = self._pieces(final=final)
        if pieces:
            return Goal(pieces, running=not final, foot=self.foot)
        words = "\n".join(self.foot.notes) if final else self.placeholder
        if not words or (not final and len(self._posts)):
            return Goal((), running=not final)
        foot = Foot(again=self.foot.again, ask_admin=self.foot.ask_admin) if final else self.foot
        return Goal((Piece(words, 0, 0, sure=0),), running=not final, foot=foot)

    def _pieces(self, *, final: bool) -> list[Piece]:
        rendered = render(self.text[: stable_prefix(self.text, final=final)], "slack")
        if not rendered.startswith(self._fed):
            self._splitter = Splitter(PIECE_MAX)  # the answer is not what was written before: begin anew
        self._fed = rendered
        return self._splitter.feed(rendered)

    async def _call(self, step: Step) -> Json:
        address = self._order.address
        here: dict[str, object] = {"channel": self._order.channel}
        if step.act in {"start", "post"}:
            here["thread_ts"] = address["thread_ts"]
        else:
            here["ts"] = self._posts[step.ordinal].ts
        if step.act == "start":
            recipient = {"recipient_team_id": address.get("team"), "recipient_user_id": address.get("user")}
            self._workspace.streams.begun(self._clock())
            here |= {**recipient, "markdown_text": step.text}
        elif step.act == "append":
            here["markdown_text"] = step.text
        elif step.act == "stop":
            self._workspace.streams.ended(self._clock())
            here |= {"markdown_text": step.text or None, "blocks": blocks.foot_blocks(step.foot) or None}
        elif step.act in {"post", "update"}:
            here |= _content(step)
        return await self._workspace.api.call(_METHODS[step.act], here)

    async def _done(self, step: Step, ts: str) -> None:
        self._posts.done(step, ts, self._clock())
        if step.act in {"start", "post"}:
            self._status.taken_away()
            await self._own(step.ordinal, ts, step.start)
        elif step.act == "update":
            await self._status.end(clear=True)
        if step.act == "delete":
            await self._log.drop(step.ordinal)
        elif step.last:
            await self._log.close(step.ordinal)

    async def _own(self, ordinal: int, ts: str, start: int) -> None:
        name = f"{self._order.channel}:{ts}"
        try:
            await self._log.add(ordinal, name, start)
        except TurnLost:
            if not await self._log.owned([name]):
                await self._orphans.remove(ts)
            raise

    async def _adopt(self, ts: str, start: int) -> None:
        """A post turned out to be there already: the answer goes on in it."""
        self._posts.adopt(ts)
        log.info("slack.post_adopted", turn=self._order.turn, ts=ts)
        await self._own(len(self._posts) - 1, ts, start)

    async def _adopt_earlier(self) -> bool:
        """Before the first post of a later attempt: whether an earlier one made posts that it could not write down.

        Which part of the answer each will show is known once it has been written to.
        """
        found = await self._orphans.of_earlier_attempts()
        self._sought = True
        for ts in found:
            await self._adopt(ts, 0)
        return bool(found)

    @property
    def _known(self) -> frozenset[str]:
        return frozenset(self._posts[ordinal].ts for ordinal in range(len(self._posts)))

    async def _look_again(self, step: Step, asked_at: float) -> None:
        """The call may have been carried out. A new post is looked for; everything else can be done twice."""
        if step.act in {"start", "post"}:
            if ts := await self._orphans.since(asked_at, self._known):
                await self._adopt(ts, step.start)
        elif step.act != "delete":
            self._posts.lost(step.ordinal, ended=step.act == "update")

    async def _give_way(self, step: Step, error: PlatformError) -> None:
        """Slack refused the call: another way to the same end, or the error."""
        if isinstance(error, TokenRevoked | PlatformUnavailable):
            raise error
        closing = step.act == "stop" and step.shown is None
        if step.act == "start" and not isinstance(error, PlaceGone):
            log.info("slack.stream_refused", turn=self._order.turn, code=error.code)
            self._streams_refused = True
            if error.code in METHOD_REFUSED:
                self._workspace.streams.close(self._clock())
        elif closing or error.code == "message_not_in_streaming_state":
            self._posts.lost(step.ordinal, ended=True)
        elif step.act == "delete" and error.code == "message_not_found":
            await self._done(step, "")
        elif self._refusals < REFUSALS_MAX and (
            error.code == "streaming_state_conflict"
            or (step.act in {"append", "stop"} and not isinstance(error, PlaceGone))
        ):
            self._refusals += 1
            self._posts.lost(step.ordinal, ended=False)
        else:
            raise error


def _content(step: Step) -> dict[str, object]:
    """Blocks where something stands below the text, and for edits: those do not show as "edited"."""
    foot = blocks.foot_blocks(step.foot)
    if step.act == "post" and not foot:
        return {"markdown_text": step.text, "unfurl_links": False, "unfurl_media": False}
    body: dict[str, object] = {"text": blocks.notification(step.text), "blocks": [blocks.markdown(step.text), *foot]}
    return body if step.act == "update" else body | {"unfurl_links": False, "unfurl_media": False}
