"""The gateway, held up: a new client for each try, until it is closed or Discord refuses us for good."""

from __future__ import annotations

import asyncio

import structlog

from bots.discord.client import BotClient, Ears, point_at
from bots.discord.errors import INTENTS_REFUSED, converted
from bots.discord.registration import register
from bots.discord.rest import Rest
from core.errors import BiseError, PlatformError, PlatformUnavailable, SettingsError, TokenRevoked
from core.settings import Settings

_READY_WITHIN = 60.0  # seconds
# Seconds before each new try. Each may cost an IDENTIFY, and more than 1000 of these a day reset the token.
_AGAIN_AFTER = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_log = structlog.get_logger()


class Connection:
    """One bot's gateway. `down`: why no events come at the moment, None while they do.

    A client of discord.py that was closed cannot be used again, so that each try has its own.
    """

    def __init__(self, settings: Settings, token: str, rest: Rest, ears: Ears) -> None:
        self._settings = settings
        self._token = token
        self._rest = rest
        self._ears = ears
        self.message_content = True
        self.client = BotClient(ears, message_content=True)
        self.down: str | None = "it has not connected yet"
        self._held: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None] | None = None  # the first time that it is up, or why it is not
        self._tries = 0

    async def open(self) -> None:
        """Returns once events come; from then on it comes back by itself.

        Raises TokenRevoked, SettingsError, which are final, and PlatformUnavailable: call again later.
        """
        await self.close()
        self.down = "it is connecting"
        self._first = asyncio.get_running_loop().create_future()
        self._held = asyncio.create_task(self._hold(self._first))
        try:
            await asyncio.wait_for(self._first, _READY_WITHIN)
        except TimeoutError as error:
            await self.close()
            self.down = "its gateway did not become ready within a minute"
            raise PlatformUnavailable("Discord's gateway did not become ready within a minute.") from error
        except BiseError as error:
            await self.close()
            self.down = str(error)
            raise

    async def hang_up(self) -> None:
        """No events come any more; what was heard can still be acknowledged through the client."""
        if self._held is not None:
            self._held.cancel()
            await asyncio.wait({self._held})
            self._held = None
        self.down = "it is stopping"

    async def close(self) -> None:
        await self.hang_up()
        if not self.client.is_closed():
            await self.client.close()

    def told(self, *, up: bool) -> None:
        """The client says that events come, or that they do not for now."""
        self.down = None if up else "its gateway is down; reconnecting"
        if up:
            self._tries = 0
            if self._first is not None and not self._first.done():
                self._first.set_result(None)

    async def _hold(self, first: asyncio.Future[None]) -> None:
        while True:
            failure = await self._try()
            if failure.code == INTENTS_REFUSED and self.message_content:
                self._do_without_content()
                continue
            final = _final(failure)
            self.down = str(final or failure)
            if not first.done():
                first.set_exception(final or _for_now(failure))
                return
            if final is not None:
                _log.error("discord_lost", reason=final.reason, code=failure.code)
                return
            wait = _AGAIN_AFTER[min(self._tries, len(_AGAIN_AFTER) - 1)]
            self._tries += 1
            self.down = f"{failure}; trying again"
            _log.warning("discord_connection_ended", reason=failure.reason, code=failure.code, again_in_seconds=wait)
            await asyncio.sleep(wait)

    async def _try(self) -> PlatformError:
        """Runs a new client for as long as it lives, and tells why it ended. Small cuts are discord.py's to mend."""
        self.client = BotClient(self._ears, message_content=self.message_content)
        try:
            await point_at(self._settings, self._rest)
            await self.client.login(self._token)
            await self._register()
            await self.client.connect()
        except Exception as error:  # noqa: BLE001 - whatever it was, the start or /readyz tells of it
            failure = converted(error)
            if type(failure) is PlatformError:
                _log.warning("discord_connection_fault", error=type(error).__name__, exc_info=error)
        else:
            failure = PlatformUnavailable("Discord's gateway was closed")
        await self.client.close()  # from here on it tells nothing any more
        return failure

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
        self.message_content = False


def _final(failure: PlatformError) -> BiseError | None:
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
