"""Presses of "Ask again" that take longer than Discord would wait."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.messages import Answer, IncomingMessage, Notice
from core.ports import Reply
from tests.integration.discord_core import Scene, running, simulated

SLOW = 1.7  # seconds: a press is acknowledged before its outcome is known
BUTTON = "bise:again:again-1"


class FailsFirst:
    """The first answer could not be had, the next is "At last."."""

    def __init__(self) -> None:
        self.failed = False

    async def __call__(self, reply: Reply, message: IncomingMessage) -> None:
        if self.failed:
            await reply.finish(Answer("At last."))
        else:
            self.failed = True
            await reply.finish(Answer("", "failed", (Notice("model_given_up"),), again="again-1"))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with simulated() as discord, running(discord, FailsFirst()) as made:
        made.core.asks_again, made.core.slow_press = True, SLOW
        yield made


async def failed(scene: Scene) -> str:
    """The id of the post with the button, once it is there."""
    await scene.discord.until(lambda: any(post.buttons for post in scene.bots_posts("general")))
    (post,) = scene.bots_posts("general")
    assert post.buttons == {BUTTON: "Ask again"}
    return post.id


async def test_a_slow_press_below_a_reply_takes_the_button_away_when_it_is_stored(scene: Scene) -> None:
    await scene.discord.post("Ada", "general", f"{scene.mention} go")
    press = await scene.discord.press("Ada", "general", await failed(scene), BUTTON)
    stays, answer = await scene.answered("general", 2)
    assert press.deferred
    assert answer.content == "At last."
    assert "cannot be reached" in stays.content
    assert scene.core.presses[0].control == "again-1"
    assert scene.core.presses[0].address == {}


async def test_a_slow_press_below_a_commands_answer_shows_that_it_is_thinking(scene: Scene) -> None:
    await scene.discord.command("Ada", "general", "ask", {"prompt": "go"})
    press = await scene.discord.press("Ada", "general", await failed(scene), BUTTON)
    await scene.discord.until(lambda: press.post is not None and press.post.thinking)
    _, answer = await scene.answered("general", 2)
    assert answer.content.endswith("At last.")
    assert scene.core.presses[0].address["token"] == press.token


async def test_a_slow_press_that_is_refused_leaves_the_sentence_and_the_button(scene: Scene) -> None:
    scene.core.refused.add("again-1")
    await scene.discord.command("Ada", "general", "ask", {"prompt": "go"})
    press = await scene.discord.press("Grace", "general", await failed(scene), BUTTON)
    await scene.discord.until(lambda: press.post is not None and not press.post.thinking)
    assert press.post is not None
    assert "Only the person who asked" in press.post.content
    assert scene.bots_posts("general")[0].buttons
