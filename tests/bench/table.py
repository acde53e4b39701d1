"""The figures of one run, as a plain table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

_HEADS = ("figure", "ours", "bare", "compared", "aim", "met")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `compared`: ours against the bare loop's; `met`: "yes", "no", or empty where there is no aim."""

    figure: str
    ours: str
    bare: str = ""
    compared: str = ""
    aim: str = ""
    met: str = ""


def verdict(met: bool) -> str:
    return "yes" if met else "NO"


def lines(rows: Sequence[Row]) -> list[str]:
    """The table's lines, columns as wide as they need to be."""
    cells = [_HEADS, *(astuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADS))]
    ruled = [cells[0], tuple("-" * width for width in widths), *cells[1:]]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in ruled]


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0–1) of the values do not pass; infinite where there is none."""
    if not values:
        return float("inf")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
