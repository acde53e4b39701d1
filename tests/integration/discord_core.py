"""A core of a few lines, as the Discord adapter is promised one, for tests that drive the real adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bots.discord.adapter import DiscordAdapter
from core.errors import StoreUnavailable
from core.messages import (
    Accepted,
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
from core.ports import Reply
from core.reports.figures import UsageView

Script = Callable[[Reply, IncomingMessage], Awaitable[None]]


@dataclass
class Log:
    """A PostLog in memory: ordinal → (id, start)."""

    posts: dict[int, tuple[str, int]] = field(default_factory=dict)
    closed: set[int] = field(default_factory=set)

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        assert ordinal not in self.posts, "a post is stored once"
        self.posts[ordinal] = (platform_id, start)

    async def close(self, ordinal: int) -> None:
        self.closed.add(ordinal)

    async def drop(self, ordinal: int) -> None:
        del self.posts[ordinal]


async def echo(reply: Reply, message: IncomingMessage) -> None:
    """The model of these tests."""
    for word in ("You ", "said: ", message.text):
        reply.write(word)
    await reply.finish(Answer(f"You said: {message.text}"))


class FakeCore:
    """What the adapter is promised of a core: messages by key, a turn for those that address the bot."""

    def __init__(self, script: Script = echo) -> None:
        self.adapter: DiscordAdapter | None = None
        self.script = script
        self.heard: list[IncomingMessage] = []
        self.logs: list[Log] = []
        self.presses: list[Press] = []
        self.resets: list[tuple[WorkspaceKey, str, str | None]] = []
        self.failures: list[Exception] = []
        self.down = False
        self.slow = 0.0
        self._keys: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    async def accept(self, message: IncomingMessage) -> Accepted:
        await asyncio.sleep(self.slow)
        if self.down:
            raise StoreUnavailable("locked")
        if message.source_id in self._keys:
            return Accepted("duplicate")
        self._keys.add(message.source_id)
        self.heard.append(message)
        if not (message.mentioned or message.kind is ConversationKind.DM):
            return Accepted("context")
        self._tasks.append(asyncio.create_task(self._run(len(self.heard), message)))
        return Accepted("turn", len(self.heard))

    async def _run(self, turn: int, message: IncomingMessage) -> None:
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
        self.presses.append(press)
        return Pressed(False, Notice("control_not_yours")) if press.control == "other" else Pressed(True)

    async def usage_today_and_month(self, workspace: WorkspaceKey, person: str | None) -> UsageView:
        if self.down:
            raise StoreUnavailable("locked")
        return UsageView(Tokens(calls=2, cost_microusd=20_000), Tokens(calls=41, cost_microusd=810_000), Tokens())

    async def reset(self, workspace: WorkspaceKey, channel: str, root: str | None = None) -> bool:
        self.resets.append((workspace, channel, root))
        return True

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
