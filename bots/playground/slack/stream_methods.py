"""Web API: text that streams into one message."""

from __future__ import annotations

from bots.playground.slack import wire
from bots.playground.slack.arguments import ApiError, Arguments, checked_blocks, invalid_arguments, post_error
from bots.playground.slack.blocks import MARKDOWN_MAX, Block
from bots.playground.slack.events import Events
from bots.playground.slack.places import Places
from bots.playground.slack.posts import SlackPost
from bots.playground.slack.records import Json
from bots.playground.slack.web_api import Method
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import Channel


class StreamMethods:
    """A stream ends by `chat.stopStream` or at `faults.stream_seconds`, however active it is."""

    def __init__(self, workspace: Workspace, events: Events) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._events = events
        self._places = Places(workspace)

    def table(self) -> dict[str, Method]:
        return {
            "chat.startStream": Method(self.start, "chat:write", writes=True),
            "chat.appendStream": Method(self.append, "chat:write", writes=True),
            "chat.stopStream": Method(self.stop, "chat:write", writes=True),
        }

    async def start(self, given: Arguments) -> Json:
        if self._workspace.faults.refuse_streaming:
            raise ApiError(self._workspace.faults.refuse_streaming)
        place = self._places.writable(given.required("channel"))
        self._check_recipient(place, given)
        root = self._places.root(place, given.text("thread_ts"))
        text, blocks = _content(given)
        post = self._workspace.add(
            place.id,
            self._world.bot_user_id,
            text,
            thread_ts=root,
            bot_id=self._world.bot_id,
            blocks=blocks,
            markdown=True,
            streaming=True,
        )
        await self._events.posted(post)
        return {"channel": place.id, "ts": post.ts}

    async def append(self, given: Arguments) -> Json:
        post = self._open_stream(given)
        if "markdown_text" not in given and not given.items("chunks"):
            raise invalid_arguments("missing required field: markdown_text")
        text, blocks = _content(given)
        self._workspace.change(post, text=post.text + text, blocks=post.blocks + blocks)
        return {"channel": post.channel, "ts": post.ts}

    async def stop(self, given: Arguments) -> Json:
        post = self._open_stream(given)
        text, blocks = _content(given)
        last = given.blocks() or ()
        changed = self._workspace.change(
            post, text=post.text + text, blocks=post.blocks + blocks + last, streaming=False
        )
        await self._events.edited(changed, post)
        return {"channel": post.channel, "ts": post.ts, "message": wire.message(changed, self._world)}

    def _check_recipient(self, place: Channel, given: Arguments) -> None:
        if place.kind == "dm":
            given.required("thread_ts")
            return
        team, user = given.text("recipient_team_id"), given.text("recipient_user_id")
        if team is None:
            raise ApiError("missing_recipient_team_id")
        if user is None:
            raise ApiError("missing_recipient_user_id")
        if user not in self._world.people:
            raise ApiError("user_not_found")
        if team != self._world.team_of(user):
            raise ApiError("team_not_found")

    def _open_stream(self, given: Arguments) -> SlackPost:
        place = self._places.writable(given.required("channel"))
        post = self._workspace.find(place.id, given.required("ts"))
        error = post_error(post, self._world.bot_user_id, "message_not_owned_by_app")
        if post is None or error:
            raise ApiError(error or "message_not_found")
        if not post.streaming:
            raise ApiError("message_not_in_streaming_state")
        return post


def _content(given: Arguments) -> tuple[str, tuple[Block, ...]]:
    """Text and blocks of `markdown_text` and `chunks`; the length limit is per chunk. Task chunks show nothing here."""
    text = given.markdown() or ""
    blocks: tuple[Block, ...] = ()
    for chunk in given.items("chunks") or []:
        kind = chunk.get("type") if isinstance(chunk, dict) else None
        if kind == "markdown_text" and isinstance(chunk.get("text"), str):
            if len(chunk["text"]) > MARKDOWN_MAX:
                raise ApiError("msg_too_long")
            text += chunk["text"]
        elif kind == "blocks" and isinstance(chunk.get("blocks"), list):
            blocks += checked_blocks(chunk["blocks"])
        elif kind not in ("task_update", "plan_update"):
            raise ApiError("invalid_chunks")
    return text, blocks
