"""A turn's asking with tools of a test's own, on a core's file: what `open_core` puts together, in small."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.budgets.requests import Requests
from core.chat import ChatRequest, Delta, Finish, TextDelta, ToolCall, ToolCallDelta, ToolCalls, Usage
from core.metrics import Metrics
from core.mistral.catalogue import Catalogue
from core.mistral.providers import configured
from core.ports import ChatPlatform
from core.store.database import Database
from core.turns.asking import Asking
from core.turns.assistants import Assistants
from core.turns.billing import Billing
from core.turns.canned import Canned
from core.turns.choices import Choices
from core.turns.choosing import ModelChoice
from core.turns.controls import Controls
from core.turns.estimate import TokenEstimate
from core.turns.images import Images
from core.turns.names import Names
from core.turns.routes import Route
from core.turns.run import Runner
from core.turns.tools import Toolbox, ToolFunction
from tests.fakes import FakePlatform, House, ManualClock, ScriptedModel, house

SOME = Usage(50, 10)
SUM = ("calculate", '{"expression": "19 * 21"}')


def calls(*wanted: tuple[str, str], text: str = "", usage: Usage | None = SOME) -> list[str | Delta]:
    """A script whose answer is text, if any, and calls of tools: their names and arguments."""
    made = tuple(ToolCall(f"call{number:05d}", name, arguments) for number, (name, arguments) in enumerate(wanted))
    parts = [ToolCallDelta(index, one.name, one.arguments) for index, one in enumerate(made)]
    said: list[str | Delta] = [TextDelta(text)] if text else []
    return [*said, *parts, ToolCalls(made), Finish("tool_calls", usage, "m", None)]


def results(request: ChatRequest) -> list[tuple[str | None, Any]]:
    """The tools' answers in a request: each one's name and what it gave."""
    return [(one.name, json.loads(str(one.content))) for one in request.messages if one.role == "tool"]


def offered(request: ChatRequest) -> list[str]:
    return [tool.name for tool in request.tools]


@dataclass
class Workshop:
    """A house that only accepts, and a runner beside it whose turns have the tools of the test."""

    home: House
    runner: Runner
    controls: Controls

    async def run(self, turn: int = 1) -> float | None:
        return await self.runner.run(turn)

    def begin(self, turn: int = 1) -> asyncio.Task[float | None]:
        return asyncio.create_task(self.run(turn))


@asynccontextmanager
async def workshop(
    folder: Path, model: ScriptedModel, *functions: ToolFunction, queues: bool = False, **settings: Any
) -> AsyncIterator[Workshop]:
    """The turns of `house`, run one by one; every assistant has these tools and no others.

    `queues`: the model is behind a throttle, which tells by Admitted when a request leaves.
    """
    platform, clock = FakePlatform(), ManualClock()
    async with house(folder, model=model, platform=platform, clock=clock, started=False, **settings) as home:
        known, catalogue = home.core.settings, Catalogue.load()
        database = Database.open(known.database_url)
        provider = configured.provider(known)
        choice = ModelChoice(known, catalogue, clock, provider)
        assistants = Assistants.load()
        estimate, metrics = TokenEstimate(), Metrics(waiting=lambda: 0)
        billing = Billing(known, database, estimate, clock, metrics)
        asking = Asking(
            known,
            database,
            (Route(provider, model, queues=queues),),
            choice,
            assistants,
            Images(database, clock),
            billing,
            estimate,
            clock,
            tools=lambda *_, **__: Toolbox(functions, clock=clock),
        )
        choices = Choices(Names(known, catalogue, assistants, clock, provider), database, clock)
        platforms: dict[str, ChatPlatform] = {platform.name: platform}
        requests = Requests(known, database, platforms, clock)
        controls = Controls(known, database, clock, home.core.queue)
        canned = Canned(known, database, choices, free=False)
        try:
            runner = Runner(database, asking, canned, controls, platforms, clock, metrics, requests)
            yield Workshop(home, runner, controls)
        finally:
            await database.close()
