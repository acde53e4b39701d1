"""The whole service between simulated platforms and a scripted model, over real sockets."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack.simulator import SlackSimulator
from bots.serve import Service
from core.messages import Tokens, WorkspaceKey
from core.reports import figures
from core.settings import Settings
from core.store.database import SQLITE
from tests import fakes
from tests.databases import Place

KEY = "a-key-of-the-tests"


class World:
    """What a scenario works with."""

    def __init__(self, simulators: Simulators, model: MistralSimulator, settings: Settings, place: Place) -> None:
        self._simulators = simulators
        self.model = model
        self.settings = settings
        self.place = place
        self.service: Service

    @property
    def slack(self) -> SlackSimulator:
        return self._simulators.slack

    @property
    def discord(self) -> DiscordSimulator:
        return self._simulators.discord

    async def start(self) -> None:
        if self.place.postgres:  # which keeps when Discord's next session may begin: a later start finds it long past
            self.place.change("DELETE FROM gateway_door")
        self.service = Service(self.settings)
        await self.service.start()
        await asyncio.wait_for(self.service.ready.wait(), 20)

    async def stop(self) -> None:
        await self.service.stop()

    async def idle(self, seconds: float = 10.0) -> None:
        """Returns when no turn waits or runs."""
        await asyncio.wait_for(self.service.core.queue.idle(), seconds)

    async def spent(self, workspace: str) -> Tokens:
        table = await figures.table(self.service.core.database, WorkspaceKey.parse(workspace))
        return table.total

    def prompts(self) -> list[list[dict[str, Any]]]:
        """The messages of every request that the model received."""
        return [request.body["messages"] for request in self.model.requests if isinstance(request.body, dict)]


@asynccontextmanager
async def running(
    folder: Path, *, start: bool = True, place: Place | None = None, **settings: Any
) -> AsyncIterator[World]:
    """A world with both platforms connected, on a SQLite file in `folder` or at `place`. `settings` by field name."""
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin = simulators.base_url
        base = Settings.read(
            {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": model.base_url, "BISE_LOG_FORMAT": "json"}, None
        )
        if place is None:
            place = Place(folder, f"{SQLITE}{fakes.new_database(folder)}")
        quick = {"user_turns_per_minute": None, "workspace_turns_per_minute": None}  # as tests are
        chosen = simulators.settings(base, folder / "bise.db").model_copy(update=place.fields | quick | settings)
        world = World(simulators, model, chosen, place)
        if start:
            await world.start()
        try:
            yield world
        finally:
            if hasattr(world, "service"):
                await world.stop()


async def soon(what: Callable[[], object], seconds: float = 10.0) -> None:
    """Returns when `what` is true; for state that no simulator announces."""
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.01)


def png(width: int = 8, height: int = 8) -> bytes:
    """A real PNG, made by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(
        b"\x00" + bytes((x * 20 % 256, 90, 160)[i] for x in range(width) for i in range(3)) for _ in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
