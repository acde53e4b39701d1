"""What the throttle does under a limit of 60 requests a minute: refusals met, and shares of two workspaces.

Every minute, the server's too, lasts six seconds: only its length is shorter, the counts are as they are.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from bots.playground.mistral.replies import Body, Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from core.chat import ChatMessage, ChatRequest
from core.clock import SystemClock
from core.errors import ModelError
from core.mistral.client import MistralClient
from core.mistral.providers.home import Home
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from core.ports import LanguageModel
from tests.bench.stage import Ground
from tests.bench.table import Row, verdict

_LIMIT = 60
_MINUTE = 6.0
_MINUTES = 3
_AIM = 0.02
_MODEL = "mistral-large-2512"
_SCALE = f"minutes of {_MINUTE:.0f} s"


class LimitedServer:
    """A simulator that grants `_LIMIT` requests in any stretch of a minute and says in its headers what is left."""

    def __init__(self) -> None:
        self.simulator = MistralSimulator()
        self.simulator.script = self._judge
        self.refused = 0
        self.granted = 0
        self._recent: deque[float] = deque()

    def _judge(self, body: Body) -> Reply:
        now = asyncio.get_running_loop().time()
        while self._recent and self._recent[0] <= now - _MINUTE:
            self._recent.popleft()
        if len(self._recent) >= _LIMIT:
            self.refused += 1
            return error(429, "Rate limit exceeded", code="1300")
        self._recent.append(now)
        self.granted += 1
        left = str(_LIMIT - len(self._recent))
        headers = {"x-ratelimit-limit-req-minute": str(_LIMIT), "x-ratelimit-remaining-req-minute": left}
        return Reply(text="Yes, I think so.", headers=headers)


async def measure(ground: Ground) -> list[Row]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        offered, bare, fair = await asyncio.gather(
            _under_load({"slack:T1": 120}, throttled=True),
            _under_load({"slack:T1": 120}, throttled=False),
            _under_load({"slack:T1": 100, "slack:T2": 5}, throttled=True),
        )
    finally:
        structlog.reset_defaults()
    met, met_bare = (server.refused / max(server.refused + server.granted, 1) for server, _ in (offered, bare))
    used = offered[0].granted / (_LIMIT * _MINUTES)
    busy, quiet = (fair[1][account] for account in ("slack:T1", "slack:T2"))
    asked = 5 * _MINUTES
    return [
        Row(
            f"429s met, limit {_LIMIT}/min learned from headers, offered 120 ({_SCALE})",
            f"{met:.1%}",
            f"{met_bare:.1%}",
            f"{used:.0%} of the limit used",
            f"≤ {_AIM:.0%}",
            verdict(met <= _AIM),
        ),
        Row(
            f"answered of two workspaces, offered 100 and 5 a minute ({_SCALE})",
            f"{busy['ok'] / _MINUTES:.0f} and {quiet['ok'] / _MINUTES:.0f} a minute",
            compared=f"the smaller one: {quiet['ok']} of {asked}",
            aim="55 and 5",
            met=verdict(quiet["ok"] == asked and busy["ok"] >= 0.9 * 55 * _MINUTES),
        ),
    ]


async def _under_load(offers: dict[str, int], *, throttled: bool) -> tuple[LimitedServer, dict[str, Counter[str]]]:
    """Some minutes of calls, so many a minute by account; then what still waits is sent away."""
    server = LimitedServer()
    outcomes: dict[str, Counter[str]] = {account: Counter() for account in offers}
    async with server.simulator.running() as base_url, _model(base_url, throttled=throttled) as model:

        async def offer(account: str, a_minute: int) -> None:
            began = asyncio.get_running_loop().time()
            for number in range(a_minute * _MINUTES):
                asking.append(asyncio.create_task(ask(account)))
                await asyncio.sleep(began + (number + 1) * _MINUTE / a_minute - asyncio.get_running_loop().time())

        async def ask(account: str) -> None:
            outcomes[account][await _ask(model, account)] += 1

        asking: list[asyncio.Task[None]] = []
        await asyncio.gather(*(offer(account, a_minute) for account, a_minute in offers.items()))
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return server, outcomes


async def _ask(model: LanguageModel, account: str) -> str:
    request = ChatRequest(_MODEL, (ChatMessage("user", "Is it so?"),), max_tokens=20, account=account)
    try:
        async for _ in model.stream(request):
            pass
    except ModelError as failure:
        return failure.reason
    return "ok"


@asynccontextmanager
async def _model(base_url: str, *, throttled: bool) -> AsyncIterator[LanguageModel]:
    def learn(headers: Mapping[str, str]) -> None:
        model.learn(headers)

    client = MistralClient(Home("bench", base_url, api_key="bench"), on_headers=learn)
    model = ThrottledModel(
        client,
        limits=Limits.of_plan(None, self_hosted=False),
        clock=SystemClock(),
        concurrency=50,
        probe=None,
        on_change=lambda _: None,
        patience=_MINUTE,
        minute=_MINUTE,
    )
    try:
        yield model if throttled else client
    finally:
        await model.aclose()
        await client.aclose()
