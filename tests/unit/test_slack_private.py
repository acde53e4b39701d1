"""A private answer in Slack under a lease: it has a few uses of an address, and no posts that can be found again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bots.slack.private import PrivateReply
from bots.slack.workspace import SlackWorkspace
from core.messages import Answer, ConversationKind, ReplyOrder, WorkspaceKey
from core.ports import TurnLost
from core.turns.lease import TurnLease
from tests.fakes import ManualClock

HERE = WorkspaceKey("slack", "T1")


@dataclass
class Receiver:
    """The `response_url` of a command: what was sent there, in order; `slow` holds each answer back."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    slow: asyncio.Event | None = None

    async def receive(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        if self.slow is not None:
            await self.slow.wait()
        return web.Response(text="ok")

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]


@dataclass
class Scene:
    receiver: Receiver
    clock: ManualClock
    lease: TurnLease
    reply: PrivateReply


@pytest.fixture
async def scene() -> Any:
    receiver, clock = Receiver(), ManualClock()
    app = web.Application()
    app.router.add_post("/", receiver.receive)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        address = {"response_url": str(server.make_url("/"))}
        order = ReplyOrder(7, 1, HERE, ConversationKind.PRIVATE, "C1", "1", "U1", "C1:1", address, "stop-7")
        lease = TurnLease(7, 1, 6.0, clock)
        workspace = cast("SlackWorkspace", SimpleNamespace(session=session))
        yield Scene(receiver, clock, lease, PrivateReply(order, workspace, lease, pauses=(0.0, 0.0)))


async def said(scene: Scene, times: int) -> None:
    async with asyncio.timeout(5):
        while len(scene.receiver.bodies) < times:
            await asyncio.sleep(0.005)


async def test_nothing_is_shown_without_the_lease_and_the_answer_once_it_is_held_again(scene: Scene) -> None:
    await said(scene, 1)
    scene.clock.advance(7)
    scene.reply.write("A cold wind. And more.")
    finishing = asyncio.create_task(scene.reply.finish(Answer("A cold wind.")))
    await asyncio.sleep(0.05)
    assert len(scene.receiver.bodies) == 1
    scene.lease.lengthen(scene.clock.monotonic() + 6)
    await finishing
    assert scene.receiver.texts[1:] == ["A cold wind."]


async def test_a_lost_turn_is_not_finished(scene: Scene) -> None:
    await said(scene, 1)
    scene.lease.lose()
    with pytest.raises(TurnLost):
        await scene.reply.finish(Answer("A cold wind."))
    assert len(scene.receiver.bodies) == 1


async def test_a_call_that_outlasts_the_lease_is_known_to_have_come_late(scene: Scene) -> None:
    scene.receiver.slow = asyncio.Event()
    await said(scene, 1)
    scene.clock.advance(7)
    scene.receiver.slow.set()
    await scene.reply.abandon()
    assert scene.lease.overran


async def test_only_the_first_post_is_written_again(scene: Scene) -> None:
    await said(scene, 1)
    await scene.reply.abandon()
    await scene.reply.again(Answer("word " * 3000), ())
    assert len(scene.receiver.bodies) == 2
    assert scene.receiver.bodies[1]["replace_original"] is True
