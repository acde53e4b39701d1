"""A process killed between posting on Discord and storing the post, through the whole service."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.discord.views import DiscordPost
from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from tests.databases import SECRET, Place, place_of
from tests.process import KEY, ServeProcess, environment

WHOLE = "A whole answer."
BEGUN = Reply(chunks=("Begun ", *("and not ended " for _ in range(60))), chunk_delay=0.3)


class Killed:
    """A service whose process dies with a post that Discord has and no row owns; it comes back much later."""

    def __init__(self, discord: DiscordSimulator, model: MistralSimulator, serve: ServeProcess, place: Place) -> None:
        self.discord = discord
        self.model = model
        self.serve = serve
        self.place = place

    def posts(self) -> list[DiscordPost]:
        return [post for post in self.discord.messages("general") if post.author == self.discord.bot_id]

    async def answered(self, text: str, count: int) -> None:
        """Returns when so many posts of the bot stand there, one of them with that text, and nothing goes on."""

        def done() -> bool:
            posts = self.posts()
            at_rest = not any(post.buttons or post.thinking for post in posts)
            return len(posts) >= count and at_rest and any(text in post.content for post in posts)

        await self.discord.until(done, 30)

    async def kill_at_post(self, count: int) -> None:
        """Kills it when so many posts stand there, having kept from it that the last one was made."""
        rows = self.rows()
        self.discord.faults.commit_then_502_share = 1.0
        await self.discord.until(lambda: len(self.posts()) == count and self.posts()[-1].content)
        await self.serve.end(signal.SIGKILL)
        assert self.rows() == rows, "nothing owns the new post"
        self.discord.faults.commit_then_502_share = 0.0

    async def come_back_much_later(self) -> None:
        self.discord.faults.nonce_life = 0.0
        self.model.then(Reply(text=WHOLE))
        await self.serve.start()

    def rows(self) -> int:
        return int(self.place.rows("SELECT count(*) FROM post")[0][0])


@asynccontextmanager
async def serving(folder: Path, place: Place) -> AsyncIterator[Killed]:
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin = simulators.base_url
        env = environment(simulators, model, folder / "bise.db")
        serve = ServeProcess(env | {"DATABASE_URL": place.url, "BISE_SECRET_KEY": SECRET}, folder)
        await serve.start()
        try:
            yield Killed(simulators.discord, model, serve, place)
        finally:
            assert await serve.end() == 0, serve.log[-3000:]


@pytest.fixture
async def killed(tmp_path: Path, place: Place) -> AsyncIterator[Killed]:
    async with serving(tmp_path, place) as service:
        yield service


async def test_long_after_a_kill_between_posting_and_storing_there_is_no_second_post(killed: Killed) -> None:
    discord = killed.discord
    killed.model.then(Reply(text="An earlier answer."))
    await discord.post("Grace", "general", f"<@{discord.bot_id}> before")
    await killed.answered("An earlier answer.", 1)
    killed.model.then(BEGUN)
    asked = await discord.post("Ada", "general", f"<@{discord.bot_id}> hello")
    await killed.kill_at_post(2)
    orphan = killed.posts()[-1]
    discord.add_person("Robo")
    beside = await discord.post("Robo", "general", "Begun", reply_to=asked)
    await killed.come_back_much_later()
    await killed.answered(WHOLE, 2)
    assert [post.content for post in killed.posts()] == ["An earlier answer.", WHOLE]
    assert killed.posts()[-1].id == orphan.id
    assert [post.content for post in discord.messages("general") if post.id == beside] == ["Begun"]
    assert killed.rows() == 2


async def test_an_answer_to_a_command_is_found_again_when_its_token_is_spent(tmp_path: Path) -> None:
    with place_of("sqlite", tmp_path) as place:
        async with serving(tmp_path, place) as killed:
            discord = killed.discord
            killed.model.then(BEGUN)
            discord.faults.commit_then_502_share = 1.0  # Discord never says which message its response is
            await discord.command("Ada", "general", "ask", {"prompt": "hello"})
            await killed.kill_at_post(1)
            discord.faults.token_life = 0.0
            await killed.come_back_much_later()
            await killed.answered(WHOLE, 1)
            (post,) = killed.posts()
            assert post.content == f"> hello\n{WHOLE}"
            assert killed.rows() == 1
