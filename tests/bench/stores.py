"""Databases to measure on, both kinds and both durable, and cores in this process that answer at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import structlog

from core.chat import ChatRequest, Delta, Finish, TextDelta, Usage
from core.messages import IncomingMessage, Person, ReplyOrder
from core.ports import PostLog
from core.service import Core, open_core
from core.store.database import SQLITE
from tests import fakes, postgres
from tests.bench.stage import Ground
from tests.databases import Place

KINDS = ("SQLite", "PostgreSQL")
_UNLIMITED = {"user_turns_per_minute": None, "workspace_turns_per_minute": None, "monthly_budget": None}


class InstantModel:
    """Answers every request at once."""

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        yield TextDelta("Yes.")
        yield Finish("stop", Usage(100, 2), request.model, None)


class QuickPlatform(fakes.FakePlatform):
    """Shows answers at once, and forgets them."""

    def reply(self, order: ReplyOrder, posts: PostLog) -> fakes.FakeReply:
        self.replies.clear()
        return super().reply(order, posts)


@contextmanager
def store(kind: str, ground: Ground) -> Iterator[Place]:
    """A new database; what was committed there survives the loss of power, as it does where Bise is used."""
    folder = ground.next_folder()
    folder.mkdir()
    if kind == "SQLite":
        shutil.copy(ground.empty, folder / "bise.db")
        yield Place(folder, f"{SQLITE}{folder / 'bise.db'}")
        return
    with postgres.PostgresServer.make(durable=True) as server, server.database() as url:
        yield Place(folder, url)


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing is logged: it would be measured."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.reset_defaults()


@asynccontextmanager
async def core_at(
    place: Place, *, started: bool, shared: bool = False, platform: fakes.FakePlatform | None = None
) -> AsyncIterator[Core]:
    """A core in this process; `started`: it runs turns. `shared`: through the queue of several processes."""
    settings = place.settings(model="mistral-large-2512", max_concurrent_turns=50, **_UNLIMITED)
    core = open_core(settings, model=InstantModel(), shared=shared)
    core.attach(platform or QuickPlatform())
    try:
        if started:
            await core.start()
        yield core
    finally:
        await core.stop(0.0)
        await core.close()


def question(number: int, *, place: int = 0, root: int | None = None) -> IncomingMessage:
    """A mention, in one of many channels; `root`: the number of the message whose thread it is in."""
    channel = f"C{place}"
    return fakes.message(
        "What is a bise, and where does it come from?",
        str(number),
        source_id=f"{channel}:{number}",
        channel=channel,
        root=f"{channel}:{number if root is None else root}",
        author=Person(f"U{place}", f"Person {place}"),
    )


def load() -> str:
    """How busy the machine was, to be said beside figures that suffer from it."""
    return f"load {os.getloadavg()[0]:.1f}"
