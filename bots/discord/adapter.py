"""The Discord adapter: connected, hearing, answering. One for the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import discord
import structlog

from bots.discord import controls, words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.admission import Admission
from bots.discord.announcements import Announcements
from bots.discord.attachments import Downloads
from bots.discord.catch_up import Accept, CatchUp
from bots.discord.client import BotClient
from bots.discord.connection import final
from bots.discord.gateway import Gateway
from bots.discord.inbound import Self, to_message
from bots.discord.outbound import Outbound
from bots.discord.reply import DiscordReply
from bots.discord.rest import Rest
from bots.discord.shards import AllShards, Shard, Shards
from bots.replies import privacy_notes, sentence
from core.errors import PlatformError, SettingsError, StoreUnavailable
from core.messages import Announcement, Attachment, ConversationKind, IncomingMessage, Notice, ReplyOrder, WorkspaceKey
from core.ports import PostLog
from core.privacy import record
from core.settings import Settings
from core.turns.catching_up import CatchingUp

if TYPE_CHECKING:
    from core.service import Core

T = TypeVar("T")
_log = structlog.get_logger()


class DiscordAdapter:
    """A ChatPlatform of the core, and what brings it messages.

    `shards`: how several processes share in the gateway; without it this one has all of it.
    """

    name = "discord"

    def __init__(
        self, settings: Settings, core: Core, rest: Rest | None = None, *, shards: Shards | None = None
    ) -> None:
        if settings.discord_token is None:
            raise SettingsError("DISCORD_TOKEN is missing. Set DISCORD_TOKEN=… to the bot's token.")
        self.core = core
        token = settings.discord_token.get_secret_value()
        self.rest = rest or Rest(token, settings.discord_api_url)
        self._admins = frozenset(
            person.removeprefix("discord:") for person in settings.admins if person.startswith("discord:")
        )
        # On PostgreSQL any process may run the turn of a question that came in here.
        self._outbound = Outbound(self.rest, alone=not settings.postgres)
        self._announcements = Announcements(self.rest, self._outbound.direct)
        self._downloads = Downloads(settings.discord_api_url)
        self.admission = Admission(settings.allowed_workspaces, self.rest, self._outbound)
        self.notes = privacy_notes(record.where(settings))
        self._gateway = Gateway(settings, self.rest, self, shards or AllShards())
        self._writing = False
        self._bot = 0  # its id, once it is known
        self._hearing: set[asyncio.Task[Any]] = set()
        missed = CatchingUp.of(self.name, core)
        self._catch_up = CatchUp(missed, self.rest, self._hear_missed) if missed is not None else None

    @property
    def message_content(self) -> bool:
        """Whether messages can be read that do not concern the bot."""
        return self._gateway.content.granted

    @property
    def client(self) -> BotClient:
        """discord.py's client of the lowest shard here, at the moment: each connection has its own."""
        return self._gateway.client

    @property
    def shards(self) -> frozenset[int]:
        """The gateway's shards that this process holds."""
        return self._gateway.shards

    @property
    def bot(self) -> Self:
        self._bot = self._gateway.bot or self._bot
        return Self(self._bot, self._admins)

    async def start(self) -> None:
        """Returns once Discord sends events, or other processes hold all shards; after a failure call it again.

        Raises TokenRevoked, SettingsError, PlatformUnavailable, with one line; StoreUnavailable.
        """
        if self._catch_up is not None:
            self._catch_up.start()
        await self._gateway.open()

    async def start_writing(self) -> None:
        """Returns when answers can be written and files read, without a gateway; after a failure call it again.

        Raises TokenRevoked and PlatformUnavailable, with one line.
        """
        try:
            self._bot = int((await self.rest.patiently("GET", "/users/@me"))["id"])
        except PlatformError as error:
            raise final(error) or error from error
        self._writing = True
        _log.info("discord.ready_to_write")

    async def stop_receiving(self) -> None:
        """Hears no more; what was heard is stored when this returns. Answers can still be written."""
        await self._gateway.hang_up()
        if self._hearing:
            await asyncio.wait(self._hearing, timeout=5)
        if self._catch_up is not None:
            await self._catch_up.close()
        await self._gateway.close()

    async def close(self) -> None:
        await self.stop_receiving()
        await self._outbound.close()
        await self._downloads.close()
        await self.rest.close()

    def not_ready(self) -> str | None:
        """Why Discord sends no events at the moment; None while it does, or where none are wanted."""
        down = None if self._writing else self._gateway.down
        return f"Discord: {down}" if down is not None else None

    def reply(self, order: ReplyOrder, posts: PostLog) -> DiscordReply:
        return self._outbound.reply(order, posts)

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:  # noqa: ARG002
        """Raises AttachmentError."""
        return await self._downloads.read(attachment, limit)

    async def tell(self, to: str, notice: Notice, *, privately: bool = False) -> None:
        """Raises PlatformError."""
        await self._outbound.tell_of(to, sentence(notice, platform="discord"), privately=privately)

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:
        """Raises PlatformError."""
        return await self._announcements.announce(to, announcement, privately=privately)

    async def find_announcement(
        self, to: str, announcement: Announcement, since: datetime, *, privately: bool = False
    ) -> str | None:
        """Raises PlatformError."""
        return await self._announcements.find(to, announcement, since, privately=privately)

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        """Raises PlatformError."""
        return await self._announcements.admins_of(workspace)

    def expect(self, interaction: int, acknowledgement: Acknowledgement) -> bool:
        return self._outbound.expect(interaction, acknowledgement)

    def forget(self, interaction: int) -> None:
        self._outbound.forget(str(interaction))

    async def hear(self, message: discord.Message) -> None:
        """Stores a message that may concern the bot; one that could not be stored is caught up with."""
        if self._catch_up is None:
            await self._hear(message)
            return
        self._catch_up.began(message)
        stored = False  # also when telling so fails, or we are cancelled
        try:
            stored = await self._hear(message)
        finally:
            self._catch_up.ended(message, stored=stored)

    async def _hear(self, message: discord.Message) -> bool:
        """Whether nothing of it is left to be stored."""
        heard = to_message(message, self.bot)
        if heard is None:
            return True
        if message.guild is not None and not self.admission.admits(message.guild.id):
            if heard.mentioned:
                await self.tracked(self.admission.turn_away(message.guild.id, heard.channel, heard.source_id))
            return True
        try:
            await self.tracked(self._accept_behind(message, heard))
        except StoreUnavailable as error:
            _log.warning("message_not_stored", message=heard.source_id, why=error.reason)
            if heard.mentioned or message.guild is None:
                name = "store_unavailable" if self._catch_up is None else "stored_later"
                await self._outbound.tell(heard.channel, heard.source_id, words.say(name))
            return False
        return True

    async def _hear_missed(self, message: discord.Message, accept: Accept) -> None:
        """Stores, by `accept`, a message that was fetched later. Raises StoreUnavailable."""
        heard = to_message(message, self.bot)
        if heard is not None and (message.guild is None or self.admission.admits(message.guild.id)):
            await self.tracked(self._accept(heard, accept))

    async def _accept_behind(self, message: discord.Message, heard: IncomingMessage) -> None:
        """Stores what was just said, behind what was missed in its conversation."""
        goes_on = heard.kind is not ConversationKind.CHAIN or heard.reply_to is not None
        if self._catch_up is not None and goes_on:
            await self._catch_up.wait_for_earlier(message)
        await self._accept(heard, self.core.accept)

    async def _accept(self, heard: IncomingMessage, accept: Accept) -> None:
        waiting = self._outbound.waiting
        waiting.expect(heard.source_id)
        try:
            accepted = await accept(heard)
            if accepted.outcome == "turn":
                waiting.begin(heard.source_id, heard.channel)
        finally:
            waiting.forget(heard.source_id)

    async def joined(self, guild: discord.Guild) -> None:
        """The bot was added to a server."""
        if self._catch_up is not None:
            self._catch_up.joined(guild)
        await self.tracked(self.admission.joined(guild))

    def session_began(self, client: BotClient) -> None:
        """Told by a shard's client that it has a new session: what was said since the last one is missing."""
        if self._catch_up is not None:
            self._catch_up.session_began(client)

    def session_ready(self, client: BotClient) -> None:
        """Told by it once it knows its servers."""
        if self._catch_up is not None:
            self._catch_up.session_ready(client)

    async def press(self, interaction: discord.Interaction, control: str) -> None:
        if self._catch_up is not None and self._catch_up.owns(control):
            await self.tracked(self._catch_up.press(interaction, control, self.bot))
        else:
            await self.tracked(controls.press(interaction, control, self))

    async def tracked(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives; `stop_receiving` waits for it."""
        task = asyncio.ensure_future(work)
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)
        return await asyncio.shield(task)

    def connected(self, shard: Shard, *, now: bool) -> None:
        """Told by a shard's client when its events begin to come, or cease for a while."""
        _log.info("discord.shard_up" if now else "discord.shard_down", shard=shard.number, count=shard.count)
