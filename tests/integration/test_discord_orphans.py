"""What a dead process posted on Discord and never wrote down, against the simulator after its nonces expired."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from bots.discord.controls import stop_row
from bots.discord.places import ChannelPlace, InteractionPlace, Place
from bots.discord.rest import Rest
from bots.playground.discord.simulator import DiscordSimulator
from core.messages import Answer, Post, ReplyOrder
from tests.integration.discord_core import Log, Scene, order_of, running, simulated
from tests.world import soon

WHOLE = "A whole answer."
LONG = "word " * 500  # two posts


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with simulated() as simulator:
        simulator.faults.nonce_life = 0.0
        yield simulator


@dataclass
class OthersLog(Log):
    """A log in a workspace with other posts: `others` are their ids."""

    others: frozenset[str] = frozenset()

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return await super().owned(platform_ids) | (self.others & frozenset(platform_ids))


@dataclass
class Dead:
    """A process that is no more: what it posted stands in `place`, and its turn waits to be gone on with."""

    scene: Scene
    order: ReplyOrder
    place: Place

    async def posted(self, number: int, content: str = "Begun", *, button: bool = True) -> str:
        components = stop_row(self.order.stop) if button else []
        return (await self.place.send(content, components, f"{self.order.turn}.{number}")).post

    async def gone_on(self, answer: str, *known: str, others: Collection[str] = (), over: bool = False) -> Log:
        """The next attempt's whole answer. `known`: the posts that have a row. `over`: long afterwards."""
        posts = tuple(Post(number, post, 0, closed=False) for number, post in enumerate(known))
        address = {**self.order.address} | ({"until": "0"} if over else {})
        log = OthersLog({post.ordinal: (post.platform_id, 0) for post in posts}, others=frozenset(others))
        order = replace(self.order, attempt=2, posts=posts, address=address)
        await self.scene.adapter.reply(order, log).finish(Answer(answer))
        return log


@asynccontextmanager
async def died(discord: DiscordSimulator, **command: object) -> AsyncIterator[Dead]:
    """After Ada asked by a mention in #general, or by `/ask` with these options."""
    async with running(discord) as scene, Rest(discord.token, discord.api_url) as rest:
        scene.core.free.clear()
        if command:
            asked = await discord.command("Ada", "general", "ask", command)
            await discord.until(lambda: asked.deferred)
        else:
            await discord.post("Ada", "general", f"{scene.mention} go")
        await soon(lambda: scene.core.heard)
        order = order_of(scene.core.heard[0], 1)
        place: Place = ChannelPlace(rest, order.channel, order.address.get("message"))
        if command:
            place = InteractionPlace(rest, order.address, ChannelPlace(rest, order.channel), None)
        yield Dead(scene, order, place)
        await scene.core.drop()


def shown(dead: Dead) -> list[str]:
    return [post.content for post in dead.scene.bots_posts("general")]


def looks(discord: DiscordSimulator) -> int:
    return sum(call.method == "GET" and "/messages" in call.path for call in discord.calls)


@pytest.mark.parametrize("button", [True, False])
async def test_a_reply_that_nobody_wrote_down_gets_the_answer(discord: DiscordSimulator, button: bool) -> None:
    async with died(discord) as dead:
        post = await dead.posted(0, button=button)
        log = await dead.gone_on(WHOLE)
        assert shown(dead) == [WHOLE]
        assert not dead.scene.bots_posts("general")[0].buttons
        assert log.posts == {0: (post, 0)}
        assert log.closed == {0}
        assert looks(discord) == 1


async def test_a_further_post_that_nobody_wrote_down_is_gone_on_in(discord: DiscordSimulator) -> None:
    async with died(discord) as dead:
        first, second = await dead.posted(0), await dead.posted(1)
        log = await dead.gone_on(LONG, first)
        assert [post.id for post in dead.scene.bots_posts("general")] == [first, second]
        assert " ".join(shown(dead)).split() == LONG.split()
        assert log.posts[1][0] == second


async def test_posts_of_others_and_posts_with_a_row_are_not_taken(discord: DiscordSimulator) -> None:
    async with died(discord) as dead:
        discord.add_person("Robo")
        await discord.post("Robo", "general", WHOLE, reply_to=dead.order.question)
        owned = await dead.posted(0, "Asked before")
        await dead.gone_on(WHOLE, others={owned})
        assert shown(dead) == ["Asked before", WHOLE]
        assert [post.content for post in discord.messages("general")][1:] == [WHOLE, "Asked before", WHOLE]


async def test_a_public_response_is_found_in_its_channel_when_its_token_is_spent(discord: DiscordSimulator) -> None:
    async with died(discord, prompt="go") as dead:
        await dead.posted(0)
        log = await dead.gone_on(WHOLE, over=True)
        (post,) = dead.scene.bots_posts("general")
        assert post.content == f"> go\n{WHOLE}"
        assert log.posts == {0: (post.id, 0)}


@pytest.mark.parametrize("over", [False, True])
async def test_a_public_follow_up_is_found_in_its_channel(discord: DiscordSimulator, over: bool) -> None:
    async with died(discord, prompt="go") as dead:
        first, second = await dead.posted(0), await dead.posted(1)
        await dead.gone_on(LONG, first, over=over)
        assert [post.id for post in dead.scene.bots_posts("general")] == [first, second]
        assert " ".join(shown(dead)).split() == [">", "go", *LONG.split()]


async def test_a_private_response_is_written_over_without_a_look(discord: DiscordSimulator) -> None:
    async with died(discord, prompt="go", private=True) as dead:
        await dead.posted(0)
        await dead.gone_on(WHOLE)
        assert shown(dead) == [WHOLE]
        assert looks(discord) == 0


async def test_an_answer_at_its_first_attempt_reads_no_channel(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        await scene.answered("general")
        assert looks(discord) == 0
