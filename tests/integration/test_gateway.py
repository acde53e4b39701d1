"""Several processes on one bot's gateway: each shard connected once, moved when one joins, ends or dies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
import structlog.testing

from bots.discord.adapter import DiscordAdapter
from bots.discord.shards import Allowance, Shard, allowance
from bots.playground.discord.simulator import DiscordSimulator
from core.clock import SystemClock
from core.errors import PlatformUnavailable, StoreUnavailable
from core.store.database import Database
from core.store.processes import Processes
from core.store.shards import Pace, StoredShards
from tests.databases import Place, place_of
from tests.integration.discord_core import FakeCore, settings_for, simulated
from tests.world import soon

QUICK = Pace(lease=0.5, skew=0.1, look=0.1, identify=0.1)


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with simulated() as simulator:
        simulator.faults.shards = 4
        yield simulator


@dataclass
class Process:
    """An adapter with a core of a few lines, on a database that it shares with others."""

    core: FakeCore
    adapter: DiscordAdapter
    database: Database

    @property
    def shards(self) -> frozenset[int]:
        return self.adapter.shards

    async def die(self) -> None:
        """It is stopped like by kill -9: its leases stay, its sockets are gone."""
        gateway = self.adapter._gateway
        assert gateway._keeping is not None
        gateway._keeping.cancel()
        gateway._keeping = None
        await gateway.close()


@asynccontextmanager
async def cluster(place: Place, discord: DiscordSimulator, pace: Pace = QUICK) -> AsyncIterator[Callable[[], Process]]:
    """Makes processes that are not started yet."""
    async with AsyncExitStack() as stack:

        def process() -> Process:
            core, database = FakeCore(), place.open()
            stack.push_async_callback(database.close)
            shards = StoredShards(database, SystemClock(), Processes(database, SystemClock(), {"discord"}), pace)
            adapter = DiscordAdapter(settings_for(discord), core, shards=shards)  # type: ignore[arg-type]
            core.adapter = adapter
            stack.push_async_callback(adapter.close)
            return Process(core, adapter, database)

        yield process


ALL = [(number, 4) for number in range(4)]


async def test_a_process_that_joins_takes_shards_over_and_each_is_connected_once(
    place: Place, discord: DiscordSimulator
) -> None:
    async with cluster(place, discord) as process:
        first, second = process(), process()
        await first.adapter.start()
        await soon(lambda: discord.gateway.shards == ALL and first.adapter.not_ready() is None)
        await second.adapter.start()
        await soon(lambda: len(second.shards) == 2 and discord.gateway.shards == ALL)
        assert first.shards | second.shards == {0, 1, 2, 3}
        assert first.shards == {0, 1}, "the highest are given up"


async def test_one_event_reaches_one_process_wherever_its_shard_is(place: Place, discord: DiscordSimulator) -> None:
    async with cluster(place, discord) as process:
        made = [process(), process()]
        for one in made:
            await one.adapter.start()
        await soon(lambda: sorted(len(one.shards) for one in made) == [2, 2] and discord.gateway.shards == ALL)
        await soon(lambda: all(one.adapter.not_ready() is None for one in made))
        await discord.post("Ada", "general", f"<@{discord.bot_id}> in the server")
        await discord.post("Grace", "Grace", "in private")
        await soon(lambda: sum(len(one.core.heard) for one in made) == 2)
        guilds_shard = (int(discord.guild_id) >> 22) % 4
        for one in made:
            expected = ["in the server"] * (guilds_shard in one.shards) + ["in private"] * (0 in one.shards)
            assert sorted(heard.text for heard in one.core.heard) == sorted(expected)


async def test_a_mention_is_known_as_one_while_a_lower_shard_is_still_connecting(
    place: Place, discord: DiscordSimulator
) -> None:
    discord.faults.shards = 1
    async with cluster(place, discord) as process:
        only = process()
        await only.adapter.start()
        gateway = only.adapter._gateway
        gateway._connections[-1] = gateway._begun(Shard(-1, 1))  # it has not logged in
        await discord.post("Ada", "general", f"<@{discord.bot_id}> hello")
        await soon(lambda: len(only.core.heard) == 1)
        assert only.core.heard[0].mentioned


async def test_the_shards_of_a_dead_process_come_up_in_another(place: Place, discord: DiscordSimulator) -> None:
    async with cluster(place, discord) as process:
        first, second = process(), process()
        await first.adapter.start()
        await second.adapter.start()
        await soon(lambda: len(second.shards) == 2 and discord.gateway.shards == ALL)
        await first.die()
        assert len(discord.gateway.shards) == 2
        await soon(lambda: discord.gateway.shards == ALL)
        assert second.shards == {0, 1, 2, 3}


async def test_an_orderly_end_hands_over_at_once(place: Place, discord: DiscordSimulator) -> None:
    async with cluster(place, discord) as process:
        first, second = process(), process()
        await first.adapter.start()
        await second.adapter.start()
        await soon(lambda: len(second.shards) == 2)
        await first.adapter.stop_receiving()
        await soon(lambda: second.shards == {0, 1, 2, 3} and discord.gateway.shards == ALL)


async def test_a_lost_lease_closes_the_shards_socket(place: Place, discord: DiscordSimulator) -> None:
    async with cluster(place, discord) as process:
        only = process()
        await only.adapter.start()
        await soon(lambda: discord.gateway.shards == ALL)
        with structlog.testing.capture_logs() as logs:
            place.change("UPDATE gateway_shard SET process = 'another', until = '2999-01-01' WHERE number = 2")
            await soon(lambda: discord.gateway.shards == [(0, 4), (1, 4), (3, 4)])
        assert [line["shard"] for line in logs if line["event"] == "discord.shard_lost"] == [2]
        await soon(lambda: only.adapter.not_ready() is None)  # the others go on


async def test_while_the_database_is_away_connections_stay(discord: DiscordSimulator, tmp_path: object) -> None:
    with place_of("sqlite", tmp_path) as place:  # type: ignore[arg-type]
        async with cluster(place, discord) as process:
            only = process()
            await only.adapter.start()
            await soon(lambda: discord.gateway.shards == ALL)
            shards = only.adapter._gateway._shards
            whole, shards._database = shards._database, Away()  # type: ignore[attr-defined]
            await asyncio.sleep(1.0)
            assert discord.gateway.shards == ALL
            shards._database = whole  # type: ignore[attr-defined]
            await asyncio.sleep(0.3)
            assert discord.gateway.identifies == 4


class Away:
    """A database that does not answer."""

    async def write(self, _: object) -> None:
        raise StoreUnavailable("away")


async def test_sessions_begin_one_after_the_other_through_each_door(place: Place, discord: DiscordSimulator) -> None:
    discord.faults.identify_every = 0.15  # sooner is an invalid session
    async with cluster(place, discord, Pace(lease=5.0, look=0.1, identify=0.4)) as process:
        made = [process(), process()]
        await asyncio.gather(*(one.adapter.start() for one in made))
        await soon(lambda: discord.gateway.shards == ALL)
        assert discord.gateway.too_soon == 0


async def test_beyond_the_days_sessions_nothing_is_identified_and_the_token_lives(
    place: Place, discord: DiscordSimulator
) -> None:
    discord.faults.sessions_a_day = 3
    async with cluster(place, discord) as process:
        only = process()
        await only.adapter.start()
        await soon(lambda: "no more gateway sessions" in (only.adapter.not_ready() or ""))
        assert discord.gateway.identifies == 2, "one is left for another process that is at the door"
        assert not discord.faults.token_revoked


async def test_discord_tells_how_many_shards_and_sessions_there_are(discord: DiscordSimulator) -> None:
    discord.faults.max_concurrency = 2
    settings = settings_for(discord)
    adapter = DiscordAdapter(settings, FakeCore())  # type: ignore[arg-type]
    try:
        told = await allowance(adapter.rest)
    finally:
        await adapter.close()
    assert told == Allowance(shards=4, remaining=1000, reset_after=86_400.0, doors=2)
    told.spend()
    with pytest.raises(PlatformUnavailable, match=r"for 24\.0 hours"):
        Allowance(remaining=2, reset_after=86_400, doors=2).spend()
