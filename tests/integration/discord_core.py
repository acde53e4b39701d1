"""A core of a few lines, as the Discord adapter is promised one, for tests that drive the real adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.adapter import DiscordAdapter
from bots.discord.shards import AllShards
from bots.playground.discord.simulator import DiscordSimulator
from bots.writer import UNFENCED
from core.errors import StoreUnavailable
from core.messages import (
    Accepted,
    AcceptOutcome,
    Answer,
    ConversationKind,
    IncomingMessage,
    Notice,
    Post,
    Press,
    Pressed,
    ReplyOrder,
    Tokens,
    WorkspaceKey,
)
from core.ports import Lease, Reply
from core.reports.figures import UsageView
from core.settings import Settings
from core.store.shards import Pace
from tests.fake_choices import choices_of_nobody

Script = Callable[[Reply, IncomingMessage], Awaitable[None]]
AGAIN = 100  # the turn of a question that is asked again


@dataclass
class Log:
    """A PostLog in memory: ordinal → (id, start)."""

    posts: dict[int, tuple[str, int]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)
    lease: Lease = UNFENCED

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        assert ordinal not in self.posts, "a post is stored once"
        self.posts[ordinal] = (platform_id, start)

    async def close(self, ordinal: int) -> None:
        self.closed.add(ordinal)

    async def drop(self, ordinal: int) -> None:
        del self.posts[ordinal]

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        return frozenset(platform_ids) & {post for post, _ in self.posts.values()}


async def echo(reply: Reply, message: IncomingMessage) -> None:
    """The model of these tests."""
    for word in ("You ", "said: ", message.text):
        reply.write(word)
    await reply.finish(Answer(f"You said: {message.text}"))


class FakeCore:
    """What the adapter is promised of a core: messages by key, a turn for those that address the bot."""

    def __init__(self, script: Script = echo) -> None:
        self.adapter: DiscordAdapter | None = None
        self.choices = choices_of_nobody()
        self.script = script
        self.heard: list[IncomingMessage] = []
        self.logs: list[Log] = []
        self.presses: list[Press] = []
        self.resets: list[tuple[WorkspaceKey, str, str | None]] = []
        self.failures: list[Exception] = []
        self.down = False
        self.slow = 0.0
        self.slow_press = 0.0
        self.outcomes: dict[str, AcceptOutcome] = {}  # by text, instead of a turn
        self.free = asyncio.Event()  # no turn begins before it is set
        self.free.set()
        self.refused: set[str] = set()  # controls that are not of those who press them
        self.asks_again = False  # whether a press is one of "Ask again", for the newest question
        self._keys: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def accept(self, message: IncomingMessage) -> Accepted:
        await asyncio.sleep(self.slow)
        if self.down:
            raise StoreUnavailable("locked")
        if message.source_id in self._keys:
            return Accepted("duplicate")
        if message.text in self.outcomes:
            return Accepted(self.outcomes[message.text])
        self._keys.add(message.source_id)
        self.heard.append(message)
        if not (message.mentioned or message.kind is ConversationKind.DM):
            return Accepted("context")
        self._tasks.append(asyncio.create_task(self._run(len(self.heard), message)))
        return Accepted("turn", len(self.heard))

    async def _run(self, turn: int, message: IncomingMessage) -> None:
        await self.free.wait()
        reply = self.open(order_of(message, turn))
        try:
            await self.script(reply, message)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.failures.append(error)

    def open(self, order: ReplyOrder) -> Reply:
        assert self.adapter is not None
        self.logs.append(Log({post.ordinal: (post.platform_id, post.start) for post in order.posts}))
        return self.adapter.reply(order, self.logs[-1])

    async def press(self, press: Press) -> Pressed:
        await asyncio.sleep(self.slow_press)
        self.presses.append(press)
        if press.control in self.refused:
            return Pressed(False, Notice("control_not_yours"))
        if not self.asks_again:
            return Pressed(True)
        again = replace(self.heard[-1], address={**self.heard[-1].address, **press.address})
        self._tasks.append(asyncio.create_task(self._run(AGAIN, again)))
        return Pressed(True, turn=AGAIN)

    async def usage_today_and_month(self, workspace: WorkspaceKey, person: str | None) -> UsageView:
        if self.down:
            raise StoreUnavailable("locked")
        return UsageView(Tokens(calls=2, cost_microusd=20_000), Tokens(calls=41, cost_microusd=810_000), Tokens())

    async def reset(self, workspace: WorkspaceKey, channel: str, root: str | None = None) -> bool:
        self.resets.append((workspace, channel, root))
        return True

    async def drop(self) -> None:
        """Runs no turn that has not begun."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settle(self) -> None:
        await asyncio.gather(*self._tasks)


def order_of(message: IncomingMessage, turn: int, posts: tuple[Post, ...] = ()) -> ReplyOrder:
    return ReplyOrder(
        turn=turn,
        attempt=1,
        workspace=message.workspace,
        kind=message.kind,
        channel=message.channel,
        root=message.root or message.source_id,
        asker=message.author.id,
        question=message.source_id,
        asked=message.text,
        address=message.address,
        stop=f"control-{turn}",
        posts=posts,
    )


@dataclass
class Scene:
    discord: DiscordSimulator
    core: FakeCore
    adapter: DiscordAdapter
    settings: Settings

    @property
    def mention(self) -> str:
        return f"<@{self.discord.bot_id}>"

    def bots_posts(self, channel: str) -> list:
        return [post for post in self.discord.messages(channel) if post.author == self.discord.bot_id]

    async def answered(self, channel: str, count: int = 1) -> list:
        """The bot's posts, once there are so many and none has a button any more."""

        def done() -> bool:
            posts = self.bots_posts(channel)
            return len(posts) >= count and not any(post.buttons or post.thinking for post in posts)

        await self.discord.until(done)
        assert self.core.failures == []
        await self.core.settle()
        return self.bots_posts(channel)


@asynccontextmanager
async def simulated() -> AsyncIterator[DiscordSimulator]:
    """A simulated Discord on loopback; discord.py is turned back to the real one afterwards."""
    base, gateway = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    simulator = DiscordSimulator()
    app = web.Application()
    simulator.mount(app)
    async with served(app) as url:
        simulator.base_url = url
        yield simulator
    Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = base, gateway


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """The address at which the application answers."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


def settings_for(discord: DiscordSimulator, **more: str) -> Settings:
    return Settings.read(
        {
            "DISCORD_TOKEN": discord.token,
            "DISCORD_API_URL": discord.api_url,
            "MISTRAL_API_KEY": "unused",
            **more,
        },
        env_file=None,
    )


@asynccontextmanager
async def running(discord: DiscordSimulator, script: Script = echo, **more: str) -> AsyncIterator[Scene]:
    core = FakeCore(script)
    settings = settings_for(discord, **more)
    adapter = DiscordAdapter(settings, core, shards=AllShards(Pace(identify=0.05)))  # type: ignore[arg-type]
    core.adapter = adapter
    try:
        await adapter.start()
        yield Scene(discord, core, adapter, settings)
    finally:
        await adapter.close()
