"""A real process that listens to Discord is killed: another one listens in its place, and hears what was said."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from tests.databases import place_of
from tests.faults.fleet import fleet
from tests.world import soon

BOTH = [(0, 2), (1, 2)]
HEARD_AGAIN_IN = 12.0  # seconds: the lease of a shard, the skew of clocks, one look, and a connection
HELD = "SELECT count(*) FROM gateway_shard GROUP BY process"
THREAD = 1  # in Discord


async def test_kill_9_of_the_listener_of_a_shard_leaves_it_to_another_that_hears_what_was_said_meanwhile(
    tmp_path: Path,
) -> None:
    with place_of("postgres", tmp_path) as place:
        async with fleet(place, 2, threads=2, slack_every=2, shards=2) as ships:
            crowd, gateway = ships.crowd, ships.crowd.discord.gateway
            await soon(lambda: gateway.shards == BOTH and place.rows(HELD) == [(1,), (1,)], 20)
            await crowd.ask(THREAD)
            assert await crowd.until_answered(10) == []
            victim = ships.listener((int(crowd.discord.guild_id) >> 22) % 2)
            await victim.end(signal.SIGKILL)
            killed_at = time.monotonic()
            await soon(lambda: len(gateway.shards) == 1)
            await crowd.ask(THREAD)
            await soon(lambda: gateway.shards == BOTH, 20)
            deaf = time.monotonic() - killed_at
            wrong = await crowd.until_answered(10)
            print(f"a shard's listener killed: another one listened after {deaf:.1f} s, {len(wrong)} threads wrong")
            assert (wrong, crowd.requests.total()) == ([], 2), ships.logs()
            assert place.rows(HELD) == [(2,)]
            assert gateway.too_soon == 0
            assert deaf <= HEARD_AGAIN_IN
            await victim.start()
