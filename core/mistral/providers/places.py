"""Whether a home keeps words inside a region of the world that MISTRAL_REGION names."""

from __future__ import annotations

from typing import Literal

from core.settings_homes import HomeSettings

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
_ELSEWHERE = ("global.", "apac.", "jp.", "au.", "ca.", "sa.", "us-gov.")


def inside(region: Literal["eu", "us"], home: str, model: str, settings: HomeSettings) -> bool:
    """Whether `model` at `home` is computed in that region. A server of one's own is where one wants it to be."""
    match home:
        case "mistral" | "self-hosted":
            return True  # Mistral's own API is called in MISTRAL_REGION itself
        case "mistral-eu" | "mistral-us":
            return home == f"mistral-{region}"
        case "azure":
            location = (settings.azure_location or "").lower().replace(" ", "")
            return location in (_AZURE_EU if region == "eu" else _AZURE_US)
        case "vertex":
            return _named(settings.google_cloud_location or "", region)
        case _:
            return _named(settings.aws_region or "", region) and _profile_inside(model, region)


def _named(place: str, region: str) -> bool:
    if place in _NOT_EU:
        return False
    beginnings = ("eu-", "europe-") if region == "eu" else ("us-",)
    return place == region or place.startswith(beginnings)


def _profile_inside(model: str, region: str) -> bool:
    """An inference profile's first part says among which regions Bedrock may choose."""
    other = "us." if region == "eu" else "eu."
    return not model.startswith((*_ELSEWHERE, other))
