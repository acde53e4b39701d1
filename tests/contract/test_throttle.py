"""The throttle around the real client, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from core import errors
from core.chat import Admitted, ChatMessage, ChatRequest, Delta, Finish, TextDelta
from core.clock import SystemClock
from core.mistral.client import MistralClient
from core.mistral.providers.home import Home
from core.mistral.throttle.circuit import Trouble
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from core.ports import LanguageModel

ASK = ChatRequest("mistral-large-2512", (ChatMessage("user", "Hello"),), max_tokens=50, account="slack:T1")
MINUTE = 0.6  # seconds


@asynccontextmanager
async def throttled(
    simulator: MistralSimulator, limits: Limits | None = None, *, changes: list[Trouble | None] | None = None
) -> AsyncIterator[ThrottledModel]:
    def learn(headers: Mapping[str, str]) -> None:
        model.learn(headers)

    client = MistralClient(Home("here", simulator.base_url, api_key="good-key"), on_headers=learn)
    model = ThrottledModel(
        client,
        limits=limits or Limits(),
        clock=SystemClock(),
        concurrency=10,
        probe=client.models,
        on_change=(changes if changes is not None else []).append,
        patience=MINUTE / 2,
        minute=MINUTE,
    )
    try:
        yield model
    finally:
        await model.aclose()
        await client.aclose()


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="good-key")
    async with simulator.running():
        yield simulator


async def outcome(model: LanguageModel) -> tuple[list[Delta], errors.ModelError | None]:
    deltas: list[Delta] = []
    try:
        async for delta in model.stream(ASK):
            deltas.append(delta)  # noqa: PERF401 - what came before an error is kept
    except errors.ModelError as failure:
        return deltas, failure
    return deltas, None


async def test_it_adds_one_delta_and_no_request(simulator: MistralSimulator) -> None:
    async with throttled(simulator) as model:
        deltas, failure = await outcome(model)
    assert failure is None
    assert deltas[0] == Admitted()
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "You said: Hello"
    assert isinstance(deltas[-1], Finish)
    assert len(simulator.requests) == 1


async def test_it_keeps_to_what_the_headers_say(simulator: MistralSimulator) -> None:
    headers = {"X-RateLimit-Limit-Req-Minute": "2", "X-RateLimit-Remaining-Req-Minute": "1"}
    simulator.script = lambda _: Reply(text="Yes.", headers=headers)
    async with throttled(simulator) as model:
        assert (await outcome(model))[1] is None
        failures = [failure for _, failure in await asyncio.gather(*(outcome(model) for _ in range(8)))]
    held_back = [failure for failure in failures if isinstance(failure, errors.ModelHeldBack)]
    assert len(held_back) == 7
    assert len(simulator.requests) == 2


async def test_closing_the_stream_closes_the_connection_and_frees_the_place(simulator: MistralSimulator) -> None:
    simulator.then(Reply(text="word " * 50, chunk_delay=0.05))
    async with throttled(simulator) as model:
        stream = model.stream(ASK)
        while not isinstance(await anext(stream), TextDelta):
            pass
        await stream.aclose()
        await simulator.until(lambda one: one.closed_early == 1 and one.open_streams == 0)
        assert (await outcome(model))[1] is None


async def test_a_missing_credit_stops_every_further_request(simulator: MistralSimulator) -> None:
    changes: list[Trouble | None] = []
    simulator.then(error(402, "Payment required"))
    async with throttled(simulator, changes=changes) as model:
        failures = [(await outcome(model))[1] for _ in range(4)]
    assert [type(failure) for failure in failures] == [errors.ModelOutOfCredit, *[errors.ModelGivenUp] * 3]
    assert len(simulator.requests) == 1
    assert [change.kind for change in changes if change is not None] == ["out_of_credit"]
