"""Numbers known exactly, or to lie between two bounds where a root cannot be written out. No float is ever made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from typing import Self

LONGEST = 4096  # bits of a numerator or denominator
GREATEST_POWER = 1000  # the magnitude of an exponent stays below it
DIGITS = 30  # shown of what does not end
_PRECISION = 256  # bits kept of a bound: enough for DIGITS after a long chain of steps
_STEP = 1500  # bits whose reading would take as long as what Python does around each step
MOST_WORK = 4_000_000  # bits × steps of one expression: some 50 ms of the processor at worst
_DECIMAL = Context(prec=DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN)


class ArithmeticFault(ValueError):
    """An expression that cannot be calculated; the message is one plain sentence that says why."""


@dataclass(slots=True)
class Work:
    """The work of one expression: bits read, over all steps, which says about how long the processor is busy."""

    most: int = MOST_WORK
    done: int = 0

    def spend(self, steps: int, *numbers: Number) -> None:
        """Counts that many steps with these numbers, before they are made. Raises ArithmeticFault beyond `most`."""
        self.done += steps * sum(number.bits for number in numbers)
        if self.done > self.most:
            raise ArithmeticFault("That is too much to calculate at once: calculate it in several parts.")


@dataclass(frozen=True, slots=True)
class Number:
    """A number between `low` and `high`, both included; exact where they are equal.

    Every operation raises ArithmeticFault where its result has no value, would pass LONGEST, or is not certain.
    """

    low: Fraction
    high: Fraction

    @classmethod
    def exactly(cls, value: Fraction | int) -> Self:
        """That very number."""
        return cls(_bounded(Fraction(value)), Fraction(value))

    @classmethod
    def between(cls, low: Fraction, high: Fraction) -> Self:
        """A number of which only bounds are known: they are moved outwards to a handy length."""
        if low == high:
            return cls.exactly(low)
        return cls(_bounded(_shortened(low, math.floor)), _bounded(_shortened(high, math.ceil)))

    @property
    def exact(self) -> bool:
        return self.low == self.high

    def __add__(self, other: Number) -> Number:
        return Number.between(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Number) -> Number:
        return Number.between(self.low - other.high, self.high - other.low)

    def __neg__(self) -> Number:
        return Number(-self.high, -self.low)

    def __abs__(self) -> Number:
        if self.low >= 0:
            return self
        return -self if self.high <= 0 else Number(Fraction(0), max(-self.low, self.high))

    def __mul__(self, other: Number) -> Number:
        if self.exact and other.exact:
            return Number.exactly(self.low * other.low)
        products = [one * another for one in (self.low, self.high) for another in (other.low, other.high)]
        return Number.between(min(products), max(products))

    def __truediv__(self, other: Number) -> Number:
        if other.exact and other.low == 0:
            raise ArithmeticFault("A division by zero has no result.")
        if other.low <= 0 <= other.high:
            raise ArithmeticFault("It cannot be told whether the divisor is zero, because of the roots in it.")
        return self * Number(1 / other.high, 1 / other.low)

    def __floordiv__(self, other: Number) -> Number:
        return (self / other).rounded(math.floor)

    def __mod__(self, other: Number) -> Number:
        return self - other * (self // other)

    def __pow__(self, other: Number) -> Number:
        exponent = other.whole("an exponent")
        if abs(exponent) >= GREATEST_POWER:
            raise ArithmeticFault(f"An exponent must be smaller than {GREATEST_POWER}.")
        if exponent < 0:
            return Number.exactly(1) / self ** Number.exactly(-exponent)
        for bound in (self.low, self.high):  # before the work is done
            _refuse_beyond(((_bits(bound) if self.exact else abs(_magnitude(bound))) - 1) * exponent)
        if self.exact:
            return Number.exactly(self.low**exponent)
        base = self if exponent % 2 else abs(self)
        return Number.between(_power(base.low, exponent, up=False), _power(base.high, exponent, up=True))

    @property
    def bits(self) -> int:
        """What one step with it reads: the numerators and denominators of its bounds."""
        bounds = (self.low,) if self.exact else (self.low, self.high)
        return sum(one.numerator.bit_length() + one.denominator.bit_length() + _STEP for one in bounds)

    def whole(self, what: str) -> int:
        """Its value as an integer. `what` it is meant for, with its article, stands in the fault."""
        if not self.exact or self.low.denominator != 1:
            raise ArithmeticFault(f"{what[0].upper()}{what[1:]} must be a whole number.")
        return self.low.numerator

    def rounded(self, how: Callable[[Fraction], int]) -> Number:
        """The integer that `how` gives, a function that never falls."""
        low, high = how(self.low), how(self.high)
        if low != high:
            raise ArithmeticFault("It is too close to call to which whole number the roots in it lead.")
        return Number.exactly(low)

    def square_root(self) -> Number:
        """Exact where the root is a fraction, else between bounds."""
        if self.low < 0:
            raise ArithmeticFault("A negative number has no real square root.")
        return Number.between(_root(self.low)[0], _root(self.high)[1])

    def decimal(self) -> str:
        """At most DIGITS digits, rounded; fewer where the bounds agree on fewer."""
        low, high = _decimal(self.low), _decimal(self.high)
        for digits in range(DIGITS, 0, -1):
            shorter = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
            if (shown := shorter.plus(low)) == shorter.plus(high):
                return str(shown.normalize(shorter)) if abs(shown.adjusted()) > DIGITS else _plain(shown)
        raise ArithmeticFault("The roots cancel out so far that no digit of the result is certain.")


def factorial(count: int) -> Number:
    """The product of 1 … `count`. Raises ArithmeticFault beyond 500."""
    if not 0 <= count <= 500:
        raise ArithmeticFault("A factorial needs a whole number from 0 to 500.")
    return Number.exactly(math.factorial(count))


def half_away(value: Fraction) -> int:
    """The nearest integer, halves away from zero, as people round."""
    nearest = math.floor(abs(value) + Fraction(1, 2))
    return nearest if value >= 0 else -nearest


def _bounded(value: Fraction) -> Fraction:
    _refuse_beyond(_bits(value))
    return value


def _refuse_beyond(bits: int) -> None:
    if bits > LONGEST:
        raise ArithmeticFault("A number on the way is too long: over 1,200 digits.")


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _magnitude(value: Fraction) -> int:
    """About its binary logarithm."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def _shortened(value: Fraction, towards: Callable[[Fraction], int]) -> Fraction:
    """The nearest fraction of _PRECISION bits on that side."""
    if value == 0:
        return value
    shift = _PRECISION - _magnitude(value)
    scale = Fraction(2) ** shift
    return towards(value * scale) / scale


def _power(base: Fraction, exponent: int, *, up: bool) -> Fraction:
    """A bound of the power, on that side of it: by squaring, shortened to _PRECISION bits at each step."""
    if base < 0:
        return -_power(-base, exponent, up=not up)  # an even power has no base below zero
    if base == 0:
        return Fraction(0**exponent)
    shift = _PRECISION - _magnitude(base)
    mantissa = (math.ceil if up else math.floor)(base * Fraction(2) ** shift)
    result, scale = 1, 0  # they stand for result / 2**scale
    for digit in f"{exponent:b}":
        result, scale = _cut(result * result, 2 * scale, up=up)
        if digit == "1":
            result, scale = _cut(result * mantissa, scale + shift, up=up)
    return result / Fraction(2) ** scale


def _cut(value: int, scale: int, *, up: bool) -> tuple[int, int]:
    """About value / 2**scale with a value of _PRECISION bits, moved to that side."""
    excess = value.bit_length() - _PRECISION
    if excess <= 0:
        return value, scale
    return (-(-value >> excess) if up else value >> excess), scale - excess


def _root(value: Fraction) -> tuple[Fraction, Fraction]:
    """The square root's bounds, equal where it is a fraction."""
    numerator, denominator = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if numerator**2 == value.numerator and denominator**2 == value.denominator:
        exact = Fraction(numerator, denominator)
        return exact, exact
    shift = max(_PRECISION - _magnitude(value) // 2, 0)
    root = math.isqrt(math.floor(value * 4**shift))
    return Fraction(root, 2**shift), Fraction(root + 1, 2**shift)


def _decimal(value: Fraction) -> Decimal:
    return _DECIMAL.divide(Decimal(value.numerator), Decimal(value.denominator))


def _plain(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
