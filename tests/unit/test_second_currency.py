"""BISE_SECOND_CURRENCY: what a dollar is worth elsewhere, as the operator says."""

from __future__ import annotations

import pytest

from core.errors import SettingsError
from core.settings import Settings
from core.settings_values import SecondCurrency


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("EUR:0.92", SecondCurrency("EUR", 920_000)),
        (" JPY:151.4 ", SecondCurrency("JPY", 151_400_000)),
        ("CHF:1", SecondCurrency("CHF", 1_000_000)),
        ("", None),
    ],
)
def test_a_currency_and_its_rate_are_read(text: str, currency: SecondCurrency | None) -> None:
    assert Settings.read({"BISE_SECOND_CURRENCY": text}, None).second_currency == currency


@pytest.mark.parametrize("text", ["EUR", "EUR:", "eur:0.92", "EUR:0,92", "EUR:0", "EUR:-1", "USD:1", "EUR:nan"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError, match=r"BISE_SECOND_CURRENCY is not a currency .* such as EUR:0\.92"):
        Settings.read({"BISE_SECOND_CURRENCY": text}, None)
