"""Where the first home is down, full or does not let us in: who answers instead, when, and at which price."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from core import errors
from core.chat import ToolCall, Usage
from core.messages import Answer
from core.mistral.catalogue import Catalogue
from core.turns import retry
from tests.databases import Place
from tests.databases import house as house_at
from tests.fakes import ScriptedModel, house, message, said
from tests.integration.asking_world import SUM, calls
from tests.integration.test_turn_images import offer, picture

LEDGER = "SELECT attempt, home, model, outcome FROM usage ORDER BY id"
COSTS = "SELECT home, cost_microusd, price_from, estimated FROM usage ORDER BY id"
HOME = "mistral-large-2512"
DOWN = [errors.ModelServerError(status=500)]


@web.middleware
async def _let_in(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A server of one's own asks for no key, and Azure for one in a header of its own."""
    return await handler(request.clone(headers={**request.headers, "authorization": "Bearer anybody"}))


@asynccontextmanager
async def listening(simulator: MistralSimulator, prefix: str) -> AsyncIterator[str]:
    app = web.Application(middlewares=[_let_in])
    simulator.mount(app, prefix)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Elsewhere:
    """Two homes to fall back on: a server of one's own, which is free, and an Azure resource."""

    def __init__(self, own: MistralSimulator, azure: MistralSimulator, own_at: str, azure_at: str) -> None:
        self.own = own
        self.azure = azure
        self._settings = {"fallback_base_url": own_at, "azure_endpoint": azure_at, "azure_api_key": "a-key"}

    def after(self, *chain: str) -> dict[str, Any]:
        """Settings whose home has that chain behind it."""
        return {**self._settings, "fallback": chain}

    @property
    def asked(self) -> tuple[int, int]:
        """How many requests came to the own server and to Azure."""
        return len(self.own.requests), len(self.azure.requests)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    own, azure = MistralSimulator(kind="openai"), MistralSimulator(kind="openai")
    own.script = lambda _: Reply(text="From our own.")
    azure.script = lambda _: Reply(text="From Azure.")
    async with listening(own, "") as own_at, listening(azure, "/openai") as azure_at:
        yield Elsewhere(own, azure, own_at, azure_at)


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="a-key-of-the-tests")
    async with simulator.running():
        yield simulator


# who answers


async def test_a_home_that_is_down_is_tried_twice_and_then_the_fallback_answers(
    simulator: MistralSimulator, elsewhere: Elsewhere, place: Place
) -> None:
    simulator.then(error(503, "no room", code="3505"), error(500, "broken"))
    async with house_at(place, simulator=simulator, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert (reply.text, reply.answer) == ("From our own.", Answer("From our own.", "done"))
        assert home.rows(LEDGER) == [
            (1, "custom", HOME, "model_overloaded"),
            (2, "custom", HOME, "model_server_error"),
            (3, "self-hosted", "my-model", "ok"),
        ]
        assert home.rows("SELECT text FROM message WHERE role = 'assistant'") == [("From our own.",)]
    assert elsewhere.own.requests[0].body["model"] == "my-model"


@pytest.mark.parametrize("status", [401, 402])
async def test_a_home_that_does_not_let_us_in_is_left_at_once_and_costs_nothing(
    simulator: MistralSimulator, elsewhere: Elsewhere, place: Place, status: int
) -> None:
    simulator.then(error(status, "no"))
    async with house_at(place, simulator=simulator, **elsewhere.after("self-hosted:mistral-small-2603")) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
        assert home.clock.slept == [] or status == 401, "nobody waits; only the key is looked after"
        assert [row[:3] for row in home.rows(COSTS)] == [("custom", 0, "2025-12-01"), ("self-hosted", 0, None)]
    assert len(simulator.requests) == 1


async def test_a_home_that_is_left_alone_for_now_is_not_called_and_has_no_row(
    simulator: MistralSimulator, elsewhere: Elsewhere, place: Place
) -> None:
    simulator.then(error(402, "no credit"))
    async with house_at(place, simulator=simulator, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message(), message(id="2"))
        assert home.states() == ["done", "done"]
        assert [row[1:] for row in home.rows(LEDGER)] == [
            ("custom", HOME, "model_out_of_credit"),
            ("self-hosted", "my-model", "ok"),
            ("self-hosted", "my-model", "ok"),
        ]
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("kind", [errors.ModelHeldBack, errors.ModelGivenUp])
async def test_a_call_that_was_never_made_has_no_row(tmp_path: Path, kind: type[errors.ModelError]) -> None:
    async with house(tmp_path, model=ScriptedModel([kind()])) as home:
        await home.hear(message())
        assert home.platform.told() == [kind.reason]
        assert home.rows(LEDGER) == []


async def test_the_chain_is_followed_in_its_order(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.azure.then(error(503, "no room"), error(503, "no room"))
    chain = elsewhere.after("azure:Mistral-Large-3", "self-hosted:my-model")
    async with house(tmp_path, model=ScriptedModel(DOWN, DOWN), **chain) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
        assert [row[1] for row in home.rows(LEDGER)] == ["mistral-global"] * 2 + ["azure"] * 2 + ["self-hosted"]
    assert {one.body["model"] for one in elsewhere.azure.requests} == {"Mistral-Large-3"}, "as it is called there"


async def test_when_all_fail_people_are_told_of_the_last_and_nobody_is_asked_again(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.own.script = lambda _: error(500, "broken")
    model = ScriptedModel([errors.ModelUnauthorized()])
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        assert (home.platform.told(), home.states()) == (["model_server_error"], ["failed"])
    assert (len(model.requests), elsewhere.asked) == (1, (retry.MAX_ATTEMPTS, 0))


async def test_what_no_other_home_would_answer_either_is_told_at_once(elsewhere: Elsewhere, tmp_path: Path) -> None:
    model = ScriptedModel([errors.ModelForbidden()])
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        assert home.platform.told() == ["model_forbidden"]
    assert elsewhere.asked == (0, 0)


# never after the first text


async def test_what_people_have_begun_to_read_is_not_begun_anew_elsewhere(
    simulator: MistralSimulator, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    simulator.then(Reply(chunks=("A cold ", "wind"), cut_after=1))
    async with house(tmp_path, simulator=simulator, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        answer = home.platform.answers[0]
        assert answer is not None
        assert (answer.text, answer.outcome, home.platform.told()) == ("A cold ", "failed", ["stream_cut"])
    assert elsewhere.asked == (0, 0)


@pytest.mark.parametrize("why", [errors.ModelServerError, errors.ModelNotFound, errors.ModelOutOfCredit])
async def test_text_said_before_a_tool_binds_to_the_home_as_well(
    elsewhere: Elsewhere, tmp_path: Path, why: type[errors.ModelError]
) -> None:
    model = ScriptedModel(calls(SUM, text="Let me compute."), *[[why()]] * retry.MAX_ATTEMPTS)
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert reply.answer is not None
        assert (reply.answer.text, reply.text) == ("Let me compute.", "Let me compute.")
        assert (reply.answer.outcome, home.platform.told()) == ("failed", [why.reason])
    assert elsewhere.asked == (0, 0)


async def test_blanks_bind_to_no_home(elsewhere: Elsewhere, tmp_path: Path) -> None:
    model = ScriptedModel(["", " \n", errors.StreamCut()], ["\n", errors.StreamCut()])
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert (reply.text, reply.answer) == ("From our own.", Answer("From our own.", "done"))


# tools and images


async def test_what_tools_have_said_goes_along_to_a_model_that_calls_tools(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.azure.then(Reply(tool_calls=(ToolCall("another01", *SUM),)), Reply(text="It is 399."))
    model = ScriptedModel(calls(SUM), DOWN, DOWN)
    async with house(tmp_path, model=model, **elsewhere.after("azure:Mistral-Large-3")) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("It is 399.", "done")]
        assert [row[3] for row in home.rows(LEDGER)] == ["tool_calls", *["model_server_error"] * 2, "tool_calls", "ok"]
    roles = [[one["role"] for one in request.body["messages"]] for request in elsewhere.azure.requests]
    assert roles[0] == ["system", "user", "assistant", "tool"]
    assert roles[1] == [*roles[0], "assistant", "tool"]


async def test_a_model_that_is_not_known_to_call_tools_is_told_of_none(elsewhere: Elsewhere, tmp_path: Path) -> None:
    model = ScriptedModel(calls(SUM), DOWN, DOWN)
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
    (request,) = elsewhere.own.requests
    assert "tools" not in request.body
    assert "tool_choice" not in request.body
    assert [one["role"] for one in request.body["messages"]] == ["system", "user"]


async def test_images_are_shown_to_none_but_those_who_see(elsewhere: Elsewhere, tmp_path: Path) -> None:
    chain = elsewhere.after("self-hosted:my-model", "azure:Mistral-Medium-3.5")
    async with house(tmp_path, model=ScriptedModel(DOWN, DOWN), **chain) as home:
        offer(home, 1)
        await home.hear(message("What is this?", attachments=(picture(1),)))
        assert home.platform.answers == [Answer("From Azure.", "done")]
    assert elsewhere.asked == (0, 1)


async def test_a_fallback_is_asked_at_once_where_the_home_asks_for_a_long_wait(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    model = ScriptedModel([errors.ModelRateLimited(status=429, retry_after=25.0)])
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
        assert home.clock.slept == []


# what it costs


async def test_every_row_has_its_own_homes_price(elsewhere: Elsewhere, place: Place) -> None:
    told = Usage(10_001, 1_003, 2_000)
    elsewhere.azure.then(Reply(text="From Azure.", usage=told))
    elsewhere.own.then(Reply(text="From our own.", usage=told))
    model = ScriptedModel(["From Mistral."], DOWN, DOWN)
    model.usage = told
    chain = elsewhere.after("azure:Mistral-Large-3")
    async with house_at(place, model=model, **chain) as home:
        await home.hear(message(), message(id="2"))
        (paid, *_, azure) = home.rows(COSTS)
    row = Catalogue.load().resolve(HOME)
    assert row is not None
    exactly = (8_001 * 500_000 + 2_000 * 50_000 + 1_003 * 1_500_000) / 1_000_000
    assert paid == ("mistral-global", -(-exactly // 1), "2025-12-01", 0)
    assert azure == ("azure", *paid[1:])


async def test_a_region_costs_a_tenth_more_to_the_micro_dollar(place: Place) -> None:
    model = ScriptedModel()
    model.usage = Usage(10_001, 1_003, 2_000)
    async with house_at(place, model=model, mistral_region="eu") as home:
        await home.hear(message())
        ((name, cost, _, _),) = home.rows(COSTS)
    exactly = (8_001 * 500_000 + 2_000 * 50_000 + 1_003 * 1_500_000) * 11 / 10_000_000
    assert (name, cost) == ("mistral-eu", -(-exactly // 1))


# models that are gone


async def test_a_model_that_a_cloud_has_no_longer_is_not_replaced_and_its_name_is_sent_as_it_is(place: Place) -> None:
    azure: dict[str, Any] = {"home": "azure", "azure_endpoint": "http://127.0.0.1:1", "azure_api_key": "a-key"}
    model = ScriptedModel(["A wind."], [errors.ModelNotFound()])
    async with house_at(place, model=model, chosen="Mistral-Large-2411", **azure) as home:
        await home.hear(message(), said("And?", "2"))
        assert home.states() == ["done", "failed"]
        assert home.platform.told() == ["model_not_found"]
        assert [row[1:3] for row in home.rows(LEDGER)] == [("azure", "Mistral-Large-2411")] * 2
    assert [request.model for request in model.requests] == ["Mistral-Large-2411"] * 2


async def test_a_model_that_nothing_replaces_is_asked_for_elsewhere(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.own.then(error(500, "broken"))
    model = ScriptedModel([errors.ModelNotFound()])
    async with house(tmp_path, model=model, **elsewhere.after("self-hosted:my-model")) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
    assert elsewhere.asked == (2, 0), "the other home has tries of its own"


async def test_a_fallbacks_model_that_is_gone_gives_way_to_the_next_of_the_chain(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.azure.then(error(404, "gone", code="DeploymentNotFound"))
    chain = elsewhere.after("azure:mistral-small-2506", "self-hosted:my-model")
    async with house(tmp_path, model=ScriptedModel(DOWN, DOWN), **chain) as home:
        await home.hear(message())
        assert home.platform.answers == [Answer("From our own.", "done")]
    assert elsewhere.asked == (1, 1)


async def test_a_model_that_sees_is_not_replaced_by_a_blind_one_for_images(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text('[[model]]\nid = "ministral-3b-2512"\nreplacement = "codestral-2508"\n')
    model = ScriptedModel([errors.ModelNotFound()])
    async with house(tmp_path, model=model, chosen="ministral-3b-2512", catalogue_file=file) as home:
        offer(home, 1)
        await home.hear(message("What is this?", attachments=(picture(1),)))
        assert home.platform.told() == ["model_not_found"]
        await home.hear(message(id="2"))
    assert [request.model for request in model.requests] == ["ministral-3b-2512", "codestral-2508"]
