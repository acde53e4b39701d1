"""Web API: posting, changing and deleting messages, and the status line of a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bots.playground.slack import wire
from bots.playground.slack.arguments import ApiError, Arguments, post_error
from bots.playground.slack.blocks import Block
from bots.playground.slack.events import Events
from bots.playground.slack.places import Places
from bots.playground.slack.posts import SlackPost, StoredFile
from bots.playground.slack.records import Json
from bots.playground.slack.web_api import Method
from bots.playground.slack.workspace import Workspace

UPDATE_TEXT_MAX = 4000


class ChatMethods:
    def __init__(self, workspace: Workspace, events: Events) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._events = events
        self._places = Places(workspace)

    def table(self) -> dict[str, Method]:
        return {
            "chat.postMessage": Method(self.post_message, "chat:write", writes=True),
            "chat.postEphemeral": Method(self.post_ephemeral, "chat:write", writes=True),
            "chat.update": Method(self.update, "chat:write", writes=True),
            "chat.delete": Method(self.delete, "chat:write", writes=True),
            "assistant.threads.setStatus": Method(self.set_status, "chat:write"),
        }

    async def post_message(self, given: Arguments) -> Json:
        place = self._places.writable(given.required("channel"))
        root = self._places.root(place, given.text("thread_ts"))
        content = given.content()
        pictures = self._pictures(content["blocks"])
        post = self._add(place.id, content, thread_ts=root, metadata=given.metadata(), files=pictures)
        await self._events.posted(post)
        return {"channel": place.id, "ts": post.ts, "message": wire.message(post, self._world)}

    async def post_ephemeral(self, given: Arguments) -> Json:
        place = self._places.writable(given.required("channel"))
        user = given.required("user")
        if user not in place.members:
            raise ApiError("user_not_in_channel")
        root = self._places.root(place, given.text("thread_ts"))
        post = self._add(place.id, given.content(), thread_ts=root, only_for=user)
        return {"message_ts": post.ts}

    async def update(self, given: Arguments) -> Json:
        """An open stream cannot be updated. Text without blocks takes the old blocks away; blocks hide "edited"."""
        place = self._places.writable(given.required("channel"))
        post = self._own(place.id, given.required("ts"), "cant_update_message")
        if post.streaming:
            raise ApiError("streaming_state_conflict")
        if len(given.text("text") or "") > UPDATE_TEXT_MAX:
            raise ApiError("msg_too_long")
        content = given.content()
        edited = None if content["blocks"] else self._workspace.new_ts()
        changed = self._workspace.change(post, **content, edited=edited)
        await self._events.edited(changed, post)
        message = wire.message(changed, self._world)
        return {"channel": place.id, "ts": post.ts, "text": changed.text, "message": message}

    async def delete(self, given: Arguments) -> Json:
        place = self._places.writable(given.required("channel"))
        post = self._own(place.id, given.required("ts"), "cant_delete_message")
        if post.streaming:
            raise ApiError("cant_delete_message")
        self._workspace.remove(post)
        await self._events.deleted(post)
        return {"channel": place.id, "ts": post.ts}

    async def set_status(self, given: Arguments) -> Json:
        place = self._places.writable(given.required("channel_id"))
        root = self._places.root(place, given.required("thread_ts"))
        if "status" not in given.values:
            raise ApiError("invalid_arguments")
        self._workspace.set_status(place.id, root or "", given.text("status") or "")
        return {}

    def _pictures(self, blocks: Sequence[Block]) -> tuple[StoredFile, ...]:
        """The uploaded files that image blocks show. Raises ApiError for one that is not there (yet)."""
        ids = [str((block.get("slack_file") or {}).get("id")) for block in blocks if block.get("type") == "image"]
        found = [self._workspace.file(file) for file in ids if file != "None"]
        if None in found:
            raise ApiError("invalid_blocks")
        return tuple(file for file in found if file is not None)

    def _add(self, channel: str, content: Json, **fields: Any) -> SlackPost:
        return self._workspace.add(channel, self._world.bot_user_id, bot_id=self._world.bot_id, **content, **fields)

    def _own(self, channel: str, ts: str, refusal: str) -> SlackPost:
        post = self._workspace.find(channel, ts)
        error = post_error(post, self._world.bot_user_id, refusal)
        if post is None or error:
            raise ApiError(error or refusal)
        return post
