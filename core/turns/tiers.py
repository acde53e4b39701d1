"""The one place where a tier becomes the name of a model."""

from __future__ import annotations

from core.mistral.catalogue import Catalogue
from core.mistral.providers.provider import Provider
from core.settings import Settings


def name_of(tier: str, settings: Settings, catalogue: Catalogue, home: Provider) -> str:
    """What to call for best, balanced, economy or vision: the settings' names, and the catalogue's for the best.

    A home with names of its own has BISE_MODEL for all tiers, but those whose setting was written for it.
    """
    named = {"economy": ("economy_model", settings.economy_model), "vision": ("vision_model", settings.vision_model)}
    field, name = named.get(tier, ("model", settings.model))
    if home.own_names:
        return name if field in settings.model_fields_set else settings.model
    return catalogue.tiers["best"] if tier == "best" else name
