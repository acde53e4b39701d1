"""A world whose clock can be turned back, so that people write while the bot is away and long ago."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bots.playground.discord.views import DiscordPost
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack.posts import SlackPost
from core.settings import Settings
from tests.databases import Place
from tests.world import KEY, World

GENERAL, RANDOM, ADA, GRACE = "C0GENERAL", "C0RANDOM", "U0ADA", "U0GRACE"
MISSED = "I was away"
HOUR = 3600.0


class Clock:
    """Epoch seconds for both platforms; the service itself has the real time."""

    def __init__(self) -> None:
        self.back = 0.0

    def __call__(self) -> float:
        return time.time() - self.back


class Missing(World):
    """A world with the platforms' clock in hand."""

    clock: Clock

    async def ask_slack(self, text: str, *, user: str = ADA, channel: str = GENERAL, thread: str | None = None) -> str:
        return await self.slack.post(user, channel, f"<@{self.slack.bot_user_id}> {text}", thread_ts=thread)

    async def ask_discord(self, text: str, *, user: str = "Ada", channel: str = "general") -> str:
        return await self.discord.post(user, channel, f"<@{self.discord.bot_id}> {text}")

    def asked(self) -> list[str]:
        """What the model was asked, each prompt's last words."""
        return [str(prompt[-1]["content"]).rpartition(": ")[2] for prompt in self.prompts()]

    def slack_notices(self, channel: str = GENERAL) -> list[SlackPost]:
        return [post for post in self.slack.messages(channel) if post.bot_id and MISSED in post.shown]

    def discord_notices(self, channel: str = "general") -> list[DiscordPost]:
        ours = [post for post in self.discord.messages(channel) if post.author == self.discord.bot_id]
        return [post for post in ours if MISSED in post.content]

    def stored(self) -> list[str]:
        """The words of people that the database has."""
        return [row[0] for row in self.place.rows("SELECT text FROM message WHERE role <> 'assistant' ORDER BY id")]

    async def heard_once(self) -> None:
        """The bot has been asked on both platforms, in a channel each, and its marks are written down."""
        self.root = await self.ask_slack("hello")
        await self.ask_discord("hello")
        await self.quiet(2)

    async def quiet(self, asked: int) -> None:
        """So many questions were put to the model, and nothing runs."""
        await self.model.until(lambda model: len(model.requests) >= asked, 15)
        await self.idle(15)


@asynccontextmanager
async def missing(place: Place, *, start: bool = True) -> AsyncIterator[Missing]:
    """Both platforms and the service at a place."""
    clock = Clock()
    simulators, model = Simulators(clock=clock), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin = simulators.base_url
        base = Settings.read(
            {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": model.base_url, "BISE_LOG_FORMAT": "json"}, None
        )
        settings = simulators.settings(base, place.folder / "bise.db").model_copy(update=place.fields)
        world = Missing(simulators, model, settings, place)
        world.clock = clock
        world.discord.faults.rate_limits = False
        if start:
            await world.start()
        try:
            yield world
        finally:
            if hasattr(world, "service"):
                await world.stop()
