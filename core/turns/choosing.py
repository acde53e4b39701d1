"""Which model answers a turn."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from core.errors import UnknownModel
from core.mistral.catalogue import Catalogue, Choice
from core.mistral.models import Model
from core.ports import Clock
from core.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Models:
    """The models that a turn may call. `vision` is None where none can see."""

    text: Model
    vision: Model | None


class ModelChoice:
    """Turns the settings' names into dated models; remembers what the home has told to be gone."""

    def __init__(self, settings: Settings, catalogue: Catalogue, clock: Clock) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._clock = clock
        self._gone: dict[str, str] = {}

    def models(self) -> Models:
        """The models for a turn that begins now. Raises UnknownModel on a priced home that has no such model."""
        text = self._text(self._settings.model)
        return Models(text, text if text.vision and self._settings.self_hosted else self._vision(text))

    def replacement(self, gone: Model) -> Model | None:
        """What to call from now on instead of a model that the home says it has not. None: nothing."""
        if self._settings.self_hosted:
            return None
        successor = self._catalogue.replacement(gone.id, today=self._clock.now().date())
        if successor is not None:
            self._gone[gone.id] = successor.id
            _log.warning("model.replaced", model=gone.id, by=successor.id, why="the home does not have it")
        return successor

    def _text(self, name: str) -> Model:
        if self._settings.self_hosted:
            return self._own(name)
        return self._current(self._catalogue.choose(name, today=self._clock.now().date()))

    def _vision(self, text: Model) -> Model | None:
        name = self._settings.vision_model
        if self._settings.self_hosted:
            return self._own(name, vision=True) if "vision_model" in self._settings.model_fields_set else None
        try:
            return self._current(self._catalogue.vision_model(name, text.id, today=self._clock.now().date()))
        except UnknownModel:
            return None

    def _own(self, name: str, *, vision: bool = False) -> Model:
        known = self._catalogue.resolve(name)
        return known if known is not None else Model.unlisted(name, vision=vision)

    def _current(self, choice: Choice) -> Model:
        successor = self._catalogue.resolve(self._gone.get(choice.model.id, choice.model.id))
        return successor or choice.model
