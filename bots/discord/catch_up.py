"""What the gateway never brought: found by each channel's last message id, fetched, and heard late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

import aiohttp
import discord
import structlog

from bots.discord.acknowledgement import within
from bots.discord.errors import converted
from bots.discord.inbound import Self, asker, workspace_of
from bots.discord.missed_notices import MissedNotices
from bots.discord.rest import Rest
from bots.replies import sentence
from core.errors import BiseError, PlaceForbidden, PlaceGone, PlatformUnavailable, StoreUnavailable
from core.messages import DISCORD_DM, Accepted, IncomingMessage, Notice, Press, Pressed, WorkspaceKey
from core.store.marks import EVERYWHERE, Place
from core.turns.catching_up import CatchingUp

MESSAGES_MAX = 500  # of a channel, those written last
DIRECT_MAX = 100  # channels of direct messages, those written in last
_PAGE = 100  # messages, the most that one request brings
_AT_ONCE = 4  # channels
_LOOK_AGAIN = 0.1  # seconds
_SERVERS_COME_WITHIN = 5.0  # seconds from the begin of a session, at most
_log = structlog.get_logger()

Accept = Callable[[IncomingMessage], Awaitable[Accepted]]
Hear = Callable[[discord.Message, Accept], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Gap:
    """Messages that may be missing in a channel: those after the id `after`. `last`: the newest that Discord told."""

    place: Place
    channel: discord.abc.Messageable
    after: int
    last: int


class CatchUp:
    """Keeps the marks of this process's shards. `hear` stores a missed message by what it is given to accept it."""

    def __init__(
        self,
        missed: CatchingUp,
        rest: Rest,
        hear: Hear,
        *,
        most: int = MESSAGES_MAX,
    ) -> None:
        self._missed = missed
        self._rest = rest
        self._board = MissedNotices(rest)
        self._hear = hear
        self._most = most
        self._clients: dict[int, discord.Client] = {}
        self._beginning: dict[int, discord.Client] = {}  # whose servers are not known yet
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Before the first connection."""
        if self._keeping is None:
            self._missed.hold()
            self._keeping = asyncio.create_task(self._missed.keep(self._catch_up, self._board), name="discord-catch-up")

    async def close(self) -> None:
        """After the last message was heard."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
            self._clients.clear()
            self._beginning.clear()
            await self._missed.close()

    def session_began(self, client: discord.Client) -> None:
        """A new session, not a resumed one: what was said before it never comes."""
        self._missed.hold()
        self._beginning[client.shard_id or 0] = client

    def session_ready(self, client: discord.Client) -> None:
        """Its servers are known."""
        self._clients[client.shard_id or 0] = client
        self._beginning.pop(client.shard_id or 0, None)
        self._missed.missing()

    def joined(self, guild: discord.Guild) -> None:
        """The bot was added to a server: what was said there before is nobody's business."""
        self._begin_listening(guild)
        self._missed.write_soon()

    def began(self, message: discord.Message) -> None:
        """A message came by the gateway."""
        self._missed.marks.began(_place(message), message.id)

    async def wait_for_earlier(self, message: discord.Message) -> None:
        """Returns when what was missed in its channel is stored, or a little later."""
        await self._missed.wait_for(_place(message))

    def ended(self, message: discord.Message, *, stored: bool) -> None:
        """It was stored, or there was nothing to store; if not, it is fetched again once it can be stored."""
        if stored:
            self._missed.marks.ended(_place(message), message.id)
        else:
            self._missed.missing()

    def owns(self, control: str) -> bool:
        return self._missed.owns(control)

    async def press(self, interaction: discord.Interaction, control: str, bot: Self) -> None:
        """The button of a notice was pressed; with success, it goes away. Raises PlatformError."""
        press = Press(workspace_of(interaction), control, asker(interaction, bot))
        response, none = interaction.response, discord.AllowedMentions.none()
        try:
            done = await within(self._outcome(press), response.defer)
            said = sentence(done.notice or Notice("answered_now"), platform="discord")
            if done.done and response.is_done():
                await interaction.edit_original_response(content=said, view=None, allowed_mentions=none)
            elif done.done:
                await response.edit_message(content=said, view=None, allowed_mentions=none)
            elif response.is_done():
                await interaction.followup.send(said, ephemeral=True, allowed_mentions=none)
            else:
                await response.send_message(said, ephemeral=True, allowed_mentions=none)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise converted(error) from error

    async def _outcome(self, press: Press) -> Pressed:
        try:
            return await self._missed.press(press)
        except StoreUnavailable as error:
            _log.warning("press_not_stored", control=press.control)
            return Pressed(False, Notice(error.reason))

    async def _catch_up(self) -> None:
        """Looks at every channel of this process's shards. Raises StoreUnavailable, PlatformError."""
        await self._servers_known()
        marks = await self._missed.stored_marks()
        gaps = [gap for client in self._open_clients() for gap in self._gaps(client, marks)]
        self._missed.seek(gap.place for gap in gaps)
        await self._missed.write_marks()  # a server without one would be new again to whoever comes after a kill
        some = asyncio.Semaphore(_AT_ONCE)
        outcomes = await asyncio.gather(*(self._fill(gap, some) for gap in gaps), return_exceptions=True)
        if failures := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            raise failures[0]
        _log.info("discord.caught_up", channels=len(gaps), messages=sum(map(_count, outcomes)))

    async def _servers_known(self) -> None:
        """Returns when no session is just beginning: a look would not see what that missed.

        Raises PlatformUnavailable.
        """
        try:
            async with asyncio.timeout(_SERVERS_COME_WITHIN):
                while any(not client.is_closed() for client in self._beginning.values()):  # noqa: ASYNC110 - closed or ready
                    await asyncio.sleep(_LOOK_AGAIN)
        except TimeoutError as error:
            raise PlatformUnavailable("the servers of a session are not known yet", code="not_ready") from error

    def _open_clients(self) -> list[discord.Client]:
        self._clients = {shard: client for shard, client in self._clients.items() if not client.is_closed()}
        return list(self._clients.values())

    def _gaps(self, client: discord.Client, marks: dict[Place, int]) -> Iterator[Gap]:
        oldest = discord.utils.time_snowflake(self._missed.oldest)
        for guild in client.guilds:
            key = WorkspaceKey("discord", str(guild.id))
            everywhere = marks.get((key, EVERYWHERE))
            if everywhere is None:
                self._begin_listening(guild)
            for channel in (*guild.channels, *guild.threads):
                last, place = getattr(channel, "last_message_id", None), (key, str(channel.id))
                after = gap_after(last, marks.get(place, everywhere), oldest)
                if after is not None and last is not None and isinstance(channel, discord.abc.Messageable):
                    yield Gap(place, channel, after, last)
        if (client.shard_id or 0) == 0:
            yield from self._direct_gaps(client, marks, oldest)

    def _direct_gaps(self, client: discord.Client, marks: dict[Place, int], oldest: int) -> Iterator[Gap]:
        # Discord lists no open direct messages: those that were heard of are asked for, newest first.
        direct = sorted(
            ((mark, place) for place, mark in marks.items() if place[0] == DISCORD_DM), key=lambda one: -one[0]
        )
        for mark, place in direct[:DIRECT_MAX]:
            channel = client.get_partial_messageable(int(place[1]), type=discord.ChannelType.private)
            yield Gap(place, channel, max(mark, oldest), mark)

    def _begin_listening(self, guild: discord.Guild) -> None:
        ids = [guild.id, *(channel.id for channel in guild.channels)]
        ids += [getattr(channel, "last_message_id", None) or 0 for channel in (*guild.channels, *guild.threads)]
        self._missed.caught_up((WorkspaceKey("discord", str(guild.id)), EVERYWHERE), max(ids))

    async def _fill(self, gap: Gap, some: asyncio.Semaphore) -> int:
        """Hears what is missing in a channel, oldest first; gives how many messages there were."""
        async with some:
            found: list[discord.Message] = []
            try:
                async for page in self._pages(gap):
                    found += page
            except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
                failure = converted(error)
                if not isinstance(failure, PlaceGone | PlaceForbidden):
                    raise failure from error
                _log.info("discord.not_caught_up", channel=gap.place[1], reason=failure.reason, code=failure.code)
            for message in sorted(found, key=lambda one: one.id):
                await self._hear_or_pass_over(message)
        if len(found) >= self._most:
            _log.warning("discord.caught_up_in_part", channel=gap.place[1], messages=len(found))
        self._missed.caught_up(gap.place, max([gap.last, *(message.id for message in found)]))
        return len(found)

    async def _pages(self, gap: Gap) -> AsyncIterator[list[discord.Message]]:
        """What was said in a gap, so much at most; each page is one request.

        First its begin, which mostly is all there is; then, where there is more, its end, backwards.
        """
        after, before, left = gap.after, None, self._most
        while left > 0:
            await self._rest.room()
            first, most = left == self._most, min(left, _PAGE)
            history = gap.channel.history(limit=most, after=discord.Object(after), before=before, oldest_first=first)
            page = [message async for message in history]
            yield page
            left -= len(page)
            if len(page) < most:
                return
            after, before = (page[-1].id, None) if first else (after, page[-1])

    async def _hear_or_pass_over(self, message: discord.Message) -> None:
        try:
            await self._hear(message, self._missed.accept)
        except BiseError:
            raise
        except Exception:  # noqa: BLE001 - one message's fault, whatever it is
            _log.exception("discord.missed_message_not_read", message=message.id)


def gap_after(last: int | None, mark: int | None, oldest: int) -> int | None:
    """The id after which a channel's messages are to be fetched; None where none is missing.

    `mark`: how far it was heard, None: it never was. Nothing before `oldest` is fetched.
    """
    if last is None or mark is None:
        return None
    after = max(mark, oldest)
    return after if after < last else None


def _place(message: discord.Message) -> Place:
    key = WorkspaceKey("discord", str(message.guild.id)) if message.guild else DISCORD_DM
    return key, str(message.channel.id)


def _count(outcome: int | BaseException) -> int:
    return outcome if isinstance(outcome, int) else 0
