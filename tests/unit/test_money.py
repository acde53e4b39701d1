"""Amounts of money as people write them: to the micro-dollar, or one sentence that says what to write."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.budgets import money
from core.errors import WrongUse


@pytest.mark.parametrize(
    ("written", "microusd"),
    [
        ("5.00", 5_000_000),
        ("5", 5_000_000),
        (" $0.10 ", 100_000),
        ("0.000001", 1),
        ("007.5", 7_500_000),
        ("999999999.999999", money.LARGEST),
        ("none", None),
        ("None ", None),
    ],
)
def test_an_amount_is_read_to_the_micro_dollar(written: str, microusd: int | None) -> None:
    assert money.amount(written) == microusd


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("-5", "cannot be negative"),
        ("-0.01", "cannot be negative"),
        ("0", "zero would refuse every question"),
        ("0.000000", "zero would refuse every question"),
        ("1e9", "plain digits"),
        ("5,00", "with a point and without commas"),
        ("1,000.00", "with a point and without commas"),
        ("NaN", "plain digits"),
        ("inf", "plain digits"),
        ("٥", "plain digits"),
        ("", "plain digits"),
        (".5", "plain digits"),
        ("0.0000001", "six decimals at most"),
        ("5.0000000", "six decimals at most"),
        ("1000000000", "nine digits"),
        ("five dollars", "plain digits"),
    ],
)
def test_what_is_no_amount_gets_one_sentence_that_says_what_to_write(written: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said) as caught:
        money.amount(written)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.endswith(".")
    assert "5.00" in sentence or "0.01" in sentence


def test_a_call_may_have_cost_nothing_but_never_the_word_none() -> None:
    assert money.cost("0") == 0
    assert money.cost("0.0123") == 12_300
    with pytest.raises(WrongUse, match="plain digits"):
        money.cost("none")
    with pytest.raises(WrongUse, match="cannot be negative"):
        money.cost("-0.01")


@given(st.integers(min_value=1, max_value=money.LARGEST))
def test_each_amount_is_read_as_it_is_written(microusd: int) -> None:
    exact = Decimal(microusd).scaleb(-6)
    assert money.amount(f"{exact:f}") == microusd
    assert money.amount(f"${exact:.6f}") == microusd


@given(st.text(alphabet="0123456789.,-+eE$ naNinf_٣", max_size=18) | st.text(max_size=12))
def test_any_text_is_an_amount_or_wrong_use(written: str) -> None:
    try:
        found = money.amount(written)
    except WrongUse:
        return
    if found is not None:
        assert 0 < found <= money.LARGEST
        assert Decimal(written.strip().lstrip("+$")) * 1_000_000 == found
