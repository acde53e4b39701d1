"""The names of assistants and models that a person can choose: pure look-ups, nothing is stored here."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from core.errors import UnknownModel, WrongUse
from core.messages import Notice
from core.mistral.catalogue import TIERS, Catalogue
from core.mistral.models import Model
from core.mistral.providers import configured, places
from core.mistral.providers.provider import Provider
from core.ports import Clock
from core.settings import Settings
from core.store.choices import What
from core.turns import tiers
from core.turns.assistants import DEFAULT, Assistant, Assistants

_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,79}")
_OFFERED_AT_MOST = 25  # what Discord takes
_BROUGHT = "what the assistant brings"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name to choose, and what a person reads beside it."""

    name: str
    description: str


class Names:
    """Which names there are. On a home that is priced only models that the catalogue prices, else any name will do."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, assistants: Assistants, clock: Clock, home: Provider
    ) -> None:
        self.assistants = assistants
        self._settings = settings
        self._catalogue = catalogue
        self._clock = clock
        self._home = home

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> Names:
        """The names by the settings alone. Raises SettingsError."""
        catalogue = Catalogue.load(settings.catalogue_file)
        assistants = Assistants.load(settings.assistants_file, system_prompt=settings.system_prompt)
        return cls(settings, catalogue, assistants, clock, configured.provider(settings))

    def pick(self, what: What, written: str) -> str | None:
        """The name to store for what a person wrote; None for "default", which takes a choice back.

        Raises WrongUse, which names the nearest names.
        """
        name = _bare(written)
        if name.lower() == DEFAULT:
            return None
        found = self._assistant(name) if what == "assistant" else self._model(name)
        if found is None:
            known = ", ".join(self.near(what, name) or self.every(what))
            raise WrongUse(f"There is no {what} “{name[:80]}”. You can write: {known}.")
        return found

    def problem(self, what: What, written: str) -> Notice | None:
        """Why that cannot be chosen, with the nearest names and all of them; None if it can."""
        try:
            self.pick(what, written)
        except WrongUse:
            near, known = ", ".join(self.near(what, written)), ", ".join(self.every(what))
            values = {"what": what, "name": _bare(written)[:80], "near": near, "known": known}
            return Notice("choice_unknown", values)
        return None

    def every(self, what: What) -> tuple[str, ...]:
        """The names to show to people, at most 25: assistants; "default", the tiers and the models of today."""
        return tuple(suggestion.name for suggestion in self.suggestions(what))

    def near(self, what: What, written: str) -> tuple[str, ...]:
        """At most three names that are much like what was written."""
        return tuple(difflib.get_close_matches(_bare(written).lower(), self.every(what), n=3, cutoff=0.7))

    def suggestions(self, what: What, typed: str = "") -> tuple[Suggestion, ...]:
        """What to offer while a person types, at most 25: names that begin so, then those that have it in them."""
        typed = typed.strip().lower()
        every = self._every_assistant() if what == "assistant" else self._every_model()
        found = [one for one in every if typed in one.name.lower()]
        found.sort(key=lambda one: not one.name.lower().startswith(typed))
        return tuple(found[:_OFFERED_AT_MOST])

    def answering(self, model: str) -> str | None:
        """The dated id that answers for a model's name or a tier; None if none can be called, or only outside of a
        chosen MISTRAL_REGION.

        Where the home has names of its own, that name.
        """
        if model in TIERS:
            model = tiers.name_of(model, self._settings, self._catalogue, self._home)
        if self._home.own_names:
            if not places.choosable(self._settings, model):
                return None
            row = self._catalogue.resolve(self._home.catalogue_id(model))
            return model if not self._home.priced or (row is not None and row.chat and row.prices) else None
        try:
            return self._catalogue.choose(model, today=self._clock.now().date()).model.id
        except UnknownModel:
            return None

    def of_tier(self, assistant: Assistant) -> str:
        """The model that answers for an assistant where nobody chose one."""
        name = tiers.name_of(assistant.tier, self._settings, self._catalogue, self._home)
        return self.answering(name) or name

    def _assistant(self, name: str) -> str | None:
        lowered = name.lower().replace(" ", "-").replace("_", "-")
        return lowered if lowered in self.assistants else None

    def _model(self, name: str) -> str | None:
        if not self._home.priced:
            return name if _MODEL_NAME.fullmatch(name) else None
        return next((written for written in (name, name.lower()) if self.answering(written) is not None), None)

    def _every_assistant(self) -> list[Suggestion]:
        return [Suggestion(one.name, one.description) for one in self.assistants.values()]

    def _every_model(self) -> list[Suggestion]:
        default = Suggestion(DEFAULT, _BROUGHT)
        if self._home.own_names:
            return [default, Suggestion(self._settings.model, "")]
        today = self._clock.now().date()
        models = [model for model in self._catalogue.models.values() if model.chat and not model.retired(today)]
        by_tier = [Suggestion(tier, self.answering(tier) or "") for tier in TIERS]
        return [default, *by_tier, *(Suggestion(model.id, _traits(model)) for model in models)]


def _bare(written: str) -> str:
    """A name without what people put around it."""
    return written.strip().strip("`\"'“”‘’").rstrip(".!").strip()


def _traits(model: Model) -> str:
    return f"reads {model.context // 1000}k tokens{', sees images' if model.vision else ''}"
