"""The Discord adapter: connected, hearing, answering. One for the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import discord
import structlog

from bots.discord import controls, words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.attachments import Downloads
from bots.discord.client import BotClient, point_at
from bots.discord.errors import converted
from bots.discord.inbound import Self, to_message
from bots.discord.outbound import Outbound
from bots.discord.registration import register
from bots.discord.reply import DiscordReply
from bots.discord.rest import Rest
from core.errors import PlatformError, PlatformUnavailable, SettingsError, StoreUnavailable, TokenRevoked
from core.messages import Attachment, ReplyOrder, WorkspaceKey
from core.ports import PostLog
from core.settings import Settings

if TYPE_CHECKING:
    from core.service import Core

_READY_WITHIN = 60.0  # seconds
T = TypeVar("T")
_log = structlog.get_logger()


class DiscordAdapter:
    """A ChatPlatform of the core, and what brings it messages."""

    name = "discord"

    def __init__(self, settings: Settings, core: Core, rest: Rest | None = None) -> None:
        if settings.discord_token is None:
            raise SettingsError("DISCORD_TOKEN is missing. Set DISCORD_TOKEN=… to the bot's token.")
        self.core = core
        self._token = settings.discord_token.get_secret_value()
        self._settings = settings
        self.rest = rest or Rest(self._token, settings.discord_api_url)
        self._admins = frozenset(
            person.removeprefix("discord:") for person in settings.admins if person.startswith("discord:")
        )
        self._outbound = Outbound(self.rest)
        self._downloads = Downloads(settings.discord_api_url)
        self.client = BotClient(self, message_content=True)
        self._content_refused = False
        self._connection: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._hearing: set[asyncio.Task[Any]] = set()
        self._down: str | None = "it has not connected yet"

    @property
    def message_content(self) -> bool:
        """Whether messages can be read that do not concern the bot."""
        return not self._content_refused

    @property
    def bot(self) -> Self:
        user = self.client.user
        return Self(user.id if user else 0, self._admins)

    async def start(self) -> None:
        """Returns once Discord sends events. Raises TokenRevoked, PlatformUnavailable, with one line."""
        self._ready = asyncio.get_running_loop().create_future()
        self._connection = asyncio.create_task(self._stay_connected())
        try:
            await asyncio.wait_for(self._ready, _READY_WITHIN)
        except TimeoutError as error:
            await self.close()
            raise PlatformUnavailable("Discord's gateway did not become ready within a minute.") from error
        except PlatformError:
            await self.close()
            raise

    async def stop_receiving(self) -> None:
        """Hears no more; what was heard is stored when this returns. Answers can still be written."""
        if self._connection is not None:
            self._connection.cancel()
            await asyncio.wait({self._connection})
            self._connection = None
        if self._hearing:
            await asyncio.wait(self._hearing, timeout=5)
        self._down = "it is stopping"
        if not self.client.is_closed():
            await self.client.close()

    async def close(self) -> None:
        await self.stop_receiving()
        await self._outbound.close()
        await self._downloads.close()
        await self.rest.close()

    def not_ready(self) -> str | None:
        """Why Discord sends no events at the moment; None while it does."""
        return f"Discord: {self._down}" if self._down is not None else None

    def reply(self, order: ReplyOrder, posts: PostLog) -> DiscordReply:
        return self._outbound.reply(order, posts)

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:  # noqa: ARG002
        """Raises AttachmentError."""
        return await self._downloads.read(attachment, limit)

    def expect(self, interaction: int, acknowledgement: Acknowledgement) -> None:
        self._outbound.acknowledgements[str(interaction)] = acknowledgement

    def forget(self, interaction: int) -> None:
        self._outbound.acknowledgements.pop(str(interaction), None)

    async def hear(self, message: discord.Message) -> None:
        """Stores a message that may concern the bot."""
        heard = to_message(message, self.bot)
        if heard is None:
            return
        try:
            await self.tracked(self.core.accept(heard))
        except StoreUnavailable:
            _log.exception("message_not_stored", message=heard.source_id)
            if heard.mentioned or message.guild is None:
                await self._outbound.tell(heard.channel, heard.source_id, words.say("store_unavailable"))

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
        self._down = None if now else "its gateway is down; reconnecting"
        if now and self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    async def _stay_connected(self) -> None:
        """Runs the client until it is cancelled or Discord refuses us for good; reconnects are discord.py's."""
        while True:
            try:
                await point_at(self._settings, self.rest)
                await self.client.login(self._token)
                await self._register()
                await self.client.connect()
            except discord.PrivilegedIntentsRequired as error:
                if self._content_refused:
                    self._lost(converted(error))
                    return
                await self._go_on_without_content()
            except Exception as error:  # noqa: BLE001 - whatever it was, the start or /readyz must tell of it
                self._lost(converted(error))
                return
            else:
                return

    async def _register(self) -> None:
        try:
            await register(self.client, self.client.tree)
        except PlatformError as error:  # without new commands, mentions and the known commands still work
            _log.warning("discord_commands_not_registered", reason=error.reason, code=error.code)

    async def _go_on_without_content(self) -> None:
        _log.warning(
            "discord_message_content_refused",
            missing="messages that neither mention nor answer the bot, in threads and /chat too",
            mend="Developer Portal, Bot, Privileged Gateway Intents, Message Content Intent",
        )
        self._content_refused = True
        await self.client.close()
        self.client = BotClient(self, message_content=False)

    def _lost(self, error: PlatformError) -> None:
        """Discord refuses us for good: the start fails with it, a running service is not ready any more."""
        if isinstance(error, TokenRevoked):
            error = TokenRevoked(
                "DISCORD_TOKEN is refused by Discord. Set it to the bot's current token (Developer Portal, Bot).",
                code=error.code,
            )
        self._down = str(error)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(error)
        else:
            _log.error("discord_lost", reason=error.reason, code=error.code)
