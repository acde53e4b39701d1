"""Tells the app what happened: the events it is subscribed to, with the scopes it has."""

from __future__ import annotations

from bots.playground.slack import wire
from bots.playground.slack.delivery import Postman
from bots.playground.slack.posts import SlackPost
from bots.playground.slack.records import Json
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import CHANNEL_TYPES, HISTORY_SCOPES, Channel


class Events:
    """Each method delivers one happening as Slack would, and nothing from channels the bot is not in."""

    def __init__(self, workspace: Workspace, postman: Postman) -> None:
        self._workspace = workspace
        self._world = workspace.world
        self._postman = postman

    async def posted(self, post: SlackPost) -> None:
        """`message`, and its twin `app_mention` with an id of its own where the bot is named in a channel."""
        place = self._place(post)
        body = self._message(post)
        message = self._in_channel(body, place, post.ts)
        if post.files:
            message |= {"subtype": "file_share"}
        if self._is_mention(post):
            await self._send_twins(message, self._mention(body, post), place)
        else:
            await self._send(message, place)

    async def edited(self, post: SlackPost, before: SlackPost) -> None:
        """`message_changed`; with `app_mention` too, where a person's edit newly names the bot."""
        place = self._place(post)
        message = self._changed("message_changed", place, message=self._message(post), previous=before)
        if self._is_mention(post) and not self._is_mention(before) and post.bot_id is None:
            await self._send_twins(message, self._mention(self._message(post), post), place)
        else:
            await self._send(message, place)

    async def deleted(self, post: SlackPost) -> None:
        """`message_deleted`."""
        place = self._place(post)
        event = self._changed("message_deleted", place, message=None, previous=post)
        await self._send(event | {"deleted_ts": post.ts}, place)

    async def reacted(self, user: str, name: str, post: SlackPost) -> None:
        """`reaction_added`."""
        event = {
            "type": "reaction_added",
            "user": user,
            "reaction": name,
            "item": {"type": "message", "channel": post.channel, "ts": post.ts},
            "item_user": post.user,
            "event_ts": self._workspace.new_ts(),
        }
        await self._send(event, self._place(post), scope="reactions:read")

    def _place(self, post: SlackPost) -> Channel:
        return self._world.channels[post.channel]

    def _message(self, post: SlackPost) -> Json:
        body = wire.message(post, self._world)
        root = self._workspace.find(post.channel, post.thread_ts) if post.thread_ts else None
        if root is not None:
            body["parent_user_id"] = root.user
        if self._workspace.faults.check_file_info:
            body |= {
                "files": [
                    {"id": file.id, "mode": "file_access", "file_access": "check_file_info"} for file in post.files
                ]
            }
        return body

    def _is_mention(self, post: SlackPost) -> bool:
        own = post.user == self._world.bot_user_id
        in_dm = self._place(post).kind == "dm"
        return not own and not in_dm and wire.mentions(post.text, self._world.bot_user_id)

    def _mention(self, body: Json, post: SlackPost) -> Json:
        return body | {"type": "app_mention", "channel": post.channel, "event_ts": post.edited or post.ts}

    def _in_channel(self, body: Json, place: Channel, event_ts: str) -> Json:
        return body | {"channel": place.id, "channel_type": CHANNEL_TYPES[place.kind], "event_ts": event_ts}

    def _changed(self, subtype: str, place: Channel, *, message: Json | None, previous: SlackPost) -> Json:
        ts = self._workspace.new_ts()
        body: Json = {"type": "message", "subtype": subtype, "hidden": True, "ts": ts}
        if message is not None:
            body["message"] = message
        return self._in_channel(body | {"previous_message": self._message(previous)}, place, ts)

    async def _send_twins(self, message: Json, mention: Json, place: Channel) -> None:
        faults = self._workspace.faults
        mention_first = faults.happens(faults.mention_first_share)
        if mention_first:
            await self._send(mention, place, scope="app_mentions:read")
        await self._send(message, place)
        if not mention_first:
            await self._send(mention, place, scope="app_mentions:read")

    async def _send(self, event: Json, place: Channel, *, scope: str | None = None) -> None:
        member = self._world.bot_user_id in place.members and place.id not in self._workspace.faults.not_in_channels
        needed = scope or HISTORY_SCOPES[place.kind]
        if not member or needed not in self._world.granted_scopes or self._workspace.faults.token_revoked:
            return
        external = any(self._world.team_of(user) != self._world.team_id for user in place.members)
        payload = wire.event_callback(
            event,
            self._world,
            event_id=self._world.new_id("Ev"),
            at=self._workspace.clock(),
            external=external,
        )
        await self._postman.deliver_event(payload)
