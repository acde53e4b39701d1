"""What the provider's prompt cache has saved, at the prices that calls were billed at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from core.mistral.catalogue import Catalogue
from core.mistral.models import MILLION
from core.mistral.providers.provider import Provider
from core.store.report_figures import Part


@dataclass(frozen=True, slots=True)
class Prices:
    """The catalogue, and by how many tenths a home multiplies it. Homes that are not named here save nothing."""

    catalogue: Catalogue
    tenths: Mapping[str, int]

    @classmethod
    def at(cls, catalogue: Catalogue, homes: Iterable[Provider]) -> Prices:
        return cls(catalogue, {home.name: home.price_tenths for home in homes if home.priced})

    def saved(self, parts: Iterable[Part]) -> int:
        """Micro-dollars that cached tokens would have cost more without the cache, rounded down once."""
        total = 0
        for part in parts:
            model = self.catalogue.models.get(part.model)
            if model is None or not model.prices or part.price_from is None or not part.cached_tokens:
                continue
            price = model.price(part.price_from)
            cheaper = price.input_microusd - price.cached_microusd
            total += part.cached_tokens * cheaper * self.tenths.get(part.home, 0)
        return max(total // (10 * MILLION), 0)
