"""Threads and channels coming about, changing and going."""

from __future__ import annotations

from bots.playground.changes import Changes
from bots.playground.discord import gateway, page
from bots.playground.discord.gateway import Gateway
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.posts import Posts
from bots.playground.discord.records import HAS_THREAD, THREAD_CREATED, Channel, Json, Message
from bots.playground.discord.world import World


class Threads:
    """Opens, changes and deletes places, and tells of it."""

    def __init__(self, world: World, payloads: Payloads, posts: Posts, gate: Gateway, changes: Changes) -> None:
        self._world = world
        self._payloads = payloads
        self._posts = posts
        self._gate = gate
        self._changes = changes

    def open(
        self, parent: Channel, name: str, owner: str, *, source: Message | None = None, private: bool = False
    ) -> Channel:
        """A thread that begins at a message, or by itself (then the parent says so, as Discord does)."""
        thread = self._world.add_thread(
            parent, name, owner, source=None if source is None else source.id, private=private
        )
        data = {**self._payloads.channel(thread), "newly_created": True}
        self._gate.dispatch("THREAD_CREATE", data, gateway.GUILDS, guild=True)
        self._shown(thread)
        if source is not None:
            source.flags |= HAS_THREAD
            source.thread = thread.id
            self._posts.changed(source)
        elif not private:
            now = self._world.now()
            note = Message(self._world.snowflakes.next(now), parent.id, owner, name, now, type=THREAD_CREATED)
            note.thread = thread.id
            self._posts.add(note)
        return thread

    def change(self, thread: Channel, body: Json) -> None:
        thread.name = body.get("name", thread.name)
        thread.archived = bool(body.get("archived", thread.archived))
        thread.locked = bool(body.get("locked", thread.locked))
        thread.auto_archive_minutes = int(body.get("auto_archive_duration") or thread.auto_archive_minutes)
        self._gate.dispatch("THREAD_UPDATE", self._payloads.channel(thread), gateway.GUILDS, guild=True)
        self._shown(thread)

    def delete(self, channel: Channel) -> None:
        """Deletes a channel with its threads, or one thread, and everything said there."""
        payloads = {
            one.id: self._payloads.channel(one)
            for one in self._world.channels.values()
            if channel.id in (one.id, one.parent)
        }
        for gone in self._world.close(channel):
            whole = payloads[gone.id]
            if gone.kind == "thread":
                data = {name: whole[name] for name in ("id", "guild_id", "parent_id", "type")}
                self._gate.dispatch("THREAD_DELETE", data, gateway.GUILDS, guild=True)
            else:
                self._gate.dispatch("CHANNEL_DELETE", whole, gateway.GUILDS, guild=True)
            self._changes.publish({"type": "channel", "channel": page.channel(gone), "deleted": True})

    def tell_changed(self, channel: Channel) -> None:
        """CHANNEL_UPDATE, as when somebody takes the bot's rights there away."""
        self._gate.dispatch("CHANNEL_UPDATE", self._payloads.channel(channel), gateway.GUILDS, guild=True)

    def tell_new(self, channel: Channel) -> None:
        self._gate.dispatch("CHANNEL_CREATE", self._payloads.channel(channel), gateway.GUILDS, guild=True)
        self._shown(channel)

    def _shown(self, channel: Channel) -> None:
        self._changes.publish({"type": "channel", "channel": page.channel(channel)})
