"""The ways to a model: which homes, in which order, behind how many throttles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.errors import SettingsError
from core.mistral.catalogue import Catalogue
from core.mistral.models import Model
from core.mistral.providers.home import Home
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from core.settings import Settings
from core.turns.routes import Path, Route, Routes, limits_of
from tests.fakes import ManualClock, ScriptedModel

CATALOGUE = Catalogue.load()
BEDROCK: dict[str, Any] = {"AWS_REGION": "eu-west-3", "AWS_BEARER_TOKEN_BEDROCK": "a-key"}


@asynccontextmanager
async def routes(model: ScriptedModel | None = None, **settings: Any) -> AsyncIterator[Routes]:
    read = Settings.read({"MISTRAL_API_KEY": "a-key", **settings}, None)
    found = Routes(read, CATALOGUE, ManualClock(), model)
    try:
        yield found
    finally:
        await found.aclose()


def row(name: str) -> Model:
    found = CATALOGUE.resolve(name)
    assert found is not None
    return found


def path(*fallbacks: Route, model: str = "mistral-large-2512", sees: bool = False) -> Path:
    return Path((Route(HOME, ScriptedModel()), *fallbacks), row(model), sees=sees)


HOME = Home.of_region("global", "a-key")
OTHER = Home.of_region("eu", "a-key")


def fallback(name: str, home: Home = OTHER) -> Route:
    return Route(home, ScriptedModel(), row(name))


async def test_without_a_fallback_there_is_one_way_and_its_model_is_chosen_by_turn() -> None:
    async with routes() as found:
        (only,) = found.routes
        assert (only.home.name, only.only, only.queues) == ("mistral-global", None, True)


async def test_the_chain_keeps_its_order_and_each_home_its_name_and_price() -> None:
    chain = "mistral-eu:mistral-small-latest,self-hosted:my-model,mistral-medium-3-5"
    async with routes(BISE_FALLBACK=chain, BISE_FALLBACK_BASE_URL="http://127.0.0.1:1") as found:
        told = [
            (one.home.name, one.home.priced, one.home.price_tenths, one.only and one.only.id) for one in found.routes
        ]
    assert told == [
        ("mistral-global", True, 10, None),
        ("mistral-eu", True, 11, "mistral-small-2603"),
        ("self-hosted", False, 10, "my-model"),
        ("mistral-global", True, 10, "mistral-medium-3-5"),
    ]


async def test_the_models_of_one_home_share_its_limits() -> None:
    async with routes(
        BISE_FALLBACK="mistral:mistral-small-2603,mistral-small-2603,mistral-eu:mistral-small-2603"
    ) as found:
        first, second, third, other = (one.model for one in found.routes)
    assert first is second is third
    assert other is not first


@pytest.mark.parametrize("home", ["bedrock", "vertex", "sagemaker", "azure"])
async def test_a_cloud_that_is_the_home_and_a_fallback_is_one_home(home: str) -> None:
    clouds: dict[str, dict[str, Any]] = {
        "azure": {"AZURE_ENDPOINT": "https://r.services.ai.azure.com", "AZURE_API_KEY": "a-key"},
        "vertex": {"GOOGLE_CLOUD_PROJECT": "my-project", "GOOGLE_CLOUD_LOCATION": "europe-west4"},
        "bedrock": BEDROCK,
        "sagemaker": {"AWS_REGION": "eu-west-3", "SAGEMAKER_ENDPOINT_NAME": "ours"},
    }
    async with routes(BISE_HOME=home, BISE_FALLBACK=f"{home}:mistral-large-2512", **clouds[home]) as found:
        first, second = found.routes
        assert first.home is second.home
        assert first.model is second.model


async def test_a_clouds_own_name_of_a_model_is_kept_with_the_catalogues_price() -> None:
    name = "mistral.mistral-large-3-675b-instruct"
    async with routes(BISE_FALLBACK=f"bedrock:{name}", **BEDROCK) as found:
        only = found.routes[1].only
    assert only is not None
    assert (only.id, only.prices) == (name, row("mistral-large-2512").prices)


async def test_a_fallback_without_a_price_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="BISE_FALLBACK"):
        async with routes(BISE_FALLBACK="mistral:gpt-99"):
            pass


async def test_the_plan_of_mistrals_key_limits_mistrals_own_homes_alone() -> None:
    chain = "mistral-eu:economy,self-hosted:my-model,bedrock:mistral-large-2512"
    server = {"BISE_FALLBACK_BASE_URL": "http://127.0.0.1:1"}
    settings = Settings.read({"MISTRAL_PLAN": "experiment"}, None)
    async with routes(MISTRAL_PLAN="experiment", BISE_FALLBACK=chain, **server, **BEDROCK) as found:
        limits = {one.home.name: limits_of(settings, one.home) for one in found.routes}
    plan, none = Limits.of_plan("experiment", self_hosted=False), Limits()
    assert limits == {"mistral-global": plan, "mistral-eu": plan, "self-hosted": none, "bedrock": none}


async def test_a_retired_fallback_is_replaced_by_the_day_of_the_start() -> None:
    async with routes(BISE_FALLBACK="mistral-large-2411") as found:
        only = found.routes[1].only
    assert only is not None
    assert only.id == "mistral-medium-3-5"


async def test_a_double_stands_for_the_home_of_choice_alone_and_needs_no_admission() -> None:
    double = ScriptedModel()
    async with routes(double, BISE_FALLBACK="mistral-small-2603") as found:
        first, second = found.routes
        assert (first.model, first.queues) == (double, False)
        assert isinstance(second.model, ThrottledModel)
        assert second.queues


# the path of one turn


def test_a_path_takes_the_chain_in_its_order() -> None:
    way = path(fallback("mistral-small-2603"), fallback("codestral-2508"))
    taken = [(way.route.home.name, way.model.id)]
    while way.has_next:
        way.go_on()
        taken.append((way.route.home.name, way.model.id))
    assert taken == [
        ("mistral-global", "mistral-large-2512"),
        ("mistral-eu", "mistral-small-2603"),
        ("mistral-eu", "codestral-2508"),
    ]


def test_who_has_to_see_images_is_not_sent_to_the_blind() -> None:
    way = path(fallback("codestral-2508"), fallback("mistral-small-2603"), sees=True)
    way.go_on()
    assert way.model.id == "mistral-small-2603"
    assert not way.has_next


def test_what_has_just_failed_is_no_way_out() -> None:
    same = fallback("mistral-large-2512", HOME)
    assert not path(same).has_next
    assert path(same, model="mistral-small-2603").has_next
    assert path(fallback("mistral-large-2512")).has_next, "at another home it may be well"
