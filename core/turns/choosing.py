"""Which model answers a turn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from core.errors import UnknownModel
from core.mistral.catalogue import TIERS, Catalogue, Choice
from core.mistral.models import Model
from core.mistral.providers import places
from core.mistral.providers.provider import Provider
from core.ports import Clock
from core.settings import Settings
from core.turns import tiers

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Models:
    """The models that a turn may call. `vision` is None where none can see."""

    text: Model
    vision: Model | None


class ModelChoice:
    """Turns names and tiers into models as their home calls them; remembers what the home has told to be gone."""

    def __init__(self, settings: Settings, catalogue: Catalogue, clock: Clock, home: Provider) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._clock = clock
        self._home = home
        self._by = (settings, catalogue, home)
        self._gone: dict[str, str] = {}

    def models(self, *, tier: str = "balanced", name: str | None = None) -> Models:
        """The models for a turn that begins now: of a tier, or `name`, which somebody chose for this place.

        Raises UnknownModel on a priced home that has no such model, or where it leads out of MISTRAL_REGION.
        """
        if name in TIERS:  # a word of ours, which no home knows
            tier, name = name, None
        if name is not None:
            chosen = self._model(name)
            return Models(chosen, chosen if chosen.vision else self._vision(chosen))
        text = self._model(tiers.name_of("balanced" if tier == "vision" else tier, *self._by))
        vision = self._vision(text)
        return Models(vision, vision) if tier == "vision" and vision is not None else Models(text, vision)

    def replacement(self, gone: Model) -> Model | None:
        """What to call from now on instead of a model that the home says it has not. None: nothing."""
        if self._home.own_names:
            return None
        successor = self._catalogue.replacement(gone.id, today=self._clock.now().date())
        if successor is not None:
            self._gone[gone.id] = successor.id
            _log.warning("model.replaced", model=gone.id, by=successor.id, why="the home does not have it")
        return successor

    def _model(self, name: str) -> Model:
        if self._home.own_names:
            if name in TIERS:  # a word of ours, which no home knows
                name = tiers.name_of(name, *self._by)
            return self._as_called_there(name)
        return self._current(self._catalogue.choose(name, today=self._clock.now().date()))

    def _vision(self, text: Model) -> Model | None:
        name = self._settings.vision_model
        if self._home.own_names:
            if text.vision:
                return text
            chosen = "vision_model" in self._settings.model_fields_set
            return self._as_called_there(name, vision=True) if chosen else None
        try:
            return self._current(self._catalogue.vision_model(name, text.id, today=self._clock.now().date()))
        except UnknownModel:
            return None

    def _as_called_there(self, name: str, *, vision: bool = False) -> Model:
        """The row that describes a model of that home, under the name that the home knows."""
        if not places.choosable(self._settings, name):
            raise UnknownModel(f"not known to be inside MISTRAL_REGION={self._settings.mistral_region}: {name[:80]}")
        row = self._catalogue.resolve(self._home.catalogue_id(name))
        if row is not None and (not self._home.priced or (row.chat and row.prices)):
            return replace(row, id=name)
        if self._home.priced:
            raise UnknownModel(f"no model of the catalogue prices this one of {self._home.name}: {name[:80]}")
        return Model.unlisted(name, vision=vision)

    def _current(self, choice: Choice) -> Model:
        successor = self._catalogue.resolve(self._gone.get(choice.model.id, choice.model.id))
        return successor or choice.model
