"""What a review found in the Slack adapter, through the whole service."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from tests.databases import SECRET, Place
from tests.process import KEY, ServeProcess, environment
from tests.scenario.test_slack import ADA, GENERAL, answers, mention
from tests.world import World


async def test_a_kill_right_after_a_post_was_made_leaves_no_second_post(tmp_path: Path, place: Place) -> None:
    """The process ends between Slack's commit of the post and ours of its row."""
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin, slack = simulators.base_url, simulators.slack
        model.then(Reply(chunks=("Begun ", "and never ended ", "in this process."), chunk_delay=0.3))
        env = environment(simulators, model, tmp_path / "bise.db")
        serve = ServeProcess(env | {"DATABASE_URL": place.url, "BISE_SECRET_KEY": SECRET}, tmp_path)
        await serve.start()
        try:
            ts = await slack.post(ADA, GENERAL, f"<@{slack.bot_user_id}> hello")
            await slack.until(lambda: len(slack.messages(GENERAL, ts)) > 1)
            await serve.end(signal.SIGKILL)
            model.then(Reply(text="A whole answer."))
            await serve.start()
            await slack.until(lambda: "A whole answer." in [post.shown for post in slack.messages(GENERAL, ts)], 20)
        finally:
            assert await serve.end() == 0, serve.log[-3000:]
        [post] = [post for post in slack.messages(GENERAL, ts) if post.bot_id]
        assert not post.streaming


async def test_a_model_is_not_read_to_its_end_for_a_place_that_takes_nothing(world: World) -> None:
    world.model.then(Reply(chunks=("Once upon a time ",) + ("there was more ",) * 400, chunk_delay=0.05))
    ts = await world.slack.post(ADA, GENERAL, mention(world, "Tell me a long story"))
    await world.slack.until(lambda: bool(answers(world, ts)))
    world.slack.faults.archived = {GENERAL}
    async with asyncio.timeout(8):
        await world.model.until(lambda model: model.closed_early == 1)


async def test_direct_messages_in_quick_succession_are_answered_in_order(world: World) -> None:
    for number in range(6):
        await world.slack.post(ADA, "D0ADA", f"question {number}")
    await world.model.until(lambda model: len(model.requests) == 6)
    asked = [message["content"] for message in world.prompts()[-1] if message["role"] == "user"]
    assert [text.rpartition(" ")[2] for text in "\n\n".join(asked).split("\n\n")] == [str(n) for n in range(6)]
