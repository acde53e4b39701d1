"""`bise serve --roles`: receiving and answering by different processes on one PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bots.playground.mistral.replies import Reply
from bots.playground.slack import SlackPost
from bots.serve import Service, checked
from core.errors import SchemaOutdated, SettingsError, WrongUse
from core.settings import Settings
from tests.databases import place_of
from tests.postgres import execute
from tests.world import World, running, soon

GENERAL = "C0GENERAL"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Simulated platforms and a database in PostgreSQL, with nothing running yet."""
    with place_of("postgres", tmp_path) as place:
        async with running(tmp_path, start=False, place=place) as whole:
            yield whole


class Services:
    """Services of some roles, stopped at the end in the order in which they were begun."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Services:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def begin(self, *roles: str, patience: float = 1.0) -> Service:
        service = Service(self._settings, roles, patience)
        await service.start()
        self._stack.push_async_callback(service.stop)
        await service.ready.wait()
        return service


def answers(world: World, root: str) -> list[SlackPost]:
    return [post for post in world.slack.messages(GENERAL, root) if post.bot_id]


async def ask(world: World, words: str) -> str:
    return await world.slack.post("U0ADA", GENERAL, f"<@{world.slack.bot_user_id}> {words}")


def shown(world: World, root: str, words: str) -> bool:
    posts = answers(world, root)
    return len(posts) == 1 and not posts[0].streaming and words in posts[0].shown


def said_in_discord(world: World) -> str:
    discord = world.discord
    posts = discord.messages(discord.channel_id("general"))
    return "\n".join(post.content for post in posts if post.author == discord.bot_id)


async def test_what_one_process_hears_another_answers(world: World) -> None:
    async with Services(world.settings) as services:
        ingress = await services.begin("slack", "discord")
        root = await ask(world, "What is a bise?")
        await soon(lambda: world.slack.status(GENERAL, root) is not None or answers(world, root) != [], 5)
        assert not world.model.requests
        worker = await services.begin("worker")
        await world.slack.until(lambda: shown(world, root, "What is a bise?"))
        second = await ask(world, "And a foehn?")
        await world.slack.until(lambda: shown(world, second, "And a foehn?"))
        await world.discord.post(
            world.discord.person_id("Ada"),
            world.discord.channel_id("general"),
            f"<@{world.discord.bot_id}> And a mistral?",
        )
        await world.discord.until(lambda: "And a mistral?" in said_in_discord(world))
        assert "bise_turns_total" in worker.core.metrics.text().decode()
        assert 'outcome="done"' not in ingress.core.metrics.text().decode()


async def test_an_answer_that_a_leaving_worker_began_is_ended_by_the_next_in_its_post(world: World) -> None:
    async with Services(world.settings) as services:
        await services.begin("slack")
        leaving = await services.begin("worker", patience=0.0)
        world.model.then(Reply(chunks=("Begun ", *(["and going on "] * 400)), chunk_delay=0.05))
        root = await ask(world, "A long one")
        await world.slack.until(lambda: bool(answers(world, root)))
        await leaving.stop()
        world.model.then(Reply(text="A whole answer, by the next."))
        await services.begin("worker")
        await world.slack.until(lambda: shown(world, root, "A whole answer, by the next."))


@pytest.mark.parametrize(
    ("roles", "told"),
    [(("worker", "wroker"), "'wroker' is not a role"), ((), "names none"), (("slack",), "must name worker")],
)
def test_roles_that_sqlite_cannot_serve_are_refused_in_one_line(roles: Sequence[str], told: str) -> None:
    with pytest.raises(WrongUse, match=told):
        checked(roles, shared=False)


@pytest.mark.parametrize("roles", [("slack",), ("discord", "web"), ("worker",), ("reports",), ("web",)])
def test_on_postgresql_any_role_can_be_a_process(roles: Sequence[str]) -> None:
    assert checked(roles, shared=True) == set(roles)


async def test_a_process_for_the_web_alone_needs_no_platform(world: World) -> None:
    bare = world.settings.model_copy(update={"slack_bot_token": None, "slack_app_token": None, "discord_token": None})
    async with Services(bare) as services:
        await services.begin("web")
    with pytest.raises(SettingsError, match="No chat platform"):
        await Service(bare, ("worker",)).start()


async def test_serve_refuses_tables_of_the_queue_that_are_older_than_its_library(world: World) -> None:
    execute(
        world.settings.database_url,
        "DELETE FROM procrastinate_script WHERE name = (SELECT max(name) FROM procrastinate_script)",
    )
    with pytest.raises(SchemaOutdated, match="bise migrate"):
        await Service(world.settings, ("slack",)).start()
