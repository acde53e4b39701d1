"""discord.py's client as Bise uses it: the gateway and a small cache of servers, channels and roles."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.commands import Desk, command_tree
from bots.discord.controls import control_of
from bots.discord.rest import Rest
from bots.discord.shards import Shard
from core.settings import Settings

# READY is told this long after the last server came in; nothing waits for their members.
_GUILDS_COME_WITHIN = 0.2
_DISCORD = "https://discord.com/api/v10"
_NEEDED = {"READY", "RESUMED"}  # without these there is no connection
# Seconds that Discord wants between the loss of a session and the IDENTIFY of the next.
_INVALIDATED = (1.0, 5.0)
_log = structlog.get_logger()


@dataclass(slots=True)
class MessageContent:
    """Whether Discord grants the intent to read all messages; found out by the first connection, true for all."""

    granted: bool = True


class Ears(Desk, Protocol):
    """What the client tells of."""

    async def hear(self, message: discord.Message) -> None: ...
    async def press(self, interaction: discord.Interaction, control: str) -> None: ...
    def connected(self, shard: Shard, *, now: bool) -> None: ...
    async def joined(self, guild: discord.Guild) -> None: ...
    def session_began(self, client: BotClient) -> None: ...
    def session_ready(self, client: BotClient) -> None: ...


class BotClient(discord.Client):
    """Hears messages and presses of one shard; commands come through its tree.

    `told`: hears whether events come. `admit` returns when a session that was lost may be begun anew.
    """

    def __init__(
        self,
        ears: Ears,
        shard: Shard,
        *,
        message_content: bool,
        told: Callable[[bool], None] | None = None,
        admit: Callable[[Shard], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(
            intents=intents(message_content=message_content),
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            guild_ready_timeout=_GUILDS_COME_WITHIN,
            shard_id=shard.number,
            shard_count=shard.count,
        )
        # A quirk of discord.py: an event that it cannot read ends the connection, and all that would have come by it.
        parsers = self._connection.parsers
        for event in parsers.keys() - _NEEDED:
            parsers[event] = _guarded(event, parsers[event])
        self._ears = ears
        self._shard = shard
        self._told = told
        self._admit = admit
        self.tree = command_tree(self, ears)

    async def on_connect(self) -> None:
        if not self.is_closed():
            self._ears.session_began(self)

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        """A quirk of discord.py: it tells of READY a moment later, also when it has been closed meanwhile."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def on_ready(self) -> None:
        self._tell(up=True)
        if not self.is_closed():
            self._ears.session_ready(self)

    async def on_resumed(self) -> None:
        self._tell(up=True)

    async def on_disconnect(self) -> None:
        self._tell(up=False)

    def _tell(self, *, up: bool) -> None:
        if not self.is_closed():  # a closed client has been given up, maybe for one that is up already
            if self._told is not None:
                self._told(up)
            self._ears.connected(self._shard, now=up)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:  # noqa: ARG002
        """The first time of a connection it was admitted before it began."""
        if not initial and self._admit is not None:
            await asyncio.sleep(random.uniform(*_INVALIDATED))
            await self._admit(self._shard)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self._ears.joined(guild)

    async def on_message(self, message: discord.Message) -> None:
        await self._ears.hear(message)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        control = control_of(interaction)
        if control is not None:
            await self._ears.press(interaction, control)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        _log.exception("discord_event_failed", event_name=event_method)


def _guarded(event: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """The same, but what it cannot read is logged and passed over."""

    def parse_or_pass_over(data: Any) -> None:
        try:
            parse(data)
        except Exception:  # noqa: BLE001 - one event's fault, whatever it is
            _log.exception("discord_event_not_read", event_name=event)

    return parse_or_pass_over


def intents(*, message_content: bool) -> discord.Intents:
    """No members, no presences: only what is said where the bot is."""
    wanted = discord.Intents.none()
    wanted.guilds = wanted.guild_messages = wanted.dm_messages = True
    wanted.message_content = message_content
    return wanted


async def point_at(settings: Settings, rest: Rest) -> None:
    """Turns discord.py to the API and gateway of the settings. Raises PlatformError.

    A quirk of discord.py: both are class attributes, so that they hold for the whole process. They are left alone
    while the settings name Discord itself.
    """
    api = settings.discord_api_url.rstrip("/")
    gateway = settings.discord_gateway_url
    if gateway is None and api != _DISCORD:
        gateway = str((await rest.patiently("GET", "/gateway"))["url"])
    Route.BASE = api
    if gateway is not None:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
