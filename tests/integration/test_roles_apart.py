"""One process receives, another one answers: workers write without a gateway or a socket, over one PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack.simulator import SlackSimulator
from bots.serve import Service
from core.settings import Settings
from tests.bench.twins import Tally, ask
from tests.databases import Place, place_of
from tests.world import KEY, soon


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Place]:
    """A PostgreSQL."""
    with place_of("postgres", tmp_path) as place:
        yield place


@dataclass
class Apart:
    slack: SlackSimulator
    discord: DiscordSimulator
    model: MistralSimulator
    settings: Settings
    stack: AsyncExitStack

    async def run(self, *roles: str) -> Service:
        """A service with these roles, until the test ends."""
        service = Service(self.settings, roles, patience=0.0)
        await service.start()
        self.stack.push_async_callback(service.stop)
        await soon(service.ready.is_set)
        return service

    def bots_posts(self, channel: str) -> list[str]:
        return [post.content for post in self.discord.messages(channel) if post.author == self.discord.bot_id]


@asynccontextmanager
async def apart(place: Place) -> AsyncIterator[Apart]:
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators, AsyncExitStack() as stack:
        model.origin = simulators.base_url
        base = Settings.read({"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": model.base_url}, None)
        quick = {"user_turns_per_minute": None, "workspace_turns_per_minute": None}  # as tests are
        settings = simulators.settings(base, place.folder / "unused.db").model_copy(update=place.fields | quick)
        yield Apart(simulators.slack, simulators.discord, model, settings, stack)


ADA, GENERAL = "U0ADA", "C0GENERAL"


async def test_a_worker_without_a_socket_answers_in_slack(shared: Place) -> None:
    async with apart(shared) as world:
        await world.run("slack")
        await world.run("worker")
        assert world.slack.sockets == 1, "the worker has none"
        ts = await world.slack.post(ADA, GENERAL, "<@U0BISE> hi")
        await soon(lambda: [post.user for post in world.slack.messages(GENERAL, ts)][1:] == ["U0BISE"])
        await soon(lambda: shared.rows("SELECT state FROM turn") == [("done",)])
        assert world.slack.status(GENERAL, ts) is None


async def test_the_ingress_gives_the_sign_of_life_while_no_worker_is_there(shared: Place) -> None:
    async with apart(shared) as world:
        await world.run("slack", "discord")
        ts = await world.slack.post(ADA, GENERAL, "<@U0BISE> hi")
        await world.discord.post("Ada", "general", f"<@{world.discord.bot_id}> hello")
        asked = await world.discord.command("Ada", "general", "ask", {"prompt": "why?"})
        await soon(lambda: world.slack.status(GENERAL, ts) is not None, 1.0)
        await soon(lambda: world.discord.typing("general") and asked.deferred, 1.0)
        await world.run("worker")
        await soon(lambda: shared.rows("SELECT DISTINCT state FROM turn") == [("done",)])
        assert len(world.slack.messages(GENERAL, ts)) == 2
        assert sorted(world.bots_posts("general")) == ["> why?\nYou said: Ada: why?", "You said: Ada: hello"]
        assert world.slack.status(GENERAL, ts) is None
        assert world.discord.gateway.identifies == 1, "the worker has no gateway"


async def test_a_private_answer_in_slack_is_written_by_a_worker(shared: Place) -> None:
    async with apart(shared) as world:
        await world.run("slack")
        await world.run("worker")
        await world.slack.command(ADA, GENERAL, "/bise", "ask in private")
        await soon(lambda: [post.shown for post in world.slack.ephemerals(ADA)][-1:] == ["You said: in private"])


async def test_an_ask_whose_token_died_is_answered_by_the_bot_itself(shared: Place) -> None:
    async with apart(shared) as world:
        world.model.then(Reply(chunks=("One ", "two ", "three."), chunk_delay=0.6))
        await world.run("discord")
        await world.run("worker")
        asked = await world.discord.command("Ada", "general", "ask", {"prompt": "count"})
        await soon(lambda: asked.posts and "One" in asked.posts[0].content)
        world.discord.faults.token_life = 0.0
        await soon(lambda: world.bots_posts("general") == ["> count\nOne two three."])
        assert any(call.method == "PATCH" and "/channels/" in call.path for call in world.discord.calls)


async def test_a_private_ask_is_answered_by_its_token_alone(shared: Place) -> None:
    async with apart(shared) as world:
        await world.run("discord")
        await world.run("worker")
        asked = await world.discord.command("Ada", "general", "ask", {"prompt": "psst", "private": True})
        await soon(lambda: [post.content for post in asked.posts] == ["You said: psst"])
        assert asked.posts[0].only_for
        world.model.then(Reply(text="Too late.", delay_first=0.5))
        asked = await world.discord.command("Ada", "general", "ask", {"prompt": "again", "private": True})
        await soon(lambda: asked.deferred)
        world.discord.faults.token_life = 0.0
        await soon(lambda: any("in time" in post.content for post in world.discord.messages("Ada")))
        assert not any("Too late" in content for content in world.bots_posts("general"))


async def test_a_worker_that_is_quicker_than_the_deferral_waits_for_it(shared: Place) -> None:
    async with apart(shared) as world:
        world.discord.faults.webhook_unknown_for = 0.7
        await world.run("discord")
        await world.run("worker")
        asked = await world.discord.command("Ada", "general", "ask", {"prompt": "quick"})
        await soon(lambda: [post.content for post in asked.posts] == ["> quick\nYou said: Ada: quick"])
        assert len(world.bots_posts("general")) == 1


async def test_a_worker_goes_on_in_the_posts_that_another_process_began(shared: Place) -> None:
    async with apart(shared) as world:
        world.model.then(Reply(chunks=("One ", "two ", "three."), chunk_delay=3.0), Reply(text="One two three."))
        everything = await world.run("slack", "discord", "worker")
        ts = await world.slack.post(ADA, GENERAL, "<@U0BISE> count")
        await soon(lambda: len(world.slack.messages(GENERAL, ts)) == 2)
        await everything.stop()
        await world.run("worker")
        await soon(lambda: shared.rows("SELECT state FROM turn") == [("done",)])
        assert [post.shown for post in world.slack.messages(GENERAL, ts)[1:]] == ["One two three."]


async def test_two_processes_on_one_slack_and_one_discord_answer_each_twin_once(shared: Place) -> None:
    async with apart(shared) as world:
        await world.run("slack", "discord", "worker")
        await world.run("slack", "discord", "worker")
        assert world.slack.sockets == 2, "events are spread over both"
        tally = await ask(world.slack, world.discord, world.model, 30)
    assert tally == Tally(30, lost=0, doubled=0)
