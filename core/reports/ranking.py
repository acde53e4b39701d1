"""What the cost went to: the dearest few, and the rest together."""

from __future__ import annotations

from collections.abc import Mapping

from core.reports.movement import average
from core.reports.report import Ranking, Share

TOP = 5


def ranking(now: Mapping[str, int], before: Mapping[str, int], count: int) -> Ranking:
    """The dearest five of `now` (micro-dollars by name), beside their average over the `count` times `before`."""
    ordered = sorted(now, key=lambda name: (-now[name], name))
    shown, rest = ordered[:TOP], ordered[TOP:]
    shares = [Share(name, now[name], average(before.get(name, 0), count) if count else None) for name in shown]
    return Ranking(tuple(shares), len(rest), sum(now[name] for name in rest))
