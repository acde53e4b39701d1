"""Servers that BISE_ALLOWED_WORKSPACES does not name: told once, then left."""

from __future__ import annotations

from collections.abc import Collection

import discord
import structlog

from bots.discord import words
from bots.discord.outbound import Outbound
from bots.discord.rest import Rest
from core.errors import PlatformError

_log = structlog.get_logger()


class Admission:
    """Knows where the bot may be. `allowed`: workspaces as "discord:ID"; empty allows all."""

    def __init__(self, allowed: Collection[str], rest: Rest, outbound: Outbound) -> None:
        self._allowed = frozenset(allowed)
        self._rest = rest
        self._outbound = outbound
        self._leaving: set[int] = set()

    def admits(self, guild: int | None) -> bool:
        """Whether questions are answered in this server; None stands for direct messages."""
        return guild is None or not self._allowed or f"discord:{guild}" in self._allowed

    async def joined(self, guild: discord.Guild) -> None:
        """The bot was added to a server."""
        self._leaving.discard(guild.id)
        if not self.admits(guild.id):
            channel = guild.system_channel
            await self.turn_away(guild.id, str(channel.id) if channel is not None else None)

    async def turn_away(self, guild: int, channel: str | None, reply_to: str | None = None) -> None:
        """Says why in `channel`, then leaves the server; what comes from there meanwhile is not answered."""
        if guild in self._leaving:
            return
        self._leaving.add(guild)
        if channel is not None:
            await self._outbound.tell(channel, reply_to, words.say("workspace_not_allowed"))
        await self._leave(guild)

    async def refuse(self, interaction: discord.Interaction) -> bool:
        """Whether a command came from a server that is not allowed; then it has been answered, and the server left."""
        guild = interaction.guild_id
        if guild is None or self.admits(guild):
            return False
        self._leaving.add(guild)
        try:
            await interaction.response.send_message(words.say("workspace_not_allowed"), ephemeral=True)
        except (TimeoutError, discord.DiscordException, OSError) as error:
            _log.warning("sentence_not_told", interaction=interaction.id, error=type(error).__name__)
        await self._leave(guild)
        return True

    async def _leave(self, guild: int) -> None:
        try:
            await self._rest.patiently("DELETE", f"/users/@me/guilds/{guild}")
        except PlatformError as error:
            self._leaving.discard(guild)
            _log.warning("guild_not_left", guild=guild, reason=error.reason, code=error.code)
        else:
            _log.info("guild_left", guild=guild, why="workspace_not_allowed")
