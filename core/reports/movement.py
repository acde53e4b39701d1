"""Why a time cost more or less than another: parts of the change that add up to it, to the micro-dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from core.reports.report import Movement


@dataclass(frozen=True, slots=True)
class Use:
    """What a time used: turns, and tokens (of prompts and answers) and cost by model."""

    turns: int
    models: Mapping[str, tuple[int, int]]

    @property
    def tokens(self) -> int:
        return sum(tokens for tokens, _ in self.models.values())

    @property
    def cost(self) -> int:
        return sum(cost for _, cost in self.models.values())


def average(total: int, count: int) -> int:
    """Rounded to whole micro-dollars, halves to even."""
    return round(Fraction(total, count))


def movement(now: Use, before: Use, count: int) -> Movement:
    """The change from the average of `count` times, which used `before` together.

    One thing is changed after the other, each at the level of the one before: how many turns there are, how many tokens
    each has, which models they go to, and at last what a token of the same model costs, which is all that remains.
    """
    turns_before, tokens_before = Fraction(before.turns, count), Fraction(before.tokens, count)
    cost_before = Fraction(before.cost, count)
    if turns_before == 0:  # nothing that could have had more tokens, or dearer ones
        return _rounded([now.cost - cost_before, Fraction(0), Fraction(0), Fraction(0)], now, before, count)
    as_many_turns = cost_before * now.turns / turns_before
    # Without tokens there is no price of one: what is left is the price's.
    as_many_tokens = cost_before * now.tokens / tokens_before if tokens_before > 0 else as_many_turns
    same_models = _at_prices_before(now, before) if tokens_before > 0 else as_many_tokens
    levels = [cost_before, as_many_turns, as_many_tokens, same_models, Fraction(now.cost)]
    return _rounded([after - level for level, after in pairwise(levels)], now, before, count)


def _at_prices_before(now: Use, before: Use) -> Fraction:
    """What the tokens of now would have cost before; a model that is new at its price of now."""
    total = Fraction(0)
    for model, (tokens, cost) in now.models.items():
        old_tokens, old_cost = before.models.get(model, (0, 0))
        total += Fraction(old_cost * tokens, old_tokens) if old_tokens > 0 else cost
    return total


def _rounded(parts: Sequence[Fraction], now: Use, before: Use, count: int) -> Movement:
    """Whole micro-dollars that add up to the change as it is shown: what lost most by rounding down gets one more."""
    whole = [part.numerator // part.denominator for part in parts]
    missing = now.cost - average(before.cost, count) - sum(whole)
    by_loss = sorted(range(len(parts)), key=lambda number: whole[number] - parts[number])
    for number in by_loss[:missing]:
        whole[number] += 1
    return Movement(*whole)
