"""MISTRAL_REGION is a fence: what is not known to be inside is refused, by every way that leads to a model."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from core.errors import SettingsError, UnknownModel, WrongUse
from core.mistral.catalogue import Catalogue
from core.mistral.providers import configured
from core.mistral.providers.home import Home
from core.mistral.providers.places import model_inside
from core.settings import Settings
from core.turns.choosing import ModelChoice
from core.turns.names import Names
from tests.fakes import ManualClock

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 1)
BEDROCK = {"BISE_HOME": "bedrock", "AWS_REGION": "eu-west-3", "AWS_BEARER_TOKEN_BEDROCK": "secret"}
SAGEMAKER = {"BISE_HOME": "sagemaker", "AWS_REGION": "eu-west-3", "SAGEMAKER_ENDPOINT_NAME": "ours"}
VERTEX = {"BISE_HOME": "vertex", "GOOGLE_CLOUD_PROJECT": "my-project", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
AZURE = {
    "BISE_HOME": "azure",
    "AZURE_ENDPOINT": "https://r.services.ai.azure.com",
    "AZURE_API_KEY": "secret",
    "AZURE_LOCATION": "swedencentral",
}
MISTRAL = {"MISTRAL_API_KEY": "secret"}
ABROAD = "arn:aws:bedrock:us-east-1:1:"
HERE = "arn:aws:bedrock:eu-west-3:1:"


def read(place: dict[str, str], region: str = "eu", **more: str) -> Settings:
    return Settings.read({**place, "MISTRAL_REGION": region, **more}, None)


def line_of(settings: Settings) -> str:
    with pytest.raises(SettingsError) as caught:
        configured.fallbacks(settings, CATALOGUE, today=TODAY)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert "secret" not in line
    return line


OUTSIDE = [
    "us.mistral.pixtral-large-2502-v1:0",
    "us-gov.mistral.pixtral-large-2502-v1:0",
    "global.mistral.mistral-large-3-675b-instruct",
    "mars.mistral.mistral-large-3-675b-instruct",
    "us.meta.llama3-2-1b-instruct-v1:0",
    "abcdef012345",
    f"{ABROAD}inference-profile/us.mistral.pixtral-large-2502-v1:0",
    f"{ABROAD}foundation-model/mistral.mistral-large-3-675b-instruct",
    f"{HERE}inference-profile/us.mistral.pixtral-large-2502-v1:0",
    f"{HERE}inference-profile/global.mistral.mistral-large-3-675b-instruct",
    f"{HERE}application-inference-profile/mistral.mistral-large-3-675b-instruct",
    f"{HERE}prompt-router/mistral.mistral-large-3-675b-instruct",
    "arn:aws:bedrock:eu-west-2:1:inference-profile/eu.mistral.pixtral-large-2502-v1:0",
    "arn:mistral.mistral-large-3-675b-instruct",
]
INSIDE = [
    "mistral.mistral-large-3-675b-instruct",
    "eu.mistral.pixtral-large-2502-v1:0",
    "mistral-large-2512",
    "mistral-medium-3.5",
    f"{HERE}inference-profile/eu.mistral.pixtral-large-2502-v1:0",
    f"{HERE}foundation-model/mistral.mistral-large-3-675b-instruct",
    f"{HERE}provisioned-model/abc",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_that_may_lead_out_of_the_region_is_outside(name: str) -> None:
    assert not model_inside("eu", "bedrock", name)


@pytest.mark.parametrize("name", INSIDE)
def test_a_name_that_stays_in_the_region_is_inside(name: str) -> None:
    assert model_inside("eu", "bedrock", name)


@pytest.mark.parametrize("name", CATALOGUE.models)
def test_no_name_of_the_catalogue_leads_anywhere(name: str) -> None:
    assert model_inside("eu", "bedrock", name)


@pytest.mark.parametrize("name", [OUTSIDE[0], OUTSIDE[2], OUTSIDE[6]])
@pytest.mark.parametrize("variable", ["BISE_MODEL", "BISE_ECONOMY_MODEL", "BISE_VISION_MODEL", "BISE_FALLBACK"])
def test_a_setting_that_names_a_model_outside_stops_the_start(variable: str, name: str) -> None:
    entry = f"bedrock:{name}" if variable == "BISE_FALLBACK" else name
    line = line_of(read(BEDROCK, **{variable: entry}))
    assert line.startswith(f"{variable} names {entry}")
    assert "MISTRAL_REGION=eu" in line
    assert configured.fallbacks(read(BEDROCK, "global", **{variable: entry}), CATALOGUE, today=TODAY) is not None


@pytest.mark.parametrize("name", [OUTSIDE[0], OUTSIDE[2]])
def test_nobody_can_choose_a_model_outside(name: str) -> None:
    fenced, free = read(BEDROCK), read(BEDROCK, "global")
    clock = ManualClock()
    with pytest.raises(WrongUse):
        Names.of(fenced, clock).pick("model", name)
    assert Names.of(fenced, clock).problem("model", name) is not None
    assert Names.of(free, clock).pick("model", name) == name


def test_a_choice_that_was_stored_before_the_region_was_set_is_not_called() -> None:
    for region, refused in (("eu", True), ("global", False)):
        settings = read(BEDROCK, region)
        choice = ModelChoice(settings, CATALOGUE, ManualClock(), configured.provider(settings))
        if refused:
            with pytest.raises(UnknownModel, match="MISTRAL_REGION"):
                choice.models(name=OUTSIDE[2])
        else:
            assert choice.models(name=OUTSIDE[2]).text.id == OUTSIDE[2]
        assert choice.models().text.id == "mistral-large-2512"


GOOGLE_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"
BEDROCK_VARIABLE = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
SAGEMAKER_VARIABLE = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
ADDRESSES: list[tuple[dict[str, str], str, str, bool]] = [
    (VERTEX, GOOGLE_VARIABLE, "https://us-central1-aiplatform.googleapis.com", False),
    (VERTEX, GOOGLE_VARIABLE, "https://aiplatform.googleapis.com", False),
    (VERTEX, GOOGLE_VARIABLE, "https://europe-west4-aiplatform.googleapis.com.example.org", False),
    (VERTEX, GOOGLE_VARIABLE, "https://proxy.example.org", False),
    (VERTEX, GOOGLE_VARIABLE, "https://europe-west1-aiplatform.googleapis.com/", True),
    (VERTEX, GOOGLE_VARIABLE, "https://aiplatform.eu.rep.googleapis.com", True),
    (VERTEX, GOOGLE_VARIABLE, "http://127.0.0.1:1", True),
    (BEDROCK, BEDROCK_VARIABLE, "https://bedrock-runtime.us-east-1.amazonaws.com", False),
    (BEDROCK, BEDROCK_VARIABLE, "https://bedrock-runtime.eu-west-2.amazonaws.com", False),
    (BEDROCK, BEDROCK_VARIABLE, "https://eu-west-3.example.org", False),
    (BEDROCK, BEDROCK_VARIABLE, "https://vpce-1-2.bedrock-runtime.eu-west-3.vpce.amazonaws.com", True),
    (BEDROCK, BEDROCK_VARIABLE, "https://bedrock-runtime.eu-west-3.api.aws", True),
    (BEDROCK, BEDROCK_VARIABLE, "http://127.0.0.1:1", True),
    (SAGEMAKER, SAGEMAKER_VARIABLE, "https://runtime.sagemaker.us-west-2.amazonaws.com", False),
    (SAGEMAKER, SAGEMAKER_VARIABLE, "https://runtime.sagemaker.eu-west-1.amazonaws.com", True),
    (AZURE, "AZURE_ENDPOINT", "https://r.eastus2.models.ai.azure.com", False),
    (AZURE, "AZURE_ENDPOINT", "https://uksouth.api.cognitive.microsoft.com", False),
    (AZURE, "AZURE_ENDPOINT", "https://r.swedencentral.models.ai.azure.com", True),
    (MISTRAL, "MISTRAL_BASE_URL", "https://api.us.mistral.ai", False),
    (MISTRAL, "MISTRAL_BASE_URL", "https://api.mistral.ai/v1", False),
    (MISTRAL, "MISTRAL_BASE_URL", "https://gateway.example.org", False),
    (MISTRAL, "MISTRAL_BASE_URL", "https://api.eu.mistral.ai/v1", True),
    (MISTRAL, "MISTRAL_BASE_URL", "http://127.0.0.1:1", True),
]


@pytest.mark.parametrize(("place", "variable", "address", "inside"), ADDRESSES)
def test_an_address_that_is_not_known_to_be_inside_stops_the_start(
    place: dict[str, str], variable: str, address: str, inside: bool
) -> None:
    settings = read(place, **{variable: address})
    if inside:
        assert configured.provider(settings).name
    else:
        assert "MISTRAL_REGION=eu" in line_of(settings)
    assert configured.provider(read(place, "global", **{variable: address})).name


def test_a_gateway_of_unknown_place_is_told_what_would_help() -> None:
    base: dict[str, Any] = {"MISTRAL_BASE_URL": "https://gateway.example.org"}
    line = line_of(read(MISTRAL, **base))
    assert line.startswith("MISTRAL_BASE_URL ")
    assert "MISTRAL_REGION=global" in line
    assert "BISE_SELF_HOSTED=yes" in line
    assert not configured.provider(read(MISTRAL, BISE_SELF_HOSTED="yes", **base)).priced


@pytest.mark.parametrize(
    ("base", "name", "tenths"),
    [
        ("https://api.mistral.ai", "mistral-global", 10),
        ("https://api.eu.mistral.ai/v1", "mistral-eu", 11),
        ("https://API.EU.mistral.ai./v1/", "mistral-eu", 11),
        ("https://api.us.mistral.ai:443/proxied", "mistral-us", 11),
        ("https://api.eu.mistral.ai.example.org", "custom", 10),
    ],
)
def test_mistrals_own_hosts_have_their_names_and_prices_however_they_are_written(
    base: str, name: str, tenths: int
) -> None:
    home = Home.at(base, "k")
    assert (home.name, home.price_tenths, home.priced) == (name, tenths, True)
    assert home.url("models").startswith(base.rstrip("/"))


def test_a_base_that_is_a_regions_own_is_that_home_and_shares_its_limits() -> None:
    settings = Settings.read(
        {**MISTRAL, "MISTRAL_BASE_URL": "https://api.eu.mistral.ai/v1", "BISE_FALLBACK": "mistral-eu:economy"}, None
    )
    (one,) = configured.fallbacks(settings, CATALOGUE, today=TODAY)
    assert one.provider == configured.provider(settings) == Home.of_region("eu", "secret")


def test_a_way_through_this_machine_costs_what_the_region_costs() -> None:
    for region, tenths in (("eu", 11), ("us", 11), ("global", 10)):
        home = configured.provider(read(MISTRAL, region, MISTRAL_BASE_URL="http://127.0.0.1:1"))
        assert (home.name, home.price_tenths) == ("custom", tenths)


@pytest.mark.parametrize("variable", ["MISTRAL_BASE_URL", "BISE_FALLBACK_BASE_URL"])
def test_a_host_of_mistrals_own_is_nobodys_own_server(variable: str) -> None:
    free = {"MISTRAL_BASE_URL": "http://127.0.0.1:1", "BISE_SELF_HOSTED": "yes", "BISE_FALLBACK": "self-hosted:x"}
    assert "a host of Mistral's own" in line_of(read(MISTRAL, "global", **{**free, variable: "https://api.mistral.ai"}))
