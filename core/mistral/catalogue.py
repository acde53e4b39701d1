"""Which models there are, under which names, and what follows a retired one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import structlog

from core.errors import SettingsError, UnknownModel
from core.mistral import catalogue_file
from core.mistral.models import Model

_log = structlog.get_logger()
BUILT_IN = Path(__file__).with_name("catalogue.toml")
TIERS = ("best", "balanced", "economy", "vision")


@dataclass(frozen=True, slots=True)
class Choice:
    """The model to call. `replaced` is the id of the retired one that was asked for, else None."""

    model: Model
    replaced: str | None = None


class Catalogue:
    """Models by dated id, alias and tier. Its rows never change once loaded."""

    def __init__(self, models: Collection[Model], tiers: Mapping[str, str]) -> None:
        self.models: Mapping[str, Model] = {model.id: model for model in models}
        self.tiers: Mapping[str, str] = dict(tiers)
        aliases = {alias: model.id for model in models for alias in model.aliases}
        self._ids: Mapping[str, str] = aliases | {id_: id_ for id_ in self.models}
        self._told: set[tuple[str, str]] = set()
        self._check(models)

    @classmethod
    def load(cls, path: Path | None = None) -> Catalogue:
        """The built-in catalogue, with the operator's file laid over it; SettingsError says what is wrong with that."""
        built_in = catalogue_file.read(BUILT_IN)
        if path is None:
            return cls(*catalogue_file.models_and_tiers(built_in))
        try:
            own = catalogue_file.read(path)
            return cls(*catalogue_file.models_and_tiers(catalogue_file.merged(built_in, own)))
        except ValueError as exc:
            reason = " ".join(str(exc).split())
            raise SettingsError(
                f"BISE_CATALOGUE_FILE: {path}: {reason}. Example of a file: {catalogue_file.EXAMPLE}"
            ) from exc

    def resolve(self, name: str) -> Model | None:
        """The dated model behind an id, an alias or a tier; None if there is none."""
        id_ = self._ids.get(self.tiers.get(name, name))
        return self.models[id_] if id_ is not None else None

    def replacement(self, name: str, *, today: date) -> Model | None:
        """What to call instead of `name`, following successors until one that is not retired; None if there is none."""
        model = self.resolve(name)
        while model is not None and model.replacement is not None:
            model = self.resolve(model.replacement)
            if model is not None and not model.retired(today):
                return model
        return None

    def choose(self, name: str, *, today: date, served: Collection[str] | None = None) -> Choice:
        """The model to call for `name`. `served`: the names that the home says it has, None if it was not asked.

        A home that serves a retired model keeps it; elsewhere its replacement is chosen. UnknownModel if no chat model
        of that name can be called.
        """
        model = self.resolve(name)
        if model is None or not model.chat:
            raise UnknownModel(f"no chat model of this name in the catalogue: {name[:80]}")
        if self._callable(model, name, today, served):
            return Choice(model)
        successor = self.replacement(name, today=today)
        if successor is not None:
            return self._replaced(model, successor)
        if model.retired(today):
            raise UnknownModel(f"{model.id} is retired and nothing replaces it")
        return Choice(model)

    def vision_model(
        self, configured: str, conversation_model: str, *, today: date, served: Collection[str] | None = None
    ) -> Choice:
        """The model that reads images: the configured one where it is served; where it is retired, the conversation's
        model if it can see, else the first successor that can. UnknownModel if none can."""
        wanted = self.resolve(configured)
        if wanted is None or not wanted.chat:
            raise UnknownModel(f"no chat model of this name in the catalogue: {configured[:80]}")
        if self._callable(wanted, configured, today, served):
            return Choice(wanted)
        current = self.resolve(conversation_model)
        if current is not None and current.vision and self._callable(current, conversation_model, today, served):
            return self._replaced(wanted, current)
        successor = self.replacement(configured, today=today)
        while successor is not None and not successor.vision:
            successor = self.replacement(successor.id, today=today)
        if successor is not None:
            return self._replaced(wanted, successor)
        if wanted.retired(today):
            raise UnknownModel(f"{wanted.id} is retired and no successor can see")
        return Choice(wanted)

    def _callable(self, model: Model, name: str, today: date, served: Collection[str] | None) -> bool:
        if served is None:
            return not model.retired(today)
        return any(known in served for known in (model.id, name, *model.aliases))

    def _replaced(self, model: Model, successor: Model) -> Choice:
        if (model.id, successor.id) not in self._told:  # one line, not one per turn
            self._told.add((model.id, successor.id))
            _log.info("model.replaced", retired=model.id, replacement=successor.id)
        return Choice(successor, replaced=model.id)

    def _check(self, models: Collection[Model]) -> None:
        if len(self.models) != len(models):
            raise ValueError("an id is there twice")
        seen: dict[str, str] = {}
        for model in models:
            for alias in model.aliases:
                if alias in self.models or seen.setdefault(alias, model.id) != model.id:
                    raise ValueError(f"the alias {alias!r} names two models")
            self._check_successors(model)
        for tier, id_ in self.tiers.items():
            if tier not in TIERS or id_ not in self._ids:
                raise ValueError(f"tiers.{tier} = {id_!r}: tiers are {', '.join(TIERS)}, and each names a model")
        if missing := [tier for tier in TIERS if tier not in self.tiers]:
            raise ValueError(f"no tier {missing[0]!r}")

    def _check_successors(self, model: Model) -> None:
        passed = {model.id}
        while model.replacement is not None:
            successor: Any = self.models.get(self._ids.get(model.replacement, ""))
            if successor is None:
                raise ValueError(f"{model.id} is replaced by an unknown model: {model.replacement!r}")
            if successor.id in passed:
                raise ValueError(f"the replacements of {model.id!r} go in a circle")
            passed.add(successor.id)
            model = successor
