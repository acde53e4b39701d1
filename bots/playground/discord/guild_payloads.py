"""The application and the guild as Discord's JSON."""

from __future__ import annotations

from typing import Final

from bots.playground.discord import world as places
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.payloads import Payloads, stamp
from bots.playground.discord.records import Channel, Json
from bots.playground.discord.world import World

CONTENT_LIMITED_FLAG: Final = 1 << 19
COMMANDS_BADGE: Final = 1 << 23


class GuildPayloads:
    """Makes the JSON of what there is one of."""

    def __init__(self, world: World, faults: DiscordFaults, payloads: Payloads) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads

    def application(self) -> Json:
        on = self._faults.message_content_flag and not self._faults.refuse_message_content
        return {
            "id": self._world.application_id,
            "name": self._world.bot_name,
            "icon": None,
            "description": "",
            "bot_public": self._faults.public_bot,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": COMMANDS_BADGE | (CONTENT_LIMITED_FLAG if on else 0),
            "owner": self._payloads.user(self._world.people[self._world.owner]),
            "team": None,
            "bot": self._payloads.user(self._world.bot),
            "integration_types_config": {"0": {}},
            "approximate_guild_count": 0 if self._world.left else 1,
        }

    def _role(self, id_: str, name: str, permissions: int, position: int, *, managed: bool = False) -> Json:
        return {
            "id": id_,
            "name": name,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": position,
            "permissions": str(permissions),
            "managed": managed,
            "mentionable": False,
            "flags": 0,
            **({"tags": {"bot_id": self._world.bot_id}} if managed else {}),
        }

    def roles(self) -> list[Json]:
        world = self._world
        return [
            self._role(world.guild_id, "@everyone", places.EVERYONE_PERMISSIONS, 0),
            self._role(world.bot_role, world.bot_name, places.EVERYONE_PERMISSIONS, 1, managed=True),
            self._role(world.manager_role, "Managers", places.EVERYONE_PERMISSIONS | places.MANAGE_GUILD, 2),
        ]

    def guild(self) -> Json:
        """The guild as GUILD_CREATE brings it, with channels, threads and members."""
        world = self._world
        channels = [channel for channel in world.channels.values() if self._may_look(channel)]
        return {
            "id": world.guild_id,
            "name": world.guild_name,
            "owner_id": world.owner,
            "icon": None,
            "features": [],
            "preferred_locale": "en-US",
            "roles": self.roles(),
            "emojis": [],
            "stickers": [],
            "channels": [self._payloads.channel(channel) for channel in channels if channel.kind == "text"],
            "threads": [self._payloads.channel(one) for one in channels if one.kind == "thread" and not one.archived],
            "members": [self._payloads.member(person) for person in world.people.values()],
            "member_count": len(world.people),
            "large": False,
            "unavailable": False,
            "joined_at": stamp(world.bot.joined_at),
            "verification_level": 0,
            "default_message_notifications": 0,
            "explicit_content_filter": 0,
            "mfa_level": 0,
            "nsfw_level": 0,
            "premium_tier": 0,
            "system_channel_flags": 0,
            "afk_timeout": 300,
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    def _may_look(self, channel: Channel) -> bool:
        return self._faults.forbidden.get(channel.id) != 50001
