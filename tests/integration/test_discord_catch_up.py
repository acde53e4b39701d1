"""When Discord is looked at for what was missed: only once it is known which servers there are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import discord

from bots.discord.catch_up import Accept, CatchUp
from bots.discord.rest import Rest
from core.turns.catching_up import CatchingUp
from tests.fakes import house
from tests.world import soon


@dataclass
class Shard:
    """A client of discord.py, as much as is asked of one."""

    shard_id: int
    closed: bool = False
    looks: int = 0

    def is_closed(self) -> bool:
        return self.closed

    @property
    def guilds(self) -> tuple[()]:
        self.looks += 1
        return ()


async def nobody(_message: discord.Message, _accept: Accept) -> None:
    """Nothing is heard."""


async def test_nothing_counts_as_looked_for_while_a_sessions_servers_are_not_known(tmp_path: Path) -> None:
    shard, other = Shard(0), Shard(1)
    client, next_client = cast("discord.Client", shard), cast("discord.Client", other)
    async with house(tmp_path) as home, Rest("token", "http://127.0.0.1:1") as rest:
        missed = CatchingUp("discord", home.core)
        catch_up = CatchUp(missed, rest, nobody)
        catch_up.start()
        catch_up.session_began(client)
        catch_up.session_ready(client)
        await soon(lambda: shard.looks == 1)
        catch_up.session_began(client)  # the session was lost, and the next one knows no server yet
        missed.missing()  # a message could not be stored
        await asyncio.sleep(0.3)
        assert shard.looks == 1
        catch_up.session_ready(client)
        await soon(lambda: shard.looks > 1)
        catch_up.session_began(client)
        shard.closed = True  # it will never be ready: nobody waits for it
        catch_up.session_ready(next_client)
        await soon(lambda: other.looks > 0)
        await catch_up.close()
