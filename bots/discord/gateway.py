"""The gateway as this process has it: the connections of its shards, opened and closed as its share changes."""

from __future__ import annotations

import asyncio

import structlog

from bots.discord.client import BotClient, Ears, MessageContent
from bots.discord.connection import Connection, final
from bots.discord.rest import Rest
from bots.discord.shards import Shard, Shards, allowance
from core.errors import BiseError, PlatformError, StoreUnavailable
from core.settings import Settings
from core.store.shards import Share

_log = structlog.get_logger()


class Gateway:
    """Holds a connection for each shard of this process. The shards decide whose is whose; here it is carried out.

    A shard that was lost is closed as soon as that is known. While nobody can know, because the database is away,
    connections stay: what people write over them is told to be lost, or fetched later.
    """

    def __init__(self, settings: Settings, rest: Rest, ears: Ears, shards: Shards) -> None:
        self._settings = settings
        self._rest = rest
        self._ears = ears
        self._shards = shards
        self.content = MessageContent()
        self._connections: dict[int, Connection] = {}
        self._leaving: dict[int, asyncio.Task[None]] = {}
        self._looking = asyncio.Lock()  # a look at the shares and what follows from it, or a shard given up
        self._keeping: asyncio.Task[None] | None = None
        self._unconnected: BotClient | None = None
        self._doors = 1
        self._down: str | None = "it has not connected yet"

    @property
    def client(self) -> BotClient:
        """discord.py's client of the lowest shard here, at the moment: each connection has its own."""
        if self._connections:
            return self._connections[min(self._connections)].client
        if self._unconnected is None:
            self._unconnected = BotClient(self._ears, Shard(0, 1), message_content=True)
        return self._unconnected

    @property
    def bot(self) -> int | None:
        """The bot's id, as soon as any connection knows it: one that has just begun does not."""
        clients = [connection.client for connection in self._connections.values()] or [self.client]
        return next((client.user.id for client in clients if client.user is not None), None)

    @property
    def shards(self) -> frozenset[int]:
        """The numbers of those that are connected, or about to be."""
        return frozenset(self._connections)

    @property
    def down(self) -> str | None:
        """Why some events do not come at the moment; None while all of this process's shards bring theirs."""
        if self._down is not None:
            return self._down
        reasons = [(one.shard, one.down) for _, one in sorted(self._connections.items()) if one.down is not None]
        if not reasons:
            return None
        shard, reason = reasons[0]
        if shard.count == 1:
            return reason
        return f"{len(reasons)} of {len(self._connections)} shards are down; shard {shard.number}: {reason}"

    async def open(self) -> None:
        """Returns once the first shard of this process brings events, or at once where others hold all.

        Raises TokenRevoked, SettingsError, which are final, PlatformUnavailable, StoreUnavailable: call again later.
        """
        await self.close()
        self._down = "it is connecting"
        try:
            allowed = await allowance(self._rest)
            wanted, self._doors = allowed.shards, allowed.doors
            share = await self._shards.keep(wanted)
            self._keeping = asyncio.create_task(self._keep(wanted), name="gateway-shards")
            if share.ours:
                first = self._begun(Shard(min(share.ours), share.count))
                await first.open()
        except BiseError as error:
            told = (final(error) if isinstance(error, PlatformError) else None) or error
            await self.close()
            self._down = str(told)
            raise told from error
        self._down = None
        _log.info("discord.shards", held=sorted(share.ours), count=share.count)

    async def hang_up(self) -> None:
        """No events come any more; what was heard can still be acknowledged through the clients."""
        if self._keeping is not None:
            async with self._looking:  # not in the middle of a look, which would then end after we gave all up
                self._keeping.cancel()
            await asyncio.wait({self._keeping})
        if self._leaving:
            await asyncio.wait(self._leaving.values())
        await asyncio.gather(*(connection.hang_up() for connection in self._connections.values()))
        self._down = "it is stopping"

    async def close(self) -> None:
        """Hangs up and leaves all shards to the other processes."""
        await self.hang_up()
        await asyncio.gather(*(connection.close() for connection in self._connections.values()))
        self._connections.clear()
        if self._keeping is not None:
            self._keeping = None
            try:
                await self._shards.free()
            except StoreUnavailable as error:  # the leases will pass
                _log.warning("discord.shards_not_freed", why=error.reason)

    async def _keep(self, wanted: int) -> None:
        while True:
            await asyncio.sleep(self._shards.look_every)
            async with self._looking:
                try:
                    self._apply(await self._shards.keep(wanted))
                except StoreUnavailable as error:
                    _log.warning("discord.shards_not_kept", why=error.reason)
                except Exception:  # noqa: BLE001 - a fault of ours: the leases will pass, and others take the shards
                    _log.exception("discord.shards_fault")

    def _apply(self, share: Share) -> None:
        """Closes what is somebody else's, begins what is new here, and gives up one shard too many."""
        for number, connection in list(self._connections.items()):
            if number not in share.ours or connection.shard.count != share.count:
                _log.warning("discord.shard_lost", shard=number, count=share.count)
                self._end(number, give_up=False)
        if self._down is not None:
            return  # the first one tells whether Discord takes us at all
        if share.surplus is not None and not self._leaving:
            _log.info("discord.shard_given_up", shard=share.surplus, count=share.count)
            self._end(share.surplus, give_up=True)
        for number in sorted(share.ours - self._connections.keys() - self._leaving.keys()):
            _log.info("discord.shard_taken", shard=number, count=share.count)
            self._begun(Shard(number, share.count)).begin()

    def _begun(self, shard: Shard) -> Connection:
        connection = Connection(self._settings, self._rest, self._ears, shard, self._admit, self.content)
        self._connections[shard.number] = connection
        return connection

    def _end(self, number: int, *, give_up: bool) -> None:
        connection = self._connections.pop(number, None)
        self._leaving[number] = asyncio.create_task(self._leave(number, connection, give_up=give_up))

    async def _leave(self, number: int, connection: Connection | None, *, give_up: bool) -> None:
        """First closed, then given up: at no time do two processes hold it."""
        try:
            if connection is not None:
                await connection.close()
            if give_up:
                async with self._looking:
                    await self._shards.free(number)
                    del self._leaving[number]
        except StoreUnavailable as error:  # it is still ours: the next look connects it again
            _log.warning("discord.shards_not_freed", shard=number, why=error.reason)
        finally:
            self._leaving.pop(number, None)

    async def _admit(self, shard: Shard) -> None:
        """Returns when this shard may identify itself. Raises PlatformError, StoreUnavailable."""
        door = shard.number % self._doors
        wait = await self._shards.enter(door)
        while wait > 0:
            await asyncio.sleep(wait)
            wait = await self._shards.enter(door)
        (await allowance(self._rest)).spend()  # asked inside: those before us are counted
