"""One shard's connection, held up: a new client for each try, until it is closed or Discord refuses us for good."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from bots.discord.client import BotClient, Ears, MessageContent, point_at
from bots.discord.errors import INTENTS_REFUSED, converted
from bots.discord.registration import register
from bots.discord.rest import Rest
from bots.discord.shards import Shard
from core.errors import (
    BiseError,
    PlatformError,
    PlatformUnavailable,
    SettingsError,
    StoreUnavailable,
    TokenRevoked,
)
from core.settings import Settings

_READY_WITHIN = 60.0  # seconds from when it may identify itself
# Seconds before each new try. Each may cost an IDENTIFY, and more than 1000 of these a day reset the token.
_AGAIN_AFTER = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_log = structlog.get_logger()


class Connection:
    """One shard. `down`: why no events come at the moment, None while they do.

    `admit` returns when it may identify itself. A client of discord.py that was closed cannot be used again, so that
    each try has its own.
    """

    def __init__(
        self,
        settings: Settings,
        rest: Rest,
        ears: Ears,
        shard: Shard,
        admit: Callable[[Shard], Awaitable[None]],
        content: MessageContent,
    ) -> None:
        self.shard = shard
        self._settings = settings
        self._rest = rest
        self._ears = ears
        self._admit = admit
        self._content = content
        self.client = self._new_client()
        self.down: str | None = "it has not connected yet"
        self._held: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None  # the first time that it is up, or why it is not
        self._admitted = asyncio.Event()
        self._tries = 0

    def begin(self) -> None:
        """Connects, and comes back by itself, also where the first try fails. Never waits."""
        self.down = "it is connecting"
        self._held = asyncio.create_task(self._hold(), name=f"gateway-{self.shard.number}")

    async def open(self) -> None:
        """Returns once events come, or when it is closed meanwhile; from then on it comes back by itself.

        Raises TokenRevoked, SettingsError, which are final, and PlatformUnavailable: open another one later.
        """
        self._first = asyncio.get_running_loop().create_future()
        self.begin()
        admitted = asyncio.create_task(self._admitted.wait())
        try:
            either: set[asyncio.Future[Any]] = {self._first, admitted}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait_for(self._first, _READY_WITHIN)
        except TimeoutError as error:
            raise PlatformUnavailable("Discord's gateway did not become ready within a minute.") from error
        finally:
            admitted.cancel()

    async def hang_up(self) -> None:
        """No events come any more; what was heard can still be acknowledged through the client."""
        if self._held is not None:
            self._held.cancel()
            await asyncio.wait({self._held})
            self._held = None
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        self.down = "it is stopping"

    async def close(self) -> None:
        await self.hang_up()
        if not self.client.is_closed():
            await self.client.close()

    def _told(self, up: bool) -> None:
        """The client says that events come, or that they do not for now."""
        self.down = None if up else "its gateway is down; reconnecting"
        if up:
            self._tries = 0
            if self._first is not None and not self._first.done():
                self._first.set_result(None)

    async def _hold(self) -> None:
        while True:
            failure = await self._try()
            if failure.code == INTENTS_REFUSED and self.client.intents.message_content:
                self._do_without_content()
                continue
            over = final(failure)
            self.down = str(over or failure)
            if self._first is not None and not self._first.done():
                self._first.set_exception(over or _for_now(failure))
                return
            if over is not None:
                _log.error("discord_lost", shard=self.shard.number, reason=over.reason, code=failure.code)
                return
            wait = _AGAIN_AFTER[min(self._tries, len(_AGAIN_AFTER) - 1)]
            self._tries += 1
            self.down = f"{failure}; trying again"
            _log.warning("discord_connection_ended", reason=failure.reason, code=failure.code, again_in_seconds=wait)
            await asyncio.sleep(wait)

    async def _try(self) -> PlatformError:
        """Runs a new client for as long as it lives, and tells why it ended. Small cuts are discord.py's to mend."""
        if self.client.is_closed():
            self.client = self._new_client()
        try:
            await point_at(self._settings, self._rest)
            await self.client.login(self._token)
            if self.shard.number == 0:  # one of them does it for all
                await self._register()
            await self._admit(self.shard)
            self._admitted.set()
            await self.client.connect()
        except StoreUnavailable as error:
            failure: PlatformError = PlatformUnavailable(f"it cannot be told when to connect: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it was, the start or /readyz tells of it
            failure = converted(error)
            if type(failure) is PlatformError:
                _log.warning("discord_connection_fault", error=type(error).__name__, exc_info=error)
        else:
            failure = PlatformUnavailable("Discord's gateway was closed")
        await self.client.close()  # from here on it tells nothing any more
        return failure

    def _new_client(self) -> BotClient:
        content = self._content.granted
        return BotClient(self._ears, self.shard, message_content=content, told=self._told, admit=self._admit)

    @property
    def _token(self) -> str:
        token = self._settings.discord_token
        return token.get_secret_value() if token is not None else ""

    async def _register(self) -> None:
        try:
            await register(self.client, self.client.tree)
        except PlatformError as error:  # without new commands, mentions and the known commands still work
            _log.warning("discord_commands_not_registered", reason=error.reason, code=error.code)

    def _do_without_content(self) -> None:
        _log.warning(
            "discord_message_content_refused",
            missing="messages that neither mention nor answer the bot, in threads and /chat too",
            mend="Developer Portal, Bot, Privileged Gateway Intents, Message Content Intent",
        )
        self._content.granted = False


def final(failure: PlatformError) -> BiseError | None:
    """What no further try can mend, as one line for the operator; None for all else."""
    if isinstance(failure, TokenRevoked):
        line = "DISCORD_TOKEN is refused by Discord. Set it to the bot's current token (Developer Portal, Bot)."
        return TokenRevoked(line, code=failure.code)
    if failure.code == INTENTS_REFUSED:
        return SettingsError(
            "DISCORD_TOKEN is of a bot to which Discord refuses even the plain intents (4014). "
            "Set it to the token of another application, or ask Discord why."
        )
    return None


def _for_now(failure: PlatformError) -> PlatformUnavailable:
    """Any other fault of a start, as what a later start may not meet again."""
    if isinstance(failure, PlatformUnavailable):
        return failure
    return PlatformUnavailable(str(failure), code=failure.code)
