"""Arithmetic against Python's own fractions, and against whatever people and models write."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.turns.arithmetic import FUNCTIONS, Calculated, calculate
from core.turns.numbers import LONGEST, MOST_WORK, ArithmeticFault, Number, Work

QUICK = 0.5  # seconds of the processor that no expression takes, by a wide margin


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1+1", "2"),
        ("0.1 + 0.2", "0.3"),
        ("1.10 * 3", "3.3"),
        (".5 + 2.", "2.5"),
        ("-2**2", "-4"),
        ("(-2)**2", "4"),
        ("2**-2", "0.25"),
        ("2**3**2", "512"),
        ("10 - 4 - 3", "3"),
        ("100 / 5 / 2", "10"),
        ("2 + 3 * 4", "14"),
        ("-17 // 5", "-4"),
        ("-17 % 5", "3"),
        ("5.5 % 2", "1.5"),
        ("−3 × 4 ÷ 5", "-2.4"),
        ("1e3 + 1.5E-2", "1000.015"),
        ("99999999999999999999 * 99999999999999999999", "9999999999999999999800000000000000000001"),
        ("sqrt(144)", "12"),
        ("sqrt(1/4)", "0.5"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.345, 2)", "2.35"),
        ("round(1234, -2)", "1200"),
        ("floor(-0.5) + ceil(0.5)", "0"),
        ("min(3, 1/2, 2) + max(3, 10)", "10.5"),
        ("abs(-7)", "7"),
        ("gcd(12, 18, 27)", "3"),
        ("lcm(4, 6)", "12"),
        ("factorial(20)", "2432902008176640000"),
        ("0 * sqrt(2)", "0"),
        ("floor(sqrt(2) * 1000)", "1414"),
        ("floor(abs(sqrt(2)**2 - 2))", "0"),
    ],
)
def test_a_result_that_ends_is_given_whole(expression: str, text: str) -> None:
    assert calculate(expression) == Calculated(text, exact=True)


def test_a_fraction_that_does_not_end_comes_with_thirty_digits() -> None:
    assert calculate("2/3") == Calculated("2/3", exact=True, decimal="0.666666666666666666666666666667")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("sqrt(2)", "1.41421356237309504880168872421"),
        ("sqrt(2) ** 2", "2"),
        ("sqrt(2) * -1", "-1.41421356237309504880168872421"),
        ("sqrt(3) ** -2", "0.333333333333333333333333333333"),
        ("min(sqrt(2), sqrt(3))", "1.41421356237309504880168872421"),
        ("sqrt(2) * 1e300", "1.41421356237309504880168872421E+300"),
    ],
)
def test_a_root_that_is_no_fraction_is_labelled_as_not_exact(expression: str, text: str) -> None:
    assert calculate(expression) == Calculated(text, exact=False)


@pytest.mark.parametrize(
    "expression",
    [
        "sqrt(2)**2 - 2",
        "floor(sqrt(2)**2)",
        "1 / (sqrt(2)**2 - 2)",
        "gcd(sqrt(2), 2)",
        "2**sqrt(2)",
        "ceil((sqrt(2)**2 - 2)**2)",
    ],
)
def test_what_a_root_leaves_uncertain_is_refused_and_not_guessed(expression: str) -> None:
    with pytest.raises(ArithmeticFault):
        calculate(expression)


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "nothing to calculate"),
        ("1,000 + 1", r"1000, not 1,000"),
        ("1_000", "without separators"),
        ("1,5", "decimals with a point"),
        ("15% of 80", "15/100"),
        ("80 * 15%", "15/100"),
        ("2^3", r"\*\*"),
        ("1/0", "division by zero"),
        ("1 // 0", "division by zero"),
        ("1 % 0", "division by zero"),
        ("0 ** -1", "division by zero"),
        ("sqrt(-1)", "negative number"),
        ("2 ** 0.5", "whole number"),
        ("2 ** 1000", "smaller than 1000"),
        ("factorial(501)", "0 to 500"),
        ("factorial(-1)", "0 to 500"),
        ("gcd(1.5, 3)", "whole number"),
        ("round(1, 2, 3)", "3 values"),
        ("sqrt()", "number is missing"),
        ("sqrt 4", "parentheses"),
        ("pi * 2", "pi is not known"),
        ("__import__('os')", "not part of arithmetic"),
        ("2 (3)", "operator is missing"),
        ("(1", "closing parenthesis"),
        ("1 +", "ends where"),
        ("* 2", "number is missing"),
        ("1e5000", "exponent is too large"),
        ("1e" + "9" * 900, "exponent is too large"),
        ("9**999 * 9**999", "too long"),
        ("9" * 999 + "**999", "too long"),
        ("(" * 101 + "1" + ")" * 101, "nested too deeply"),
        ("-" * 500 + "1", "nested too deeply"),
        ("1" * 1001, "expression is too long"),
        ("٣ + ٤", "not part of arithmetic"),
    ],
)
def test_what_cannot_be_calculated_is_told_in_a_plain_sentence(expression: str, why: str) -> None:
    with pytest.raises(ArithmeticFault, match=why) as told:
        calculate(expression)
    assert str(told.value).endswith(".")
    assert len(str(told.value)) < 250


def test_values_that_look_like_a_number_with_separators_are_told_apart_by_a_space() -> None:
    assert calculate("max(1, 200)").text == "200"
    with pytest.raises(ArithmeticFault, match="space after a comma"):
        calculate("max(1,200)")


Tree = tuple[str, Fraction | None]  # an expression and its value; None where it has none


def _decimals() -> st.SearchStrategy[Tree]:
    texts = st.from_regex(r"\A(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?\Z")
    return texts.map(lambda text: (text, Fraction(text)))


def _joined(parts: tuple[Tree, str, Tree]) -> Tree:
    (left, one), mark, (right, other) = parts
    text = f"({left}) {mark} ({right})"
    if one is None or other is None or (mark in ("/", "//", "%") and other == 0):
        return text, None
    operations = {
        "+": lambda: one + other,
        "-": lambda: one - other,
        "*": lambda: one * other,
        "/": lambda: one / other,
        "//": lambda: Fraction(one // other),
        "%": lambda: one % other,
    }
    return text, operations[mark]()


def _negated(tree: Tree) -> Tree:
    return f"-({tree[0]})", None if tree[1] is None else -tree[1]


def _powered(parts: tuple[Tree, int]) -> Tree:
    (text, value), exponent = parts
    gone = value is None or (value == 0 and exponent < 0)
    return f"({text}) ** {exponent}", None if gone or value is None else value**exponent


TREES = st.recursive(
    _decimals(),
    lambda trees: st.one_of(
        st.tuples(trees, st.sampled_from(["+", "-", "*", "/", "//", "%"]), trees).map(_joined),
        trees.map(_negated),
        st.tuples(trees, st.integers(-5, 5)).map(_powered),
    ),
    max_leaves=12,
)


@given(TREES)
@settings(deadline=None)
def test_a_result_equals_that_of_fractions(tree: Tree) -> None:
    expression, value = tree
    try:
        result = calculate(expression)
    except ArithmeticFault as fault:
        refused = any(why in str(fault) for why in ("too long", "too deeply", "too much"))
        assert value is None or refused
        return
    assert value is not None
    assert result.exact
    assert Fraction(result.text) == value
    if result.decimal is not None:
        assert abs(Fraction(Decimal(result.decimal)) / value - 1) < Fraction(1, 10**29)


@given(st.fractions(min_value=0, max_value=10**12, max_denominator=10**9))
def test_a_root_s_digits_enclose_the_number(value: Fraction) -> None:
    result = calculate(f"sqrt({value})")
    root = Fraction(Decimal(result.text)) if "/" not in result.text else Fraction(result.text)
    if result.exact:
        assert root**2 == value
    else:
        assert abs(root**2 / value - 1) < Fraction(1, 10**28)


@given(st.fractions(), st.fractions(min_value=0))
def test_bounds_only_move_outwards_when_they_are_shortened(low: Fraction, width: Fraction) -> None:
    long = Fraction(1, 3**300)
    number = Number.between(low * long, (low + width) * long)
    assert number.low <= low * long <= (low + width) * long <= number.high
    assert number.high - number.low <= width * long + abs(low + width + 1) * long / 2**250
    assert number.exact == (width == 0)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(-6, 6))
def test_what_is_done_with_roots_keeps_the_true_value_between_its_bounds(one: int, other: int, power: int) -> None:
    left, right = Number.exactly(one).square_root(), Number.exactly(other).square_root()
    squared = (left * right) ** Number.exactly(2 * power)
    assert squared.low <= Fraction(one * other) ** power <= squared.high
    product = (left + right) * (left - right)
    assert product.low <= one - other <= product.high


WORDS = [*FUNCTIONS, *"+-*/%(),.^ 0123456789e", "**", "//", "sqrt(", "2)", "999", "1e4000", "**999", "of", "\0", "é"]


@given(st.lists(st.sampled_from(WORDS), max_size=60).map("".join) | st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_whatever_is_written_gives_a_result_or_a_plain_fault_at_once(expression: str) -> None:
    began = time.thread_time()
    try:
        result = calculate(expression)
    except ArithmeticFault as fault:
        assert str(fault).endswith(".")  # noqa: PT017 - either is a good end
    else:
        assert len(result.text) <= 2 * LONGEST
    assert time.thread_time() - began < QUICK


@pytest.mark.parametrize(
    "expression",
    [
        "+".join(f"1/{number}" for number in range(100, 290)),
        "*".join(["sqrt(2)"] * 120),
        "factorial(500)/" + "/".join(["factorial(400)"] * 60),
        "(" * 45 + "sqrt(3)" + ")**2" * 45,
        "(" * 45 + "sqrt(3)/9" + ")**999" * 45,
        "lcm(" + ", ".join(str(number) for number in range(800, 990)) + ")",
        "3**999//" + "//".join(["2"] * 300),
        "1/3**999-" + "-".join(["1/7**999"] * 80),
        "+".join(["sqrt(2)**999/sqrt(3)**999"] * 38),
        "+".join(["(sqrt(2)+1)**999"] * 55),
        "sqrt(3)**999/7**999" + "%1" * 480,
        "sqrt(2)" + "/3" * 480,
        "(sqrt(2)/2**999/2**999/2**999)" + "*1" * 460,
    ],
)
def test_the_longest_work_that_can_be_asked_for_is_soon_over(expression: str) -> None:
    began = time.thread_time()
    try:
        calculate(expression)
    except ArithmeticFault as fault:
        assert "too long" in str(fault) or "too much" in str(fault)  # noqa: PT017 - either is a good end
    assert time.thread_time() - began < QUICK


@pytest.mark.parametrize("mark", ["+1", "-1/3", "*3", "/3", "//1", "%1", "+sqrt(2)", "-sqrt(2)**9", "/factorial(9)"])
@pytest.mark.parametrize("begun", ["7", "sqrt(7)", "3**999/7**999", "sqrt(3)**999/7**999"])
def test_work_is_counted_before_it_is_done_and_ends_what_would_take_too_long(begun: str, mark: str) -> None:
    whole, short = Work(most=10**12), Work(most=1)
    expression = begun + mark * ((1000 - len(begun)) // len(mark))
    try:
        calculate(expression, whole)
    except ArithmeticFault as fault:
        assert "too long" in str(fault) or "too close" in str(fault)  # noqa: PT017 - the work until then is counted
    assert whole.done > 1000 * expression.count(mark[0])
    with pytest.raises(ArithmeticFault, match="too much to calculate at once: calculate it in several parts"):
        calculate(expression, short)
    if whole.done > MOST_WORK:
        with pytest.raises(ArithmeticFault, match="too much"):
            calculate(expression)


def test_a_power_of_a_root_costs_about_as_much_as_any_other_step() -> None:
    root, power = Number.exactly(2).square_root(), Number.exactly(999)
    powered = root**power
    assert powered.low**2 <= Fraction(2) ** 999 <= powered.high**2
    assert powered.bits < 2 * root.bits, "and it is kept no longer than its root"
    assert (powered.high - powered.low) / powered.low < Fraction(1, 2**230)


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6), st.integers(0, 40))
def test_a_power_s_bounds_hold_the_powers_of_every_number_between_them(low: int, width: int, power: int) -> None:
    base = Number.between(Fraction(low, 7), Fraction(low + width, 7))
    powered = base ** Number.exactly(power)
    for value in (base.low, base.high, (base.low + base.high) / 2, min(max(Fraction(0), base.low), base.high)):
        assert powered.low <= value**power <= powered.high


def test_a_decimal_of_the_greatest_length_is_still_written_out() -> None:
    text = calculate("3**999 * 3**999 / 2**999 / 2**999 / 2**999 / 2**999").text
    assert len(text) == len("0.") + 4 * 999
    assert Fraction(text) == Fraction(3**1998, 2**3996)
