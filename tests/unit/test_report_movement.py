"""What moved the cost: each cause alone is told as itself, and together they are the whole change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reports.movement import Use, average, movement
from core.reports.ranking import ranking
from core.reports.report import Movement, Share

# Ten questions of a thousand tokens each, at a micro-dollar a token.
BEFORE = Use(10, {"large": (10_000, 10_000)})


@pytest.mark.parametrize(
    ("now", "moved"),
    [
        (BEFORE, Movement(0, 0, 0, 0)),
        (Use(15, {"large": (15_000, 15_000)}), Movement(5_000, 0, 0, 0)),
        (Use(10, {"large": (13_000, 13_000)}), Movement(0, 3_000, 0, 0)),
        (Use(10, {"large": (5_000, 5_000), "small": (5_000, 500)}), Movement(0, 0, -4_500, 0)),
        (Use(10, {"large": (10_000, 12_000)}), Movement(0, 0, 0, 2_000)),
        (Use(20, {"large": (10_000, 20_000)}), Movement(10_000, -10_000, 0, 10_000)),
        (Use(0, {}), Movement(-10_000, 0, 0, 0)),
    ],
)
def test_each_cause_is_told_as_itself(now: Use, moved: Movement) -> None:
    assert movement(now, BEFORE, 1) == moved


def test_a_model_whose_share_grows_is_the_mixs_doing_at_its_price_before() -> None:
    before = Use(10, {"large": (8_000, 8_000), "small": (2_000, 200)})
    now = Use(10, {"large": (2_000, 2_000), "small": (8_000, 1_600)})  # and a small token costs twice as much
    assert movement(now, before, 1) == Movement(0, 0, 2_000 + 800 - 8_200, 800)


def test_without_questions_before_all_of_it_is_theirs() -> None:
    assert movement(Use(3, {"large": (100, 100)}), Use(0, {}), 4) == Movement(100, 0, 0, 0)


def test_the_time_compared_with_is_an_average() -> None:
    four = Use(40, {"large": (40_000, 40_000)})
    assert movement(Use(11, {"large": (11_000, 11_000)}), four, 4) == Movement(1_000, 0, 0, 0)


amounts = st.integers(-100, 10**9)
uses = st.builds(
    Use,
    st.integers(0, 10_000),
    st.dictionaries(st.sampled_from(["large", "small", "tiny"]), st.tuples(amounts, amounts)),
)


@given(now=uses, before=uses, count=st.integers(1, 4))
def test_the_parts_add_up_to_the_change_to_the_micro_dollar(now: Use, before: Use, count: int) -> None:
    assert movement(now, before, count).total == now.cost - average(before.cost, count)


def test_the_dearest_five_are_named_and_the_rest_is_told_together() -> None:
    found = ranking({name: cost for cost, name in enumerate("abcdefg", 1)}, {"g": 10, "f": 2}, 4)
    assert found.top[0] == Share("g", 7, 2)  # 2.5, halves to even
    assert found.top[0].change == 5
    assert [share.name for share in found.top] == ["g", "f", "e", "d", "c"]
    assert (found.others, found.others_cost) == (2, 3)


def test_names_that_cost_the_same_keep_one_order() -> None:
    assert [share.name for share in ranking({"b": 1, "a": 1}, {}, 0).top] == ["a", "b"]
    assert ranking({"a": 1}, {}, 0).top[0].change is None
