"""Arithmetic as people write it, done exactly.

The grammar is read here rather than by `ast`, which turns 0.1 into a float and has no plain words for a mistake.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from core.turns.numbers import LONGEST, ArithmeticFault, Number, Work, factorial, half_away

LONGEST_EXPRESSION = 1000  # characters
DEEPEST = 100  # parentheses, signs and powers within each other
_TOKEN = re.compile(
    r"(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z]+)|(?P<mark>\*\*|//|[-+*/%(),])", re.ASCII
)
_GROUPED = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)|\d_\d", re.ASCII)
_SAME = str.maketrans({"×": "*", "÷": "/", "−": "-"})
_SIGN = 3  # how tightly a sign binds: looser than a power, so that -2**2 is -4
_STEPS = {"+": 1, "-": 1, "*": 1, "/": 2, "//": 3, "%": 5, "**": 1}  # of work, each
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "//": 2, "%": 2, "**": 4}
_OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "+": Number.__add__,
    "-": Number.__sub__,
    "*": Number.__mul__,
    "/": Number.__truediv__,
    "//": Number.__floordiv__,
    "%": Number.__mod__,
    "**": Number.__pow__,
}


@dataclass(frozen=True, slots=True)
class Calculated:
    """A result. `text`: an integer, a decimal that ends, a fraction, or, where not `exact`, a rounded decimal.

    `decimal`: of a fraction, rounded to 30 digits; None for the others.
    """

    text: str
    exact: bool
    decimal: str | None = None


def calculate(expression: str, work: Work | None = None) -> Calculated:
    """The value of + - * / // % **, signs, parentheses and the functions of `FUNCTIONS`. Raises ArithmeticFault.

    `work` is counted while it is done, and ends what would take too long.
    """
    if len(expression) > LONGEST_EXPRESSION:
        raise ArithmeticFault(f"The expression is too long: {LONGEST_EXPRESSION} characters are the most.")
    number = _Reader(expression.translate(_SAME), work or Work()).read()
    if not number.exact:
        return Calculated(number.decimal(), exact=False)
    if (ending := _ending(number.low)) is not None:
        return Calculated(ending, exact=True)
    return Calculated(str(number.low), exact=True, decimal=number.decimal())


class _Reader:
    """Reads an expression from left to right and calculates while it reads."""

    def __init__(self, expression: str, work: Work) -> None:
        if grouped := _GROUPED.search(expression):
            raise ArithmeticFault(
                f"{grouped[0][:40]} is unclear: write numbers without separators (1000, not 1,000), "
                "and a space after a comma between values."
            )
        self._tokens = _tokens(expression)
        self._work = work
        self._at = 0
        self._depth = 0

    def read(self) -> Number:
        """The whole expression's value."""
        if not self._tokens:
            raise ArithmeticFault("There is nothing to calculate.")
        number = self._expression(0)
        if (left_over := self._next()) == ",":
            raise ArithmeticFault("A comma only parts the values of a function: write decimals with a point.")
        if left_over is not None:
            raise ArithmeticFault(
                f"An operator is missing before {left_over[:40]}, or {left_over[:40]} is one too many."
            )
        return number

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str | None:
        token = self._next()
        self._at += 1
        return token

    def _expect(self, mark: str, why: str) -> None:
        if self._take() != mark:
            raise ArithmeticFault(why)

    def _expression(self, binding: int) -> Number:
        """A value and what is done with it by operators that bind at least so tightly."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ArithmeticFault(f"The expression is nested too deeply: {DEEPEST} levels are the most.")
        left = self._value()
        while (mark := self._next()) is not None and _BINDING.get(mark, -1) >= binding:
            self._at += 1
            if mark == "%" and self._next() in (None, ")", "of"):
                raise ArithmeticFault("% is the remainder of a division here: write 15/100 for fifteen per cent.")
            # From the right: a power binds what follows it with its sign, the others take turns.
            right = self._expression(_SIGN if mark == "**" else _BINDING[mark] + 1)
            self._work.spend(_STEPS[mark], left, right)
            left = _OPERATIONS[mark](left, right)
        self._depth -= 1
        return left

    def _value(self) -> Number:
        word = self._take()
        if word is None:
            raise ArithmeticFault("The expression ends where a number was to come.")
        if word in ("+", "-"):
            value = self._expression(_SIGN)
            self._work.spend(1, value)
            return -value if word == "-" else value
        if word == "(":
            value = self._expression(0)
            self._expect(")", "A closing parenthesis is missing.")
            return value
        if word[0].isalpha():
            return self._call(word)
        if word[0].isdigit() or word[0] == ".":
            return _number(word)
        raise ArithmeticFault(f"A number is missing before {word}.")

    def _call(self, name: str) -> Number:
        function = FUNCTIONS.get(name)
        if function is None:
            raise ArithmeticFault(f"{name[:40]} is not known here. There are: {', '.join(FUNCTIONS)}.")
        self._expect("(", f"{name} needs its values in parentheses.")
        values = [self._expression(0)]
        while self._next() == ",":
            self._at += 1
            values.append(self._expression(0))
        self._expect(")", f"A closing parenthesis is missing after the values of {name}.")
        if not function.fewest <= len(values) <= function.most:
            raise ArithmeticFault(f"{name} does not take {len(values)} value{'s' if len(values) > 1 else ''}.")
        self._work.spend(function.steps, *values)
        return function.of(values)


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    while at < len(expression):
        if expression[at].isspace():
            at += 1
            continue
        found = _TOKEN.match(expression, at)
        if found is None:
            hint = " Write ** for a power." if expression[at] == "^" else ""
            raise ArithmeticFault(f"{expression[at]!r} is not part of arithmetic.{hint}")
        tokens.append(found[0])
        at = found.end()
    return tokens


def _number(token: str) -> Number:
    _, _, exponent = token.lower().partition("e")
    if exponent and len(exponent.lstrip("+-0")) > len(str(LONGEST)):
        raise ArithmeticFault("A number's exponent is too large.")
    if exponent and abs(int(exponent)) > LONGEST:  # before the work is done
        raise ArithmeticFault("A number's exponent is too large.")
    return Number.exactly(Fraction(token))


def _ending(value: Fraction) -> str | None:
    """All digits of an integer or a decimal that ends; None where it does not end."""
    places, rest = 0, value.denominator
    twos = (rest & -rest).bit_length() - 1
    rest >>= twos
    while rest % 5 == 0:
        rest //= 5
        places += 1
    if rest != 1:
        return None
    places = max(places, twos)
    sign, digits = "-" if value < 0 else "", str(abs(value) * 10**places).rjust(places + 1, "0")
    return f"{sign}{digits[:-places]}.{digits[-places:]}" if places else f"{sign}{digits}"


@dataclass(frozen=True, slots=True)
class _Function:
    of: Callable[[list[Number]], Number]
    fewest: int = 1
    most: int = LONGEST_EXPRESSION
    steps: int = 1  # of work with each value


def _round(values: list[Number]) -> Number:
    places = values[1].whole("a number of places") if len(values) > 1 else 0
    if abs(places) > LONGEST:
        raise ArithmeticFault("That many places are too many.")
    scale = Number.exactly(Fraction(10) ** places)
    return (values[0] * scale).rounded(half_away) / scale


def _least(values: list[Number]) -> Number:
    return Number.between(min(value.low for value in values), min(value.high for value in values))


def _greatest(values: list[Number]) -> Number:
    return Number.between(max(value.low for value in values), max(value.high for value in values))


def _of_integers(name: str, step: Callable[[int, int], int]) -> Callable[[list[Number]], Number]:
    def of(values: list[Number]) -> Number:
        wholes = [value.whole(f"a value of {name}") for value in values]
        result = Number.exactly(step(wholes[0], wholes[0]))
        for whole in wholes[1:]:  # one after the other, so that no step passes the greatest length
            result = Number.exactly(step(result.low.numerator, whole))
        return result

    return of


FUNCTIONS = {
    "sqrt": _Function(lambda values: values[0].square_root(), most=1, steps=4),
    "round": _Function(_round, most=2, steps=4),
    "floor": _Function(lambda values: values[0].rounded(math.floor), most=1),
    "ceil": _Function(lambda values: values[0].rounded(math.ceil), most=1),
    "abs": _Function(lambda values: abs(values[0]), most=1),
    "min": _Function(_least),
    "max": _Function(_greatest),
    "gcd": _Function(_of_integers("gcd", math.gcd)),
    "lcm": _Function(_of_integers("lcm", math.lcm)),
    "factorial": _Function(lambda values: factorial(values[0].whole("the value of factorial")), most=1, steps=8),
}
