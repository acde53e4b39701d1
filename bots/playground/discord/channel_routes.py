"""REST: channels, their messages, reactions, typing and threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bots.playground.discord import checks, gateway
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.gateway import Gateway
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.posts import Posts
from bots.playground.discord.records import Channel, Json, Message
from bots.playground.discord.refusals import Refused, forbidden, invalid, unknown_channel, unknown_message
from bots.playground.discord.rest import Answer, Request, Route
from bots.playground.discord.threads import Threads
from bots.playground.discord.world import World


class ChannelRoutes:
    """What the bot does in channels with its own token. `typing` and `said` are told where it types and speaks."""

    def __init__(
        self,
        world: World,
        faults: DiscordFaults,
        payloads: Payloads,
        posts: Posts,
        threads: Threads,
        gate: Gateway,
        typing: Callable[[str], None],
        said: Callable[[str], None],
    ) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._posts = posts
        self._threads = threads
        self._gate = gate
        self._typing = typing
        self._said = said

    def routes(self) -> list[Route]:
        one = "/channels/{channel}"
        message = one + "/messages/{message}"
        return [
            Route("GET", one, lambda asked: (200, self._payloads.channel(self._place(asked)))),
            Route("PATCH", one, self._change),
            Route("DELETE", one, self._delete_thread),
            Route("POST", f"{one}/typing", self._type, limit="typings"),
            Route("GET", f"{one}/messages", self._read_messages),
            Route("POST", f"{one}/messages", self._send, limit="sends", commits=True),
            Route("GET", message, lambda asked: (200, self._shown(self._message(asked)))),
            Route("PATCH", message, self._edit, limit="edits", commits=True),
            Route("DELETE", message, self._remove),
            Route("PUT", message + "/reactions/{emoji}/@me", self._react),
            Route("DELETE", message + "/reactions/{emoji}/@me", self._unreact),
            Route("POST", message + "/threads", self._open_thread),
            Route("POST", f"{one}/threads", self._open_thread),
            Route("PUT", one + "/thread-members/@me", lambda asked: (204, self._place(asked) and None)),
            Route("GET", one + "/thread-members", lambda asked: (200, self._place(asked) and [])),
        ]

    def _place(self, asked: Request, *, write: bool = False) -> Channel:
        """The channel. Raises Refused where it is gone, or closed to the bot."""
        channel = self._world.channels.get(asked["channel"])
        if channel is None:
            raise unknown_channel()
        if self._world.left and channel.kind != "dm":
            raise forbidden(50001)
        code = self._faults.forbidden.get(channel.id) or self._faults.forbidden.get(channel.parent or "")
        if code is not None and (write or code == 50001):
            raise forbidden(code)
        if write and channel.recipient in self._faults.closed_dms:
            raise forbidden(50007)
        return channel

    def _message(self, asked: Request) -> Message:
        channel = self._place(asked)
        message = self._world.messages.get(asked["message"])
        if message is None or message.channel != channel.id or message.only_for is not None:
            raise unknown_message()
        return message

    def _shown(self, message: Message) -> Json:
        """Over REST the application's own switch decides on the content of messages."""
        on = self._faults.message_content_flag and not self._faults.refuse_message_content
        return self._payloads.referenced(message, lambda one: on or self._posts.concerns_bot(one))

    def _read_messages(self, asked: Request) -> Answer:
        channel = self._place(asked)
        limit = int(asked.query.get("limit", "50"))
        if not 1 <= limit <= 100:
            raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        found = [one for one in self._world.said_in(channel.id) if one.only_for is None]
        if (after := asked.query.get("after")) is not None:
            found = [one for one in found if int(one.id) > int(after)][:limit]
        elif (before := asked.query.get("before")) is not None:
            found = [one for one in found if int(one.id) < int(before)][-limit:]
        else:
            found = found[-limit:]
        return 200, [self._shown(one) for one in reversed(found)]

    def _send(self, asked: Request) -> Answer:
        channel = self._place(asked, write=True)
        body = asked.fields
        if channel.archived and channel.locked:
            raise Refused(403, 50083, "Thread is archived")
        known = self._known_nonce(channel, body) if body.get("enforce_nonce") else None
        if known is not None:
            return 200, self._shown(known)
        message = self._posts.draft(channel, self._world.bot_id, body, asked.files)
        if channel.archived:
            self._threads.change(channel, {"archived": False})
        self._posts.add(message)
        self._said(channel.id)
        return 200, self._shown(message)

    def _known_nonce(self, channel: Channel, body: Json) -> Message | None:
        nonce = body.get("nonce")
        since = self._world.now() - self._faults.nonce_life
        if nonce is None:
            return None
        for message in reversed(self._world.said_in(channel.id)):
            if message.created_at < since:
                return None
            if message.author == self._world.bot_id and message.nonce == str(nonce):
                return message
        return None

    def _edit(self, asked: Request) -> Answer:
        message = self._message(asked)
        if message.author != self._world.bot_id:
            raise forbidden(50005)
        if self._world.channels[message.channel].archived:
            raise Refused(400, 50083, "Thread is archived")
        self._posts.amend(message, asked.fields, asked.files)
        return 200, self._shown(message)

    def _remove(self, asked: Request) -> Answer:
        message = self._message(asked)
        if message.author != self._world.bot_id:
            raise forbidden(50013)
        self._posts.remove(message)
        return 204, None

    def _type(self, asked: Request) -> Answer:
        self._typing(self._place(asked, write=True).id)
        return 204, None

    def _react(self, asked: Request) -> Answer:
        self._place(asked, write=True)
        message = self._message(asked)
        message.reactions.setdefault(asked["emoji"], set()).add(self._world.bot_id)
        self._tell_reaction("MESSAGE_REACTION_ADD", message, asked["emoji"])
        return 204, None

    def _unreact(self, asked: Request) -> Answer:
        message = self._message(asked)
        emoji = asked["emoji"]
        people = message.reactions.get(emoji, set())
        people.discard(self._world.bot_id)
        if not people:
            message.reactions.pop(emoji, None)
        self._tell_reaction("MESSAGE_REACTION_REMOVE", message, emoji)
        return 204, None

    def _tell_reaction(self, event: str, message: Message, emoji: str) -> None:
        direct = self._world.channels[message.channel].kind == "dm"
        intent = gateway.DIRECT_REACTIONS if direct else gateway.GUILD_REACTIONS
        data: dict[str, Any] = {
            "user_id": self._world.bot_id,
            "channel_id": message.channel,
            "message_id": message.id,
            "message_author_id": message.author,
            "emoji": {"id": None, "name": emoji},
            "burst": False,
            "type": 0,
        }
        if not direct:
            data |= {"guild_id": self._world.guild_id, "member": self._payloads.member(self._world.bot)}
        self._gate.dispatch(event, data, intent, guild=not direct)
        self._posts.show(message)

    def _open_thread(self, asked: Request) -> Answer:
        parent = self._place(asked, write=True)
        if parent.kind != "text":
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        name = checks.thread_name(asked.fields.get("name"))
        source = self._message(asked) if "message" in asked.parameters else None
        if source is not None and source.id in self._world.channels:
            raise Refused(400, 160004, "A thread has already been created for this message")
        private = source is None and asked.fields.get("type", 12) == 12
        thread = self._threads.open(parent, name, self._world.bot_id, source=source, private=private)
        thread.auto_archive_minutes = int(asked.fields.get("auto_archive_duration") or 1440)
        return 201, self._payloads.channel(thread)

    def _change(self, asked: Request) -> Answer:
        channel = self._place(asked, write=True)
        if channel.kind != "thread" or channel.owner != self._world.bot_id:
            raise forbidden(50013)
        body = dict(asked.fields)
        if "name" in body:
            body["name"] = checks.thread_name(body["name"])
        self._threads.change(channel, body)
        return 200, self._payloads.channel(channel)

    def _delete_thread(self, asked: Request) -> Answer:
        channel = self._place(asked, write=True)
        if channel.kind != "thread" or channel.owner != self._world.bot_id:
            raise forbidden(50013)
        payload = self._payloads.channel(channel)
        self._threads.delete(channel)
        return 200, payload
