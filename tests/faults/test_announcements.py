"""kill -9 while something is announced: before its post, and between the post and its being stored. One post."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

import migrations
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from core.messages import Notice, WorkspaceKey
from core.store import announcements, workspaces
from core.store.database import SQLITE, Database
from tests.process import KEY, ServeProcess, environment
from tests.world import soon

SEED = 20261123
GENERAL = "C0GENERAL"
Moment = Literal["begun", "posted"]


class Stage:
    """A service's database, and the channels in which it announces."""

    def __init__(self, simulators: Simulators, file: Path) -> None:
        self.slack, self.discord = simulators.slack, simulators.discord
        self.file = file
        self.database = Database.open(f"{SQLITE}{file}")

    async def put(self, platform: str, name: str) -> None:
        key = WorkspaceKey(platform, "T0PLAY" if platform == "slack" else self.discord.guild_id)
        notice = Notice("report_place_lost", {"place": name, "platform": platform})
        now = datetime.now(UTC)

        def put(connection: Any) -> bool:
            return announcements.put(
                connection, workspaces.ensure(connection, key, now), name, "alert", notice, now=now
            )

        assert await self.database.write(put)

    def posts(self, platform: str, name: str) -> int:
        """How often it stands there."""
        if platform == "slack":
            return sum(name in post.shown for post in self.slack.messages(GENERAL))
        return sum(name in post.content for post in self.discord.messages("general"))

    def rows(self, query: str, *values: str) -> list[Any]:
        connection = sqlite3.connect(self.file)
        found = connection.execute(query, values).fetchall()
        connection.close()
        return found

    def has_begun(self, name: str) -> bool:
        return bool(self.rows("SELECT id FROM announcement WHERE name LIKE ? AND place IS NOT NULL", f"{name} > %"))

    def is_over(self, name: str) -> bool:
        return bool(self.rows("SELECT id FROM announcement WHERE name = ? AND ended_at IS NOT NULL", name))

    def let_claims_lapse(self) -> None:
        """The minute in which a dead process is believed to be at it is over."""
        connection = sqlite3.connect(self.file, timeout=5)
        connection.execute("UPDATE announcement SET claimed_until = '2026-01-01 00:00:00' WHERE ended_at IS NULL")
        connection.commit()
        connection.close()


@pytest.mark.timeout(3600)
async def test_what_is_announced_stands_there_once_whenever_the_process_dies(tmp_path: Path, full_size: bool) -> None:
    chance = random.Random(SEED)
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    database = tmp_path / "bise.db"
    migrations.upgrade(database)
    moments: tuple[Moment, ...] = ("begun", "posted")
    async with simulators:
        model.origin = simulators.base_url
        simulators.discord.faults.rate_limits = False
        stage = Stage(simulators, database)
        channel = simulators.discord.channel_id("general")
        env = environment(simulators, model, database)
        env["BISE_REPORT_CHANNEL"] = f"slack:{GENERAL},discord:{channel}"
        serve = ServeProcess(env, tmp_path)
        await serve.start()
        try:
            for number in range(50 if full_size else 1):
                for platform in ("slack", "discord"):
                    for moment in moments:
                        await one_kill(stage, serve, platform, moment, f"{platform}-{moment}-{number}-end", chance)
        finally:
            await serve.end()
            await stage.database.close()


async def one_kill(
    stage: Stage, serve: ServeProcess, platform: str, moment: Moment, name: str, chance: random.Random
) -> None:
    happened: dict[Moment, Callable[[], bool]] = {
        "begun": lambda: stage.has_begun(name),
        "posted": lambda: stage.posts(platform, name) > 0,
    }
    await stage.put(platform, name)
    async with asyncio.timeout(10):
        while not happened[moment]():
            await asyncio.sleep(0.001)
    await asyncio.sleep(chance.choice((0.0, 0.001, 0.003)))
    await serve.end(signal.SIGKILL)
    await serve.start()
    stage.let_claims_lapse()
    await soon(lambda: stage.is_over(name), 15)
    assert stage.posts(platform, name) == 1, (name, serve.log[-3000:])
