"""discord.py's client as Bise uses it: the gateway and a small cache of servers, channels and roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import discord
import structlog
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.commands import Desk, command_tree
from bots.discord.controls import control_of
from bots.discord.rest import Rest
from core.settings import Settings

# READY is told this long after the last server came in; nothing waits for their members.
_GUILDS_COME_WITHIN = 0.2
_DISCORD = "https://discord.com/api/v10"
_NEEDED = {"READY", "RESUMED"}  # without these there is no connection
_log = structlog.get_logger()


class Ears(Desk, Protocol):
    """What the client tells of."""

    async def hear(self, message: discord.Message) -> None: ...
    async def press(self, interaction: discord.Interaction, control: str) -> None: ...
    def connected(self, *, now: bool) -> None: ...
    async def joined(self, guild: discord.Guild) -> None: ...


class BotClient(discord.Client):
    """Hears messages and presses; commands come through its tree."""

    def __init__(self, ears: Ears, *, message_content: bool) -> None:
        super().__init__(
            intents=intents(message_content=message_content),
            allowed_mentions=discord.AllowedMentions.none(),
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_messages=None,
            guild_ready_timeout=_GUILDS_COME_WITHIN,
        )
        # A quirk of discord.py: an event that it cannot read ends the connection, and all that would have come by it.
        parsers = self._connection.parsers
        for event in parsers.keys() - _NEEDED:
            parsers[event] = _guarded(event, parsers[event])
        self._ears = ears
        self.tree = command_tree(self, ears)

    async def on_ready(self) -> None:
        self._tell(up=True)

    async def on_resumed(self) -> None:
        self._tell(up=True)

    async def on_disconnect(self) -> None:
        self._tell(up=False)

    def _tell(self, *, up: bool) -> None:
        if not self.is_closed():  # a closed client has been given up, maybe for one that is up already
            self._ears.connected(now=up)

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
