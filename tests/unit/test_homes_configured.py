"""Which home answers and which come after it: told by the settings, or one line that says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from structlog.testing import capture_logs

from core.errors import SettingsError
from core.mistral.catalogue import Catalogue
from core.mistral.providers import configured
from core.mistral.providers.configured import Fallback, provider
from core.mistral.providers.home import Home
from core.settings import Settings

CATALOGUE = Catalogue.load()
TODAY = date(2026, 11, 1)
KEY = {"MISTRAL_API_KEY": "key-of-mistral"}
AZURE = {"AZURE_ENDPOINT": "https://r.services.ai.azure.com", "AZURE_API_KEY": "secret-azure"}
VERTEX = {"GOOGLE_CLOUD_PROJECT": "my-project", "GOOGLE_CLOUD_LOCATION": "europe-west4"}
BEDROCK = {"AWS_REGION": "eu-west-3", "AWS_BEARER_TOKEN_BEDROCK": "secret-bedrock"}
SAGEMAKER = {"AWS_REGION": "eu-west-3", "SAGEMAKER_ENDPOINT_NAME": "ours"}
OWN_SERVER = {"MISTRAL_BASE_URL": "http://127.0.0.1:8/v1", "BISE_SELF_HOSTED": "yes"}
CLOUDS = {"azure": AZURE, "vertex": VERTEX, "bedrock": BEDROCK, "sagemaker": SAGEMAKER}


def settings(*parts: dict[str, str], **more: str) -> Settings:
    return Settings.read({name: value for part in (*parts, more) for name, value in part.items()}, None)


def fallbacks(chosen: Settings) -> tuple[Fallback, ...]:
    return configured.fallbacks(chosen, CATALOGUE, today=TODAY)


def line_of(*parts: dict[str, str], **more: str) -> str:
    with pytest.raises(SettingsError) as caught:
        fallbacks(settings(*parts, **more))
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert "secret" not in line
    return line


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_answers_when_it_is_named_and_not_before(name: str) -> None:
    there = settings(KEY, CLOUDS[name])
    assert isinstance(provider(there), Home), "a variable of a cloud alone changes nothing"
    chosen = settings(CLOUDS[name], BISE_HOME=name)
    assert provider(chosen).name == name
    assert chosen.has_model
    assert not settings(CLOUDS[name]).has_model


def test_odd_values_of_a_cloud_that_nobody_named_are_nobodys_business() -> None:
    odd = {"AWS_REGION": "no region", "AZURE_ENDPOINT": "?", "GOOGLE_CLOUD_PROJECT": "/", "AWS_ACCESS_KEY_ID": "half"}
    assert provider(settings(KEY, odd)).name == "mistral-global"


MISSING = [(name, variable) for name, variables in CLOUDS.items() for variable in variables]
MISSING.remove(("bedrock", "AWS_BEARER_TOKEN_BEDROCK"))  # then AWS's own keys are looked for


@pytest.mark.parametrize(("name", "variable"), MISSING)
def test_what_is_missing_is_told(name: str, variable: str) -> None:
    rest = {other: value for other, value in CLOUDS[name].items() if other != variable}
    line = line_of(rest, BISE_HOME=name)
    assert line.startswith(f"{variable} is missing: BISE_HOME is {name}")
    assert f"{variable}=" in line
    assert line_of(KEY, rest, BISE_FALLBACK=f"{name}:mistral-large-2512").startswith(
        f"{variable} is missing: BISE_FALL"
    )


@pytest.mark.parametrize(
    ("name", "variable", "value"),
    [
        ("azure", "AZURE_ENDPOINT", "http://r.services.ai.azure.com"),
        ("azure", "AZURE_ENDPOINT", "https://r:secret/"),
        ("azure", "AZURE_ENDPOINT", "https://me:secret@r"),
        ("azure", "AZURE_API_KEY", "two secret words"),
        ("vertex", "GOOGLE_CLOUD_LOCATION", "evil.example/"),
        ("vertex", "GOOGLE_CLOUD_PROJECT", "a/b/c"),
        ("bedrock", "AWS_REGION", "evil.example#"),
        ("bedrock", "AWS_ACCESS_KEY_ID", "half"),
        ("bedrock", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "ftp://there"),
        ("sagemaker", "SAGEMAKER_ENDPOINT_NAME", "a/b"),
    ],
)
def test_a_wrong_value_of_a_named_home_is_one_line(name: str, variable: str, value: str) -> None:
    line = line_of({**CLOUDS[name], variable: value}, BISE_HOME=name)
    assert line.startswith(("AWS_SECRET_ACCESS_KEY is missing", variable))


def test_aliases_of_other_tools_are_read() -> None:
    named = {"AZURE_INFERENCE_ENDPOINT": "https://r/models", "AZURE_INFERENCE_CREDENTIAL": "k"}
    assert provider(settings(named, BISE_HOME="azure")).kind == "mistral"
    assert provider(settings(AZURE, BISE_HOME="azure")).kind == "openai"
    bedrock = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_BEARER_TOKEN_BEDROCK": "k"}
    sent = provider(settings(bedrock, BISE_HOME="bedrock")).chat("x", b"{}", stream=False)
    assert sent.url.startswith("https://bedrock-runtime.us-east-1.amazonaws.com/")


def test_a_paid_home_is_not_called_free() -> None:
    line = line_of(BEDROCK, BISE_HOME="bedrock", BISE_SELF_HOSTED="yes")
    assert line.startswith("BISE_SELF_HOSTED is yes, but BISE_HOME is bedrock, which is paid")
    assert not provider(settings(SAGEMAKER, BISE_HOME="sagemaker", BISE_SELF_HOSTED="yes")).priced
    assert all(provider(settings(values, BISE_HOME=name)).priced for name, values in CLOUDS.items())


@pytest.mark.parametrize(
    ("home", "name", "row"),
    [
        ("azure", "Mistral-Large-3", "mistral-large-2512"),
        ("azure", "mistral-medium-2505", "mistral-medium-2505"),
        ("vertex", "mistral-small-2503@001", "mistral-small-2503"),
        ("vertex", "mistral-medium-3", "mistral-medium-2505"),
        ("bedrock", "us.mistral.pixtral-large-2502-v1:0", "pixtral-large-2411"),
        ("bedrock", "mistral.mistral-large-3-675b-instruct", "mistral-large-2512"),
        ("bedrock", "mistral-large-2512", "mistral-large-2512"),
        ("sagemaker", "mistral-small-2503", "mistral-small-2503"),
    ],
)
def test_the_catalogue_prices_what_a_home_calls_by_its_own_name(home: str, name: str, row: str) -> None:
    place = provider(settings(CLOUDS[home], BISE_HOME=home))
    assert place.catalogue_id(name) == row
    assert row in CATALOGUE.models


def test_fallbacks_come_in_order_and_one_home_is_one_home() -> None:
    chain = "mistral-small-latest, azure:Mistral-Large-3, mistral-eu:economy, azure:mistral-small-2503"
    found = fallbacks(settings(KEY, AZURE, BISE_FALLBACK=chain))
    assert [(one.provider.name, one.model, one.provider.price_tenths) for one in found] == [
        ("mistral-global", "mistral-small-2603", 10),
        ("azure", "Mistral-Large-3", 10),
        ("mistral-eu", "mistral-small-2603", 11),
        ("azure", "mistral-small-2503", 10),
    ]
    assert found[1].provider is found[3].provider


def test_a_bare_model_may_have_a_colon_of_its_own() -> None:
    model = "us.mistral.pixtral-large-2502-v1:0"
    for entry in (model, f"bedrock:{model}"):
        (one,) = fallbacks(settings(BEDROCK, BISE_HOME="bedrock", BISE_FALLBACK=entry))
        assert (one.provider.name, one.model) == ("bedrock", model)


def test_a_server_of_ones_own_takes_any_model_and_no_key_of_another() -> None:
    chain = settings(KEY, BISE_FALLBACK="self-hosted:mistral:7b", BISE_FALLBACK_BASE_URL="http://127.0.0.1:9/v1")
    (one,) = fallbacks(chain)
    assert (one.model, one.provider.priced, one.provider.kind) == ("mistral:7b", False, "openai")
    assert "authorization" not in one.provider.chat("mistral:7b", b"{}", stream=True).headers
    assert provider(chain).priced
    assert line_of(KEY, BISE_FALLBACK="self-hosted:x").startswith("BISE_FALLBACK_BASE_URL is missing")


@pytest.mark.parametrize("entry", ["no-such-model", "mars:mistral-large-2512", "azure:no-such", "mistral-ocr-latest"])
def test_a_model_without_a_price_on_a_paid_home_stops_the_start(entry: str) -> None:
    assert line_of(KEY, AZURE, BISE_FALLBACK=entry).startswith("BISE_FALLBACK: no price is known for ")


def test_a_retired_fallback_gives_way_to_its_successor_where_mistral_itself_would_have_it_no_longer() -> None:
    chain = settings(
        KEY, AZURE, BISE_FALLBACK="mistral-large-2411,mistral-eu:mistral-small-2503,azure:mistral-large-2411"
    )
    with capture_logs() as logs:
        found = configured.fallbacks(chain, Catalogue.load(), today=TODAY)
    assert [one.model for one in found] == ["mistral-medium-3-5", "mistral-small-2603", "mistral-large-2411"]
    replaced = [(entry["retired"], entry["replacement"]) for entry in logs if entry["event"] == "model.replaced"]
    assert replaced == [("mistral-large-2411", "mistral-medium-3-5"), ("mistral-small-2503", "mistral-small-2603")]
    before = configured.fallbacks(chain, CATALOGUE, today=date(2026, 5, 1))
    assert before[0].model == "mistral-large-2411", "on its last days it is still called"


def test_a_retired_fallback_without_a_successor_stops_the_start() -> None:
    retired = replace(CATALOGUE.models["mistral-large-2411"], replacement=None)
    models = [retired if model.id == retired.id else model for model in CATALOGUE.models.values()]
    with pytest.raises(SettingsError, match=r"^BISE_FALLBACK: mistral-large-2411 is retired and nothing replaces it"):
        configured.fallbacks(
            settings(KEY, BISE_FALLBACK="mistral-large-2411"), Catalogue(models, CATALOGUE.tiers), today=TODAY
        )


def test_a_tier_in_the_chain_reaches_a_cloud_as_a_models_name() -> None:
    (one,) = fallbacks(settings(KEY, AZURE, BISE_FALLBACK="azure:economy"))
    assert one.model == "mistral-small-2603"


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("azur:Mistral-Large-3", "azure"),
        ("mistal-eu:economy", "mistral-eu"),
        ("Azure:Mistral-Large-3", "azure"),
        ("self_hosted:x", "self-hosted"),
        ("bedrok:x", "bedrock"),
    ],
)
def test_a_misspelt_home_is_not_taken_for_a_model_of_a_server_of_ones_own(entry: str, meant: str) -> None:
    line = line_of(OWN_SERVER, BISE_FALLBACK=entry)
    assert line.startswith("BISE_FALLBACK names the home ")
    assert f"did you mean {meant}?" in line


@pytest.mark.parametrize(
    "model", ["mixtral:8x7b", "mistral-nemo:12b", "ministral:8b", "mistral-small3.2:24b", "qwen3:8b"]
)
def test_a_tagged_model_of_a_server_of_ones_own_is_no_misspelt_home(model: str) -> None:
    (one,) = fallbacks(settings(OWN_SERVER, BISE_FALLBACK=model))
    assert one.model == model


def test_words_may_train_only_where_mistral_may_read_them() -> None:
    def told(*parts: dict[str, str], **more: str) -> bool:
        return settings(*parts, MISTRAL_PLAN="experiment", **more).words_may_train

    assert told(KEY)
    assert told(KEY, MISTRAL_BASE_URL="https://gateway.example.org")
    assert told(KEY, AZURE, BISE_HOME="azure", BISE_FALLBACK="mistral-eu:economy")
    assert told(KEY, OWN_SERVER, BISE_FALLBACK="mistral:economy")
    assert not told(KEY, AZURE, BISE_HOME="azure", BISE_FALLBACK="mistral-large-2512")
    assert not told(KEY, OWN_SERVER, BISE_FALLBACK="my-other-model")
    assert not settings(KEY).words_may_train
    assert not settings(KEY, MISTRAL_PLAN="scale").words_may_train


def test_a_home_without_a_model_stops_the_start() -> None:
    assert line_of(KEY, AZURE, BISE_FALLBACK="azure:").startswith("BISE_FALLBACK must name a model")


def test_a_fallback_to_mistral_needs_its_key() -> None:
    assert line_of(AZURE, BISE_HOME="azure", BISE_FALLBACK="mistral:economy").startswith("MISTRAL_API_KEY is missing")


INSIDE = [
    ("mistral:economy", {}),
    ("mistral-eu:economy", {}),
    ("azure:mistral-large-3", {"AZURE_LOCATION": "Sweden Central"}),
    ("vertex:mistral-medium-3", {}),
    ("bedrock:eu.mistral.pixtral-large-2502-v1:0", {}),
    ("sagemaker:mistral-small-2503", {}),
    ("self-hosted:any", {"BISE_FALLBACK_BASE_URL": "http://127.0.0.1:9"}),
]
OUTSIDE = [
    ("mistral-us:economy", {}),
    ("azure:mistral-large-3", {}),
    ("azure:mistral-large-3", {"AZURE_LOCATION": "uksouth"}),
    ("vertex:mistral-medium-3", {"GOOGLE_CLOUD_LOCATION": "us-central1"}),
    ("vertex:mistral-medium-3", {"GOOGLE_CLOUD_LOCATION": "europe-west2"}),
    ("vertex:mistral-medium-3", {"GOOGLE_CLOUD_LOCATION": "global"}),
    ("bedrock:pixtral-large-2411", {"AWS_REGION": "us-east-1"}),
    ("bedrock:us.mistral.pixtral-large-2502-v1:0", {}),
    ("bedrock:global.mistral.mistral-large-3-675b-instruct", {}),
    ("sagemaker:mistral-small-2503", {"AWS_REGION": "eu-west-2"}),
]
EVERY = {**KEY, **AZURE, **VERTEX, **BEDROCK, **SAGEMAKER}


@pytest.mark.parametrize(("entry", "more"), INSIDE)
def test_a_fallback_inside_the_chosen_region_is_kept(entry: str, more: dict[str, str]) -> None:
    (one,) = fallbacks(settings(EVERY, more, MISTRAL_REGION="eu", BISE_FALLBACK=entry))
    assert one.provider.name.startswith(entry.partition(":")[0])


@pytest.mark.parametrize(("entry", "more"), OUTSIDE)
def test_a_fallback_outside_the_chosen_region_stops_the_start(entry: str, more: dict[str, str]) -> None:
    line = line_of({**EVERY, **more}, MISTRAL_REGION="eu", BISE_FALLBACK=entry)
    assert line.startswith(f"BISE_FALLBACK names {entry}")
    assert "MISTRAL_REGION=eu" in line
    assert fallbacks(settings({**EVERY, **more}, BISE_FALLBACK=entry)), "without a region it may"


def test_the_home_itself_is_held_to_the_chosen_region() -> None:
    with pytest.raises(SettingsError, match="BISE_HOME names bedrock, which is not known to be inside"):
        provider(settings(BEDROCK, BISE_HOME="bedrock", MISTRAL_REGION="us"))


def test_no_key_is_in_a_repr() -> None:
    for name, values in CLOUDS.items():
        home = provider(settings(values, BISE_HOME=name))
        assert "secret" not in f"{home!r} {home.chat('m', b'{}', stream=True)!r}"


def test_no_library_of_a_cloud_is_imported_before_it_is_named() -> None:
    code = (
        "import sys, core.service, core.settings, core.mistral.client\n"
        "from core.mistral.providers.configured import provider\n"
        "provider(core.settings.Settings.read({'MISTRAL_API_KEY': 'k', 'AWS_REGION': 'eu-west-3'}, None))\n"
        "assert not {'botocore', 'google.auth', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
