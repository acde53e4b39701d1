"""Which parts of a limit are reached by what is spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.budgets.alerts import PERCENTS, crossed

MONEY = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("before", "after", "reached"),
    [
        (0, 49, ()),
        (49, 50, (50,)),
        (50, 50, ()),
        (50, 79, ()),
        (79, 99, (80,)),
        (99, 100, (100,)),
        (0, 100, PERCENTS),
        (100, 900, ()),
        (60, 40, ()),
    ],
)
def test_a_part_is_reached_by_whoever_spends_the_last_of_it(before: int, after: int, reached: tuple[int, ...]) -> None:
    assert crossed(before, after, 100) == reached


def test_a_limit_of_nothing_is_never_reached() -> None:
    assert crossed(0, 5, 0) == ()


@given(limit=st.integers(1, 10**12), steps=st.lists(MONEY, max_size=20))
def test_however_it_is_spent_each_part_is_reached_once_and_exactly_by_then(limit: int, steps: list[int]) -> None:
    spent = 0
    told: list[int] = []
    for cost in steps:
        told += crossed(spent, spent + cost, limit)
        spent += cost
        assert told == [percent for percent in PERCENTS if spent * 100 >= percent * limit]


@given(limit=st.integers(1, 10**9), before=MONEY, middle=MONEY, after=MONEY)
def test_two_steps_reach_what_one_reaches(limit: int, before: int, middle: int, after: int) -> None:
    first, second, third = sorted((before, middle, after))
    assert crossed(first, second, limit) + crossed(second, third, limit) == crossed(first, third, limit)
