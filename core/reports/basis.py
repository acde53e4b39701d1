"""What a report rests on besides the store: when it is made, the limits by default, prices, a second currency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from core.budgets.terms import Terms
from core.mistral.catalogue import Catalogue
from core.mistral.providers.provider import Provider
from core.reports.prices import Prices
from core.reports.report import Currency
from core.settings import Settings


@dataclass(frozen=True, slots=True)
class Basis:
    """`now` is aware."""

    now: datetime
    terms: Terms
    prices: Prices
    currency: Currency | None = None

    @classmethod
    def of(cls, settings: Settings, catalogue: Catalogue, homes: Iterable[Provider], now: datetime) -> Self:
        """`homes`: those that the settings name, which know what they multiply prices by."""
        second = settings.second_currency
        currency = Currency(second.code, second.per_dollar) if second is not None else None
        return cls(now, Terms.of(settings), Prices.at(catalogue, homes), currency)
