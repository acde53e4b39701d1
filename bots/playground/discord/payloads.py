"""Rows as Discord's JSON: users, members, channels, the guild, messages, interactions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from bots.playground.discord import world as places
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.images import size_of
from bots.playground.discord.records import (
    CHAT_INPUT_COMMAND,
    REPLY,
    Attachment,
    Channel,
    Interaction,
    Json,
    Message,
    Person,
)
from bots.playground.discord.world import World

UPLOAD_MAX: Final = 10 * 1024 * 1024
CHANNEL_TYPES: Final = {"text": 0, "dm": 1, "thread": 11}


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds")


class Payloads:
    """Makes Discord's JSON of a world's rows. `cdn`: gives the address of the CDN's root."""

    def __init__(self, world: World, faults: DiscordFaults, cdn: Callable[[], str]) -> None:
        self._world = world
        self._faults = faults
        self._cdn = cdn

    def user(self, person: Person) -> Json:
        return {
            "id": person.id,
            "username": person.name if person.bot else person.name.lower(),
            "global_name": None if person.bot else person.name,
            "discriminator": "0000" if person.bot else "0",
            "avatar": None,
            "bot": person.bot,
            "public_flags": 0,
        }

    def member(self, person: Person, *, user: bool = True, permissions: bool = False) -> Json:
        """Somebody as a member of the guild; `user` and `permissions` are fields that only some places carry."""
        member: Json = {
            "roles": list(person.roles),
            "joined_at": stamp(person.joined_at),
            "nick": None,
            "avatar": None,
            "premium_since": None,
            "communication_disabled_until": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }
        if user:
            member["user"] = self.user(person)
        if permissions:
            member["permissions"] = str(self._world.permissions(person))
        return member

    def channel(self, channel: Channel) -> Json:
        base: Json = {
            "id": channel.id,
            "type": 12 if channel.private else CHANNEL_TYPES[channel.kind],
            "last_message_id": channel.last_message,
            "flags": 0,
        }
        if channel.kind == "dm":
            return {**base, "recipients": [self.user(self._world.people[channel.recipient or ""])]}
        base |= {"guild_id": self._world.guild_id, "name": channel.name, "rate_limit_per_user": 0}
        if channel.kind == "thread":
            return {**base, **self._thread(channel)}
        text = [other.id for other in self._world.channels.values() if other.kind == "text"]
        return {
            **base,
            "parent_id": None,
            "position": text.index(channel.id),
            "topic": channel.topic,
            "nsfw": False,
            "default_auto_archive_duration": 1440,
            "permission_overwrites": self._overwrites(channel),
        }

    def _thread(self, thread: Channel) -> Json:
        return {
            "parent_id": thread.parent,
            "owner_id": thread.owner,
            "message_count": thread.message_count,
            "total_message_sent": thread.message_count,
            "member_count": 1,
            "member": {
                "id": thread.id,
                "user_id": self._world.bot_id,
                "join_timestamp": stamp(thread.created_at),
                "flags": 0,
            },
            "thread_metadata": {
                "archived": thread.archived,
                "locked": thread.locked,
                "auto_archive_duration": thread.auto_archive_minutes,
                "archive_timestamp": stamp(thread.created_at),
                "create_timestamp": stamp(thread.created_at),
            },
        }

    def denied(self, channel: Channel) -> int:
        """What the bot may not do in this channel of what members may."""
        code = self._faults.forbidden.get(channel.id) or self._faults.forbidden.get(channel.parent or "")
        if code is None:
            return 0
        return places.SEND | places.SEND_IN_THREADS | (places.VIEW if code == 50001 else 0)

    def _overwrites(self, channel: Channel) -> list[Json]:
        denied = self.denied(channel)
        return [{"id": self._world.bot_id, "type": 1, "allow": "0", "deny": str(denied)}] if denied else []

    def attachment(self, attachment: Attachment) -> Json:
        path = f"/attachments/{attachment.channel}/{attachment.id}/{quote(attachment.name)}?hm={attachment.signature}"
        size = size_of(attachment.data)
        return {
            "id": attachment.id,
            "filename": attachment.name,
            "size": len(attachment.data),
            "url": self._cdn() + path,
            "proxy_url": self._cdn() + path,
            "content_type": attachment.mime,
            **({"description": attachment.description} if attachment.description is not None else {}),
            **({"ephemeral": True} if attachment.ephemeral else {}),
            **({"width": size[0], "height": size[1]} if size else {}),
        }

    def message(self, message: Message, *, shows_content: bool = True, event: bool = False) -> Json:
        """A message. `event`: with the guild's fields that only gateway events carry."""
        world = self._world
        channel = world.channels[message.channel]
        author = world.people[message.author]
        payload: Json = {
            "id": message.id,
            "channel_id": message.channel,
            "type": message.type,
            "author": self.user(author),
            "content": message.content if shows_content else "",
            "embeds": message.embeds if shows_content else [],
            "components": message.components if shows_content else [],
            "attachments": [self.attachment(one) for one in message.attachments] if shows_content else [],
            "mentions": [self.user(world.people[id_]) for id_ in message.mentions if id_ in world.people],
            "mention_roles": message.mention_roles,
            "mention_everyone": message.mention_everyone,
            "timestamp": stamp(message.created_at),
            "edited_timestamp": stamp(message.edited_at) if message.edited_at is not None else None,
            "flags": message.flags,
            "pinned": False,
            "tts": False,
        }
        if message.nonce is not None:
            payload["nonce"] = message.nonce
        if message.reactions:
            payload["reactions"] = [self._reaction(emoji, who) for emoji, who in message.reactions.items()]
        if message.thread in world.channels and message.thread is not None:
            payload["thread"] = self.channel(world.channels[message.thread])
        if message.interaction is not None:
            payload |= self._origin(message, message.interaction)
        if message.reply_to is not None:
            payload["message_reference"] = self._reference(channel, message.reply_to)
        if event and channel.kind != "dm":
            payload["guild_id"] = world.guild_id
            if message.interaction is None:
                payload["member"] = self.member(author, user=False)
        return payload

    def referenced(self, message: Message, shows: Callable[[Message], bool], *, event: bool = False) -> Json:
        """A message with the one that it replies to; `shows` decides for each whether its content is to be seen."""
        payload = self.message(message, shows_content=shows(message), event=event)
        if message.reply_to is not None and message.type == REPLY:
            original = self._world.messages.get(message.reply_to)
            payload["referenced_message"] = (
                None if original is None else self.message(original, shows_content=shows(original))
            )
        return payload

    def _reference(self, channel: Channel, message: str) -> Json:
        guild = {} if channel.kind == "dm" else {"guild_id": self._world.guild_id}
        return {"type": 0, "message_id": message, "channel_id": channel.id, **guild}

    def _reaction(self, emoji: str, who: set[str]) -> Json:
        mine = self._world.bot_id in who
        counts = {"burst": 0, "normal": len(who)}
        return {
            "emoji": {"id": None, "name": emoji},
            "count": len(who),
            "count_details": counts,
            "me": mine,
            "me_burst": False,
            "burst_colors": [],
        }

    def _origin(self, message: Message, interaction: Interaction) -> Json:
        user = self.user(self._world.people[interaction.user])
        metadata: Json = {
            "id": interaction.id,
            "type": interaction.type,
            "user": user,
            "authorizing_integration_owners": self.integration_owners(message.channel),
        }
        if interaction.source is not None:
            metadata["interacted_message_id"] = interaction.source
        if interaction.original not in (None, message.id):
            metadata["original_response_message_id"] = interaction.original
        payload: Json = {
            "webhook_id": self._world.application_id,
            "application_id": self._world.application_id,
            "interaction_metadata": metadata,
        }
        if message.type == CHAT_INPUT_COMMAND:
            payload["interaction"] = {"id": interaction.id, "type": 2, "name": interaction.name, "user": user}
        return payload

    def integration_owners(self, channel: str) -> Json:
        return {"0": "0" if self._world.channels[channel].kind == "dm" else self._world.guild_id}

    def interaction(self, interaction: Interaction, data: Json) -> Json:
        """INTERACTION_CREATE."""
        world = self._world
        channel, person = world.channels[interaction.channel], world.people[interaction.user]
        permissions = world.permissions(world.bot) & ~self.denied(channel)
        payload: Json = {
            "id": interaction.id,
            "application_id": world.application_id,
            "type": interaction.type,
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": channel.id,
            "channel": {**self.channel(channel), "permissions": str(world.permissions(person))},
            "app_permissions": str(permissions),
            "locale": "en-US",
            "entitlements": [],
            "entitlement_sku_ids": [],
            "authorizing_integration_owners": self.integration_owners(channel.id),
            "context": 1 if channel.kind == "dm" else 0,
            "attachment_size_limit": UPLOAD_MAX,
        }
        if interaction.source is not None:
            payload["message"] = self.message(world.messages[interaction.source])
        if channel.kind == "dm":
            return {**payload, "user": self.user(person)}
        guild = {"id": world.guild_id, "locale": "en-US", "features": []}
        return {
            **payload,
            "guild_id": world.guild_id,
            "guild": guild,
            "guild_locale": "en-US",
            "member": self.member(person, permissions=True),
        }
