"""kill -9, then people write for an hour, then it comes back, is killed again in the middle, and comes back."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import migrations
from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from tests.process import KEY, ServeProcess, environment
from tests.scenario.missing import GENERAL, HOUR, MISSED, Clock
from tests.world import soon

SEED = 20261123


def echo(body: Body) -> Reply:
    words, _ = last_words(body)
    return Reply(text=f"Answer to [{words.rpartition(': ')[2]}].")


async def test_what_people_write_while_it_is_down_is_answered_once_or_on_its_notice(
    tmp_path: Path, full_size: bool
) -> None:
    count, kills = (100, 6) if full_size else (16, 1)
    chance, clock = random.Random(SEED), Clock()
    simulators, model = Simulators(clock=clock), MistralSimulator(api_key=KEY)
    model.script = echo
    model.mount(simulators.app)
    slack, discord = simulators.slack, simulators.discord
    discord.faults.rate_limits = False
    database = tmp_path / "bise.db"
    migrations.upgrade(database)

    async def ask(number: int) -> None:
        if number % 2:
            await slack.post("U0ADA", GENERAL, f"<@{slack.bot_user_id}> question {number}")
        else:
            await discord.post("Ada", "general", f"<@{discord.bot_id}> question {number}")

    def shown() -> Iterator[str]:
        yield from (post.shown for post in slack.messages(GENERAL) if post.bot_id and not post.streaming)
        yield from (post.content for post in discord.messages("general") if post.author == discord.bot_id)

    def answers() -> Counter[int]:
        words = list(shown())
        return Counter(number for number in range(count) for one in words if f"[question {number}]" in one)

    async with simulators:
        model.origin = simulators.base_url
        serve = ServeProcess(environment(simulators, model, database), tmp_path)
        clock.back = HOUR
        await serve.start()
        await slack.post("U0ADA", GENERAL, f"<@{slack.bot_user_id}> hello")
        await discord.post("Ada", "general", f"<@{discord.bot_id}> hello")
        await soon(lambda: sum("[hello]" in one for one in shown()) == 2 and marked(database))
        await serve.end(signal.SIGKILL)
        late = count // 2
        for number in range(count):
            clock.back = HOUR if number < late else 0.0
            await ask(number)
        for _ in range(kills):
            await serve.start()
            await asyncio.sleep(chance.random() * 0.6)
            await serve.end(signal.SIGKILL)
        await serve.start()
        fresh = set(range(late, count))
        try:
            await soon(lambda: set(answers()) == fresh and sum(MISSED in one for one in shown()) == 2, 30)
            [notice] = [post for post in slack.messages(GENERAL) if MISSED in post.shown]
            await slack.press("U0ADA", GENERAL, notice.ts, notice.buttons[0].action_id)
            [silent] = [post for post in discord.messages("general") if MISSED in post.content]
            await discord.press("Ada", "general", silent.id, next(iter(silent.buttons)))
            await soon(lambda: set(answers()) == set(range(count)), 30)
            await asyncio.sleep(0.5)
        finally:
            found = answers()
            lost = [number for number in range(count) if not found[number]]
            doubled = [number for number, times in found.items() if times > 1]
            print(f"seed {SEED}: {count} messages, {kills} kills in the middle, lost {lost}, doubled {doubled}")
            assert await serve.end() == 0, serve.log[-3000:]
        assert (lost, doubled) == ([], [])
        assert sum(MISSED in one for one in shown()) <= 2


def marked(database: Path) -> bool:
    """Both platforms' channels are written down as heard."""
    with sqlite3.connect(database) as connection:
        query = "SELECT count(DISTINCT workspace_id) FROM channel_mark WHERE channel <> ''"
        return int(connection.execute(query).fetchone()[0]) == 2
