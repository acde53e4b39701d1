"""The ways to a model: the home of choice first, then the fallback chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient
from core.mistral.models import Model
from core.mistral.providers import configured
from core.mistral.providers.provider import Provider
from core.mistral.throttle.circuit import Trouble
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from core.ports import Clock, LanguageModel
from core.settings import Settings

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Route:
    """A home, and what calls it. `only`: the one model that a fallback calls there; None: chosen by turn.

    `queues`: requests wait for a free place, and Admitted tells when they leave; else they leave at once.
    """

    home: Provider
    model: LanguageModel
    only: Model | None = None
    queues: bool = True


class Routes:
    """Every home that the settings name, each with one client and one throttle, whatever the number of its models."""

    def __init__(self, settings: Settings, catalogue: Catalogue, clock: Clock, model: LanguageModel | None) -> None:
        """Raises SettingsError. `model`: what answers instead of the home of choice."""
        self._settings = settings
        self._catalogue = catalogue
        self._clock = clock
        self._clients: list[MistralClient] = []
        self._throttles: dict[Provider, ThrottledModel] = {}
        self.on_trouble: Callable[[Provider, Trouble | None], None] = _only_logged
        self.home = configured.provider(settings)
        self.client, throttled = self._called(self.home)
        routes = [Route(self.home, model or throttled, queues=model is None)]
        for fallback in configured.fallbacks(settings, catalogue, first=self.home, today=clock.now().date()):
            home = self.home if fallback.provider == self.home else fallback.provider
            routes.append(Route(home, self._of(home), _row(fallback, catalogue)))
        self.routes = tuple(routes)

    def trouble(self) -> str | None:
        """Which homes are not called at present, and why, as people who run this read it; None: all is well."""
        found = [f"{home.name}: {at.trouble.kind}" for home, at in self._throttles.items() if at.trouble is not None]
        return ", ".join(found) or None

    async def aclose(self) -> None:
        """Ends what waits or checks, and closes the connections."""
        await asyncio.gather(*(throttle.aclose() for throttle in self._throttles.values()))
        await asyncio.gather(*(client.aclose() for client in self._clients))

    def _of(self, home: Provider) -> ThrottledModel:
        if home not in self._throttles:
            self._called(home)
        return self._throttles[home]

    def _called(self, home: Provider) -> tuple[MistralClient, ThrottledModel]:
        made: ThrottledModel

        def learn(told: Mapping[str, str]) -> None:  # the client tells what is made after it
            made.learn(told)

        client = MistralClient(home, catalogue=self._catalogue, on_headers=learn)
        made = ThrottledModel(
            client,
            limits=limits_of(self._settings, home),
            clock=self._clock,
            concurrency=self._settings.max_concurrent_turns,
            probe=client.models if home.models() is not None else None,
            on_change=lambda trouble: self.on_trouble(home, trouble),
        )
        self._clients.append(client)
        self._throttles[home] = made
        return client, made


class Path:
    """The routes of one turn in their order, and which of them is being tried. `sees`: the model has to see images."""

    def __init__(self, routes: tuple[Route, ...], model: Model, *, sees: bool) -> None:
        self._left = [
            (route, route.only)
            for route in routes[1:]
            if route.only is not None
            and (route.only.vision or not sees)
            and (route.home, route.only.id) != (routes[0].home, model.id)  # what has just failed is no way out
        ]
        self.route = routes[0]
        self.model = model
        self.sees = sees

    @property
    def has_next(self) -> bool:
        return bool(self._left)

    def go_on(self) -> None:
        """Takes the next of the chain."""
        self.route, self.model = self._left.pop(0)


def limits_of(settings: Settings, home: Provider) -> Limits:
    """What is known of a home before its first answer: MISTRAL_PLAN is of Mistral's own, of others nothing is."""
    return Limits.of_plan(settings.mistral_plan, self_hosted=not home.name.startswith("mistral-"))


def _row(fallback: configured.Fallback, catalogue: Catalogue) -> Model:
    """The row of a fallback's model, under the name that its home knows."""
    row = catalogue.resolve(fallback.provider.catalogue_id(fallback.model))
    return replace(row, id=fallback.model) if row is not None else Model.unlisted(fallback.model)


def _only_logged(home: Provider, trouble: Trouble | None) -> None:
    if trouble is not None:
        _log.info("model.trouble", home=home.name, kind=trouble.kind)
    else:
        _log.info("model.trouble_over", home=home.name)
