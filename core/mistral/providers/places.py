"""Whether a home keeps words inside a region of the world that MISTRAL_REGION names."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from core.mistral.providers.home import region_at
from core.mistral.providers.provider import is_loopback
from core.settings_homes import HomeSettings

Fence = Literal["eu", "us"]
# Regions whose names say Europe, and which are not in the European Union.
_NOT_EU = frozenset({"eu-west-2", "eu-central-2", "europe-west2", "europe-west6"})
_AZURE_EU = frozenset(
    {
        "austriaeast",
        "belgiumcentral",
        "francecentral",
        "francesouth",
        "germanynorth",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "polandcentral",
        "spaincentral",
        "swedencentral",
        "swedensouth",
        "westeurope",
    }
)
_AZURE_US = frozenset(
    {
        "centralus",
        "eastus",
        "eastus2",
        "northcentralus",
        "southcentralus",
        "westcentralus",
        "westus",
        "westus2",
        "westus3",
    }
)
# Addresses of Azure that name their region right before these.
_AZURE_REGIONAL = (
    ".models.ai.azure.com",
    ".inference.ai.azure.com",
    ".inference.ml.azure.com",
    ".api.cognitive.microsoft.com",
)
_AWS_HOSTS = (".amazonaws.com", ".api.aws")
_AWS_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_GOOGLE_HOST = re.compile(r"(?:([a-z0-9-]+)-aiplatform|aiplatform\.([a-z0-9-]+)\.rep)\.googleapis\.com")
# What AWS's long names name that stays in the region they name; what a profile is made of, its own long name hides.
_ARN = re.compile(r"arn:aws[a-z-]*:(?:bedrock|sagemaker):([a-z0-9-]+):[0-9]*:([a-z-]+)/(.+)")
_ARN_STAYS = frozenset(
    {"foundation-model", "provisioned-model", "custom-model", "custom-model-deployment", "imported-model", "endpoint"}
)
# The catalogue's names, which become Bedrock's own; a profile's short id has no hyphen.
_PLAIN = re.compile(r"[a-z]+(-[a-z0-9]+)+(\.\d+)?")


def home_inside(region: Fence, home: str, settings: HomeSettings) -> bool:
    """Whether that home, at the address that is set for it, lies in the region. A server of one's own is where one
    wants it to be; Mistral's own API is called in MISTRAL_REGION itself.
    """
    match home:
        case "mistral" | "self-hosted":
            return True
        case "mistral-eu" | "mistral-us":
            return home == f"mistral-{region}"
        case "azure":
            location = (settings.azure_location or "").lower().replace(" ", "")
            return location in _azure(region) and _azure_address_inside(region, settings.azure_endpoint)
        case "vertex":
            there = settings.google_cloud_location or ""
            return _named(there, region) and _google_address_inside(region, settings.google_endpoint)
        case "bedrock":
            address = settings.aws_endpoint_url_bedrock_runtime
        case _:
            address = settings.aws_endpoint_url_sagemaker_runtime
    return _named(settings.aws_region or "", region) and _aws_address_inside(region, address)


def base_inside(region: Fence, base_url: str) -> bool:
    """Whether a paid server at MISTRAL_BASE_URL is known to be there: this machine, or Mistral's host of the region."""
    return is_loopback(base_url) or region_at(base_url) == region


def model_inside(region: Fence, home: str, model: str) -> bool:
    """Whether what the home calls `model` is computed in the region, given that the home lies in it.

    Only Bedrock's names can lead out of it: a profile says by its first part among which regions Bedrock may choose.
    """
    if home != "bedrock":
        return True
    if model.startswith("arn:"):
        return _arn_inside(region, model)
    profile, named, _ = model.partition("mistral.")
    return profile in ("", f"{region}.") if named else _PLAIN.fullmatch(model) is not None


def choosable(settings: HomeSettings, model: str) -> bool:
    """Whether somebody may choose `model` on the home that answers, for all that MISTRAL_REGION says."""
    return settings.mistral_region == "global" or model_inside(settings.mistral_region, settings.home, model)


def _named(place: str, region: Fence) -> bool:
    if place in _NOT_EU:
        return False
    beginnings = ("eu-", "europe-") if region == "eu" else ("us-",)
    return place == region or place.startswith(beginnings)


def _azure(region: Fence) -> frozenset[str]:
    return _AZURE_EU if region == "eu" else _AZURE_US


def _azure_address_inside(region: Fence, address: str | None) -> bool:
    """A resource's own address says nothing of its place, a regional one must not say another."""
    host = _host(address)
    suffix = next((suffix for suffix in _AZURE_REGIONAL if host.endswith(suffix)), None)
    return suffix is None or host.removesuffix(suffix).rpartition(".")[2] in _azure(region)


def _google_address_inside(region: Fence, address: str | None) -> bool:
    if address is None or is_loopback(address):
        return True
    found = _GOOGLE_HOST.fullmatch(_host(address))
    return found is not None and _named(found[1] or found[2], region)


def _aws_address_inside(region: Fence, address: str | None) -> bool:
    if address is None or is_loopback(address):
        return True
    host = _host(address)
    places = [label for label in host.split(".") if _AWS_REGION.fullmatch(label)]
    return host.endswith(_AWS_HOSTS) and bool(places) and all(_named(place, region) for place in places)


def _arn_inside(region: Fence, arn: str) -> bool:
    found = _ARN.fullmatch(arn)
    if found is None or not _named(found[1], region):
        return False
    kind, name = found[2], found[3]
    return kind in _ARN_STAYS or (kind == "inference-profile" and name.startswith(f"{region}."))


def _host(address: str | None) -> str:
    return (urlsplit(address or "").hostname or "").rstrip(".")
