"""The homes that the settings name: the one that answers, and those to fall back on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pydantic import SecretStr

from core.errors import SettingsError, UnknownModel
from core.mistral.catalogue import TIERS, Catalogue
from core.mistral.providers.home import Home
from core.mistral.providers.places import base_inside, home_inside, model_inside
from core.mistral.providers.provider import Provider
from core.settings import Settings
from core.settings_homes import FallbackHome, fallback_entry


@dataclass(frozen=True, slots=True)
class Fallback:
    """What to ask instead: `model` as `provider` calls it."""

    provider: Provider
    model: str


def provider(settings: Settings) -> Provider:
    """The home that answers. Raises SettingsError, also where it or a model that the settings name for it may be
    outside a chosen MISTRAL_REGION.
    """
    _check_place(settings, settings.home, "", "BISE_HOME")
    models = {
        "BISE_MODEL": settings.model,
        "BISE_ECONOMY_MODEL": settings.economy_model,
        "BISE_VISION_MODEL": settings.vision_model,
    }
    for variable, model in models.items():
        _check_place(settings, settings.home, model, variable)
    if settings.home == "mistral" and settings.mistral_base_url is not None:
        return _at_base(settings.mistral_base_url, settings)
    return _home(settings.home, settings)


def fallbacks(
    settings: Settings, catalogue: Catalogue, *, today: date, first: Provider | None = None
) -> tuple[Fallback, ...]:
    """Every entry of BISE_FALLBACK in order; homes named twice are one home. `first`: the one that answers, if it is
    there already: then it is the same object wherever the chain names it.

    A model that is retired `today` gives way to its successor, except on a home with names of its own. Raises
    SettingsError for a home that is not set up or lies outside a chosen MISTRAL_REGION, for a model that leads out of
    it, that is retired without a successor, or that has no price on a home that is paid.
    """
    first = first or provider(settings)
    # A cloud that is the home already is the same place, with the same limits. Of Mistral's hosts, equality tells.
    homes: dict[FallbackHome, Provider] = {} if settings.home == "mistral" else {settings.home: first}
    found = []
    for entry in settings.fallback:
        name, model = fallback_entry(entry)
        if name is None:
            home = first
            _check_place(settings, settings.home, model, "BISE_FALLBACK")
        else:
            _check_place(settings, name, model, "BISE_FALLBACK")
            home = homes.get(name) or _home(name, settings)
            homes[name] = home
        found.append(Fallback(home, _priced(home, model, catalogue, today)))
    return tuple(found)


def _at_base(base_url: str, settings: Settings) -> Home:
    """MISTRAL_BASE_URL. On this machine in a chosen region, it is taken for a way to Mistral's host there."""
    region, key = settings.mistral_region, _plain(settings.mistral_api_key)
    if settings.self_hosted:
        return Home.at(base_url, key, self_hosted=True)
    if region != "global" and not base_inside(region, base_url):
        raise SettingsError(
            f"MISTRAL_BASE_URL is not known to be inside MISTRAL_REGION={region}: take it away, or set "
            "MISTRAL_REGION=global, or BISE_SELF_HOSTED=yes if the server is your own."
        )
    return Home.at(base_url, key, price_tenths=Home.of_region(region, "").price_tenths)


def _home(name: FallbackHome, settings: Settings) -> Provider:
    """That home as the settings describe it. The libraries of a cloud are imported here, not before."""
    key = _plain(settings.mistral_api_key)
    match name:
        case "mistral":
            return Home.of_region(settings.mistral_region, key)
        case "mistral-eu":
            return Home.of_region("eu", key)
        case "mistral-us":
            return Home.of_region("us", key)
        case "self-hosted":
            # A server named for the fallback alone never sees the key of Mistral's API.
            its_key = key if settings.fallback_base_url is None else ""
            return Home.at(_set(settings.own_server), its_key, self_hosted=True)
        case "azure":
            from core.mistral.providers.azure import Azure

            return Azure(_set(settings.azure_endpoint), _plain(settings.azure_api_key), settings.azure_api_version)
        case "vertex":
            from core.mistral.providers.vertex import GoogleToken, Vertex

            project, location = _set(settings.google_cloud_project), _set(settings.google_cloud_location)
            token = GoogleToken(settings.google_application_credentials)
            return Vertex(project, location, token, settings.google_endpoint)
        case "bedrock" | "sagemaker":
            return _of_aws(name, settings)


def _of_aws(name: str, settings: Settings) -> Provider:
    from core.mistral.providers.aws import AwsKeys, AwsSigner

    region = _set(settings.aws_region)
    keys = AwsKeys(
        _plain(settings.aws_access_key_id),
        _plain(settings.aws_secret_access_key),
        _plain(settings.aws_session_token) or None,
        settings.aws_profile,
    )
    if name == "sagemaker":
        from core.mistral.providers.sagemaker import SageMaker

        return SageMaker(
            region,
            _set(settings.sagemaker_endpoint_name),
            AwsSigner("sagemaker", region, keys),
            priced=not settings.self_hosted,
            endpoint=settings.aws_endpoint_url_sagemaker_runtime,
        )
    from core.mistral.providers.bedrock import Bedrock

    bearer = _plain(settings.aws_bearer_token_bedrock)
    signer = None if bearer else AwsSigner("bedrock", region, keys)
    return Bedrock(region, key=bearer, signer=signer, endpoint=settings.aws_endpoint_url_bedrock_runtime)


def _priced(home: Provider, model: str, catalogue: Catalogue, today: date) -> str:
    """The name to call: a dated id that is not retired on Mistral's own API, the home's own elsewhere."""
    if not home.priced:
        return model
    row = catalogue.resolve(home.catalogue_id(model))
    if row is None or not row.chat or not row.prices:
        raise SettingsError(
            f"BISE_FALLBACK: no price is known for {model[:80]} on {home.name}, which is paid; `bise models` lists "
            "what is known, BISE_CATALOGUE_FILE adds to it. Example: BISE_FALLBACK=mistral:mistral-small-2603"
        )
    if home.own_names:
        return row.id if model in TIERS else model  # a tier is a word of ours, which no home knows
    try:
        return catalogue.choose(row.id, today=today).model.id
    except UnknownModel as exc:
        raise SettingsError(
            f"BISE_FALLBACK: {model[:80]} is retired and nothing replaces it; `bise models` lists what is live. "
            "Example: BISE_FALLBACK=mistral:mistral-small-2603"
        ) from exc


def _check_place(settings: Settings, home: str, model: str, variable: str) -> None:
    """Raises SettingsError if the home, or the model there, is not known to be inside a chosen MISTRAL_REGION."""
    region = settings.mistral_region
    if region == "global" or (home_inside(region, home, settings) and (not model or model_inside(region, home, model))):
        return
    named = model if variable.endswith("_MODEL") else f"{home}:{model}" if model else home
    where = {
        "azure": " (AZURE_LOCATION says where the resource is)",
        "vertex": " (GOOGLE_CLOUD_LOCATION, and an endpoint of your own, say where it is)",
        "bedrock": " (AWS_REGION, an endpoint of your own and a profile in the model's name say where it is)",
        "sagemaker": " (AWS_REGION, and an endpoint of your own, say where it is)",
    }.get(home, "")
    raise SettingsError(
        f"{variable} names {named[:100]}, which is not known to be inside "
        f"MISTRAL_REGION={region}{where}: choose one that is, or MISTRAL_REGION=global."
    )


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _set(value: str | None) -> str:
    """A setting whose presence the settings have checked."""
    if value is None:
        raise SettingsError("a home is named whose settings are missing")
    return value
