"""The Discord adapter: connected, hearing, answering. One for the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import discord
import structlog

from bots.discord import controls, words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.admission import Admission
from bots.discord.attachments import Downloads
from bots.discord.client import BotClient
from bots.discord.connection import Connection
from bots.discord.inbound import Self, to_message
from bots.discord.outbound import Outbound
from bots.discord.reply import DiscordReply
from bots.discord.rest import Rest
from bots.replies import TRAINING_NOTE
from core.errors import SettingsError, StoreUnavailable
from core.messages import Attachment, IncomingMessage, ReplyOrder, WorkspaceKey
from core.ports import PostLog
from core.settings import Settings

if TYPE_CHECKING:
    from core.service import Core

T = TypeVar("T")
_log = structlog.get_logger()


class DiscordAdapter:
    """A ChatPlatform of the core, and what brings it messages."""

    name = "discord"

    def __init__(self, settings: Settings, core: Core, rest: Rest | None = None) -> None:
        if settings.discord_token is None:
            raise SettingsError("DISCORD_TOKEN is missing. Set DISCORD_TOKEN=… to the bot's token.")
        self.core = core
        token = settings.discord_token.get_secret_value()
        self.rest = rest or Rest(token, settings.discord_api_url)
        self._admins = frozenset(
            person.removeprefix("discord:") for person in settings.admins if person.startswith("discord:")
        )
        self._outbound = Outbound(self.rest)
        self._downloads = Downloads(settings.discord_api_url)
        self.admission = Admission(settings.allowed_workspaces, self.rest, self._outbound)
        self.notes = (TRAINING_NOTE,) if settings.mistral_plan == "experiment" else ()
        self._connection = Connection(settings, token, self.rest, self)
        self._hearing: set[asyncio.Task[Any]] = set()

    @property
    def message_content(self) -> bool:
        """Whether messages can be read that do not concern the bot."""
        return self._connection.message_content

    @property
    def client(self) -> BotClient:
        """discord.py's client of the moment: each connection has its own."""
        return self._connection.client

    @property
    def bot(self) -> Self:
        user = self.client.user
        return Self(user.id if user else 0, self._admins)

    async def start(self) -> None:
        """Returns once Discord sends events; after a failure it can be called again.

        Raises TokenRevoked, SettingsError, PlatformUnavailable, with one line.
        """
        await self._connection.open()

    async def stop_receiving(self) -> None:
        """Hears no more; what was heard is stored when this returns. Answers can still be written."""
        await self._connection.hang_up()
        if self._hearing:
            await asyncio.wait(self._hearing, timeout=5)
        await self._connection.close()

    async def close(self) -> None:
        await self.stop_receiving()
        await self._outbound.close()
        await self._downloads.close()
        await self.rest.close()

    def not_ready(self) -> str | None:
        """Why Discord sends no events at the moment; None while it does."""
        down = self._connection.down
        return f"Discord: {down}" if down is not None else None

    def reply(self, order: ReplyOrder, posts: PostLog) -> DiscordReply:
        return self._outbound.reply(order, posts)

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:  # noqa: ARG002
        """Raises AttachmentError."""
        return await self._downloads.read(attachment, limit)

    def expect(self, interaction: int, acknowledgement: Acknowledgement) -> bool:
        return self._outbound.acknowledgements.setdefault(str(interaction), acknowledgement) is acknowledgement

    def forget(self, interaction: int) -> None:
        self._outbound.acknowledgements.pop(str(interaction), None)

    async def hear(self, message: discord.Message) -> None:
        """Stores a message that may concern the bot."""
        heard = to_message(message, self.bot)
        if heard is None:
            return
        if message.guild is not None and not self.admission.admits(message.guild.id):
            if heard.mentioned:
                await self.tracked(self.admission.turn_away(message.guild.id, heard.channel, heard.source_id))
            return
        try:
            await self.tracked(self._accept(heard))
        except StoreUnavailable:
            _log.exception("message_not_stored", message=heard.source_id)
            if heard.mentioned or message.guild is None:
                await self._outbound.tell(heard.channel, heard.source_id, words.say("store_unavailable"))

    async def _accept(self, heard: IncomingMessage) -> None:
        waiting = self._outbound.waiting
        waiting.expect(heard.source_id)
        try:
            accepted = await self.core.accept(heard)
            if accepted.outcome == "turn":
                waiting.begin(heard.source_id, heard.channel)
        finally:
            waiting.forget(heard.source_id)

    async def joined(self, guild: discord.Guild) -> None:
        """The bot was added to a server."""
        await self.tracked(self.admission.joined(guild))

    async def press(self, interaction: discord.Interaction, control: str) -> None:
        await self.tracked(controls.press(interaction, control, self.core, self.bot))

    async def tracked(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; `stop_receiving` waits for it."""
        task = asyncio.ensure_future(work)
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)
        return await asyncio.shield(task)

    def connected(self, *, now: bool) -> None:
        """Told by the client when the gateway came up or went down."""
        self._connection.told(up=now)
