"""Doubles of what the core needs from outside, and a whole core on a file of its own.

They honour `core/ports.py`; `tests/contract/test_ports.py` holds them to it.
"""

from __future__ import annotations

import asyncio
import functools
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import migrations
from bots.playground.mistral.simulator import MistralSimulator
from core.chat import ChatMessage, ChatRequest, Delta, Finish, TextDelta, Usage
from core.errors import AttachmentError, ModelError, PlatformError
from core.messages import (
    Accepted,
    Announcement,
    Answer,
    Attachment,
    ConversationKind,
    IncomingMessage,
    Notice,
    Person,
    Post,
    ReplyOrder,
    WorkspaceKey,
)
from core.ports import LanguageModel, PostLog
from core.service import Core, open_core
from core.settings import Settings

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TEAM = WorkspaceKey("slack", "T1")
ADA = Person("U1", "Ada")
BEN = Person("U2", "Ben")
ROOT = Person("U9", "Root", admin=True)
GUEST = Person("U7", "Gus", external=True)
PATIENCE = 5.0  # seconds that a test waits for what must come at once


class ManualClock:
    """Time that stands still until somebody sleeps or a test moves it; `slept` has every wait."""

    def __init__(self, start: datetime = T0) -> None:
        self._start = start
        self._passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def monotonic(self) -> float:
        return self._passed

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        self._passed += seconds


Step = str | Delta | ModelError | asyncio.Event


class ScriptedModel:
    """Answers request after request by the next script: text, deltas, errors, and gates that a test opens.

    A script without an end of its own is finished with usage. Without a script left, answers are "answer 1", ….
    """

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []
        self.under_way = 0
        self.most_at_once = 0
        self.closed_early = 0
        self.usage = Usage(100, 20, 40)
        self._moved = asyncio.Condition()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        script = self.scripts.pop(0) if self.scripts else [f"answer {len(self.requests)}"]
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        await self._tell()
        whole = False
        try:
            for step in script:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, ModelError):
                    whole = True
                    raise step
                else:
                    yield TextDelta(step) if isinstance(step, str) else step
            whole = True
            if not script or not isinstance(script[-1], Finish):
                yield Finish("stop", self.usage, request.model, f"call-{len(self.requests)}")
        finally:
            self.under_way -= 1
            self.closed_early += not whole
            await self._tell()

    async def asked(self, times: int) -> None:
        """Returns once that many requests have come."""
        async with asyncio.timeout(PATIENCE), self._moved:
            await self._moved.wait_for(lambda: len(self.requests) >= times)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def prompts(self) -> list[list[tuple[str, str]]]:
        """Role and text of every message of every request, the system prompt left out."""
        return [[(one.role, text_of(one)) for one in request.messages[1:]] for request in self.requests]


def text_of(message: ChatMessage) -> str:
    """The text of a prompt's message, with a mark for each image."""
    if isinstance(message.content, str):
        return message.content
    return " ".join(getattr(part, "text", "<image>") for part in message.content)


class FakeReply:
    """A reply that remembers what it was told."""

    def __init__(self, platform: FakePlatform, order: ReplyOrder, posts: PostLog) -> None:
        self._platform = platform
        self._posts = posts
        self.order = order
        self.statuses: list[tuple[str, int]] = []
        self.text = ""
        self.answer: Answer | None = None
        self.abandoned = False
        self.shown_again: list[tuple[Answer, tuple[Post, ...]]] = []
        self.refused: PlatformError | None = None
        self.wrote = asyncio.Event()

    def status(self, name: str, count: int = 0) -> None:
        self.statuses.append((name, count))

    def write(self, text: str) -> None:
        self.text += text
        self.wrote.set()

    async def finish(self, answer: Answer) -> None:
        if not self.order.posts:
            await self._posts.add(0, f"post-of-{self.order.turn}", 0)
        if self._platform.slow is not None:
            await self._platform.slow.wait()
        if self._platform.failing is not None:
            raise self._platform.failing
        await self._posts.close(0)
        self.answer = answer

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        self.shown_again.append((answer, posts))

    def error(self) -> PlatformError | None:
        return self.refused

    async def abandon(self) -> None:
        self.abandoned = True


class FakePlatform:
    """A platform whose replies are in `replies`, in the order in which they began.

    `failing`: what `finish` raises; `slow`: what it waits for first; `files`: what `download` gives, by url.
    `said`: what was told outside of turns, to whom, and whether privately; `deaf`: what `tell` raises before, in order.
    `announced`: what was announced, where, and whether privately; `closed`: what `announce` raises in a place, before
    it has posted anything; `unsure`: what it raises after it has, in order; `blind`: what
    `find_announcement` raises. `admins`: of each workspace.
    """

    def __init__(self, name: str = "slack") -> None:
        self._name = name
        self.replies: list[FakeReply] = []
        self.failing: BaseException | None = None
        self.slow: asyncio.Event | None = None
        self.files: dict[str, bytes | AttachmentError | RuntimeError] = {}
        self.downloads: list[str] = []
        self.said: list[tuple[str, Notice, bool]] = []
        self.deaf: list[PlatformError] = []
        self.announced: list[tuple[str, Announcement, bool]] = []
        self.closed: dict[str, PlatformError] = {}
        self.unsure: list[PlatformError] = []
        self.admins: dict[WorkspaceKey, tuple[str, ...]] = {}
        self.blind: PlatformError | None = None

    @property
    def name(self) -> str:
        return self._name

    def reply(self, order: ReplyOrder, posts: PostLog) -> FakeReply:
        self.replies.append(FakeReply(self, order, posts))
        return self.replies[-1]

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:
        self.downloads.append(attachment.url)
        found = self.files.get(attachment.url, AttachmentError("unavailable", attachment.name))
        if isinstance(found, Exception):
            raise found
        if len(found) > limit:
            raise AttachmentError("too_large", attachment.name)
        return found

    async def tell(self, to: str, notice: Notice, *, privately: bool = False) -> None:
        if self.deaf:
            raise self.deaf.pop(0)
        self.said.append((to, notice, privately))

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:
        if (refusal := self.closed.get(to)) is not None:
            raise refusal
        self.announced.append((to, announcement, privately))
        if self.unsure:
            raise self.unsure.pop(0)
        return f"{to}:{len(self.announced)}"

    async def find_announcement(
        self, to: str, announcement: Announcement, since: datetime, *, privately: bool = False
    ) -> str | None:
        if self.blind is not None:
            raise self.blind
        for number, (where, said, hidden) in enumerate(self.announced, 1):
            if (where, said.name, hidden) == (to, announcement.name, privately):
                return f"{to}:{number}"
        return None

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        return self.admins.get(workspace, ())

    @property
    def answers(self) -> list[Answer | None]:
        return [reply.answer for reply in self.replies]

    def told(self, reply: int = -1) -> list[str]:
        """The names of an answer's notices."""
        answer = self.replies[reply].answer
        return [notice.name for notice in answer.notices] if answer is not None else []


def message(text: str = "What is a bise?", id: str = "1", **changes: Any) -> IncomingMessage:  # noqa: A002
    """A mention by Ada at the top of the Slack channel C1; `changes` by field name."""
    at = T0 + timedelta(seconds=float(id) if id.isdigit() else 0)
    fields: dict[str, Any] = {
        "workspace": TEAM,
        "source": "message",
        "source_id": f"C1:{id}",
        "kind": ConversationKind.THREAD,
        "channel": "C1",
        "author": ADA,
        "text": text,
        "sent_at": at,
        "root": f"C1:{id}",
        "mentioned": True,
        "address": {"channel": "C1", "thread_ts": id},
    }
    return IncomingMessage(**(fields | changes))


def said(text: str, id: str, root: str = "1", **changes: Any) -> IncomingMessage:  # noqa: A002
    """What somebody writes in the thread of message `root` without a mention."""
    return message(text, id, **({"root": f"C1:{root}", "mentioned": False} | changes))


def direct(text: str, id: str, **changes: Any) -> IncomingMessage:  # noqa: A002
    """A direct message of Ada."""
    fields: dict[str, Any] = {"kind": ConversationKind.DM, "channel": "D1", "root": None, "mentioned": False}
    return message(text, id, **(fields | {"source_id": f"D1:{id}"} | changes))


def chained(text: str, id: str, reply_to: str | None = None, **changes: Any) -> IncomingMessage:  # noqa: A002
    """A message in a Discord channel, a reply where `reply_to` says so."""
    fields: dict[str, Any] = {
        "workspace": WorkspaceKey("discord", "1000"),
        "kind": ConversationKind.CHAIN,
        "channel": "55",
        "source_id": id,
        "root": None,
        "reply_to": reply_to,
    }
    return message(text, id, **(fields | changes))


class House:
    """A core on a database file, with its doubles."""

    def __init__(self, core: Core, platform: FakePlatform, clock: ManualClock) -> None:
        self.core = core
        self.platform = platform
        self.clock = clock
        self.file = core.settings.database_file

    async def hear(self, *heard: IncomingMessage) -> list[Accepted]:
        """Accepts messages one after the other, each answered before the next."""
        accepted = []
        for one in heard:
            accepted.append(await self.core.accept(one))
            await self.settled()
        return accepted

    async def settled(self) -> None:
        """Returns when no turn waits or runs, and nothing is left to be mended."""
        async with asyncio.timeout(PATIENCE):
            await self.core.queue.idle()
            await self.core._parts.runner.mending.idle()

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the file holds, past all layers."""
        return rows(self.file, query, *values)

    def states(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT state FROM turn ORDER BY id")]


def rows(file: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query over a SQLite file."""
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()


@functools.cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bise.db"
        migrations.upgrade(file)
        connection = sqlite3.connect(file)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()


def new_database(folder: Path) -> Path:
    """A database of the newest schema in that folder; one that is there already is left as it is."""
    file = folder / "bise.db"
    if not file.exists():
        file.write_bytes(_migrated())
    return file


def settings_at(file: Path, **changes: Any) -> Settings:
    """Settings for a core on that file; `changes` by field name. Unasked, people may be as quick as tests are."""
    fields: dict[str, Any] = {
        "mistral_api_key": "a-key-of-the-tests",
        "database_url": f"sqlite+aiosqlite:///{file}",
        "user_turns_per_minute": None,
        "workspace_turns_per_minute": None,
    }
    return Settings(**(fields | changes))


@asynccontextmanager
async def house(
    folder: Path,
    *,
    model: LanguageModel | None = None,
    simulator: MistralSimulator | None = None,
    platform: FakePlatform | None = None,
    clock: ManualClock | None = None,
    started: bool = True,
    stopped: bool = True,
    chosen: str = "mistral-large-2512",
    **settings: Any,
) -> AsyncIterator[House]:
    """A core on the file of `folder`, running, on a scripted model or by the real client on a simulator that runs.

    `stopped`: it is stopped in an orderly way at the end. `chosen`: BISE_MODEL.
    """
    platform, clock = platform or FakePlatform(), clock or ManualClock()
    if simulator is not None:
        settings = {"mistral_base_url": simulator.base_url} | settings
    elif model is None:
        model = ScriptedModel()
    core = open_core(settings_at(new_database(folder), model=chosen, **settings), clock=clock, model=model)
    core.attach(platform)
    try:
        if started:
            await core.start()
        yield House(core, platform, clock)
    finally:
        if stopped:
            await core.stop(patience=0.0)
        await core.close()
