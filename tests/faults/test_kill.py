"""kill -9 at random points, real processes: every question is answered, once, in the posts that were begun."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from pathlib import Path

import migrations
from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from tests.process import KEY, ServeProcess, environment


def slow(body: Body) -> Reply:
    """An answer of about half a second that names its question."""
    words, _ = last_words(body)
    return Reply(
        chunks=(f"Answer to [{words}]:", *(f" word{number}" for number in range(20)), " end."), chunk_delay=0.02
    )


async def test_no_answer_is_lost_or_doubled_by_kill_9(tmp_path: Path, full_size: bool) -> None:
    questions, kills = (100, 20) if full_size else (10, 4)
    chance = random.Random(20261123)
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.script = slow
    model.mount(simulators.app)
    database = tmp_path / "bise.db"
    migrations.upgrade(database)
    async with simulators:
        model.origin = simulators.base_url
        slack = simulators.slack
        serve = ServeProcess(environment(simulators, model, database), tmp_path)
        await serve.start()
        roots: list[str] = []
        for number in range(questions):
            roots.append(await slack.post("U0ADA", "C0GENERAL", f"<@{slack.bot_user_id}> question {number}"))
            await asyncio.sleep(chance.random() * 0.2)
            if number % max(questions // kills, 1) == 1:
                await asyncio.sleep(chance.random() * 0.5)
                await serve.end(signal.SIGKILL)
                await serve.start()

        def whole(number: int) -> bool:
            posts = [post for post in slack.messages("C0GENERAL", roots[number]) if post.bot_id]
            return len(posts) == 1 and not posts[0].streaming and posts[0].shown.endswith("end.")

        try:
            await slack.until(lambda: all(whole(number) for number in range(questions)), 30)
        finally:
            missing = [number for number in range(questions) if not whole(number)]
            print(f"seed 20261123: {questions} questions, {kills} kills, {len(missing)} lost or doubled: {missing}")
            assert await serve.end() == 0, serve.log[-3000:]
        for number, root in enumerate(roots):
            [post] = [post for post in slack.messages("C0GENERAL", root) if post.bot_id]
            assert post.shown.count(f"question {number}]") == 1
        with sqlite3.connect(database) as connection:
            states = connection.execute("SELECT state, count(*) FROM turn GROUP BY state").fetchall()
        assert states == [("done", questions)]
