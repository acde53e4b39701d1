"""A scripted home with limits of its own, in leaping time, for tests of the throttle."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from core.chat import ChatMessage, ChatRequest, Delta, Finish, TextDelta, Usage
from core.errors import ModelError
from core.mistral.throttle.circuit import Trouble
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from tests.unit import virtual_clock

T = TypeVar("T")
MODEL = "mistral-large-2512"
FREE = Limits()


class LoopClock:
    """The event loop's own time as a Clock."""

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 12, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ScriptedHome:
    """Honours LanguageModel; `started` has the instant and request of each call.

    `errors`: what the next calls meet, None for an answer; `judge` decides where that is empty. `seconds`: how long an
    answer takes. `usage`: what an answer is counted as.
    """

    def __init__(self) -> None:
        self.started: list[tuple[float, ChatRequest]] = []
        self.errors: deque[ModelError | None] = deque()
        self.judge: Callable[[], ModelError | None] = lambda: None
        self.on_headers: Callable[[dict[str, str]], None] = lambda _: None
        self.headers: Callable[[], dict[str, str]] = dict
        self.usage: Usage | None = Usage(10, 5)
        self.seconds = 0.0
        self.first_byte = 0.0
        self.inside = 0
        self.most_inside = 0

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.started]

    @property
    def accounts(self) -> list[str]:
        return [request.account for _, request in self.started]

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.started.append((asyncio.get_running_loop().time(), request))
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            if self.first_byte:
                await asyncio.sleep(self.first_byte)
            error = self.errors.popleft() if self.errors else self.judge()
            self.on_headers(self.headers())
            if error is not None:
                raise error
            yield TextDelta("word")
            if self.seconds:
                await asyncio.sleep(self.seconds)
            yield Finish("stop", self.usage, request.model)
        finally:
            self.inside -= 1


class World:
    """A throttled home. `changes`: what was told of troubles."""

    def __init__(
        self,
        limits: Limits = FREE,
        *,
        concurrency: int = 1000,
        patience: float = 60.0,
        probe: Callable[[], Coroutine[Any, Any, object]] | None = None,
    ) -> None:
        self.home = ScriptedHome()
        self.changes: list[Trouble | None] = []
        self.model = ThrottledModel(
            self.home,
            limits=limits,
            clock=LoopClock(),
            concurrency=concurrency,
            probe=probe,
            on_change=self.changes.append,
            patience=patience,
        )
        self.home.on_headers = self.model.learn

    async def ask(self, account: str = "slack:T1", *, model: str = MODEL, max_tokens: int = 20) -> str:
        """The name of how it ended: "ok", or the error's class."""
        try:
            async for _ in self.model.stream(request(account, model=model, max_tokens=max_tokens)):
                pass
        except ModelError as error:
            return type(error).__name__
        return "ok"


def request(account: str = "slack:T1", *, model: str = MODEL, max_tokens: int = 20) -> ChatRequest:
    return ChatRequest(model, (ChatMessage("user", "Hello there"),), max_tokens=max_tokens, account=account)


def play(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a scene in leaping time; whatever runs in the background afterwards is ended."""

    async def whole(_: virtual_clock.VirtualLoop) -> T:
        try:
            return await scene()
        finally:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    return virtual_clock.run(whole)


def most_in(times: list[float], seconds: float) -> int:
    """The most calls in any half-open stretch of so many seconds."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most
