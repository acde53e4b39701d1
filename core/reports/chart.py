"""Draws the picture of a report: a program of its own, so that matplotlib is only there while there is work for it.

`pictures.py` starts it as `python -I chart.py`: no environment, no modules of ours. It says `READY` once, then answers
each report on its input (`LENGTH`, then JSON) by a PNG on its output (`LENGTH`, then its bytes) until the input ends.

Above: the month so far, what it is likely to come to, and its limit. Below: the last thirty days by model. The ground
is opaque, so that it reads the same in a light and in a dark chat; a phone shows it at a third of its size.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import tempfile
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

READY = b"ready\n"
LENGTH = struct.Struct(">I")
DAYS = 30
_DOLLAR = 1_000_000
_SIZE, _DPI, _PAD = (6.8, 6.6), 150, 0.13  # inches, dots per inch, inches
_GROUND, _INK, _FAINT, _LIMIT, _LINE = "#ffffff", "#1d2433", "#c9ced8", "#c0262d", "#1f5fa8"
_COLOURS = ("#1f5fa8", "#e08a1e", "#2a9d6f", "#9b5fc0", "#d1495b")  # also told apart by those who see few colours
_OTHERS = "#9aa3b2"
_FAR = 2.5  # a limit so many times above all else is named, not drawn: the rest would lie flat on the ground
_NAME_MAX = 26  # characters


def main() -> None:
    """Serves until its input ends."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    for meant_for_the_parent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_the_parent, signal.SIG_IGN)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = folder  # it may have no home that it could write to
        answers.write(READY)
        answers.flush()
        while head := requests.read(LENGTH.size):
            picture = drawn(json.loads(requests.read(*LENGTH.unpack(head))))
            answers.write(LENGTH.pack(len(picture)) + picture)
            answers.flush()


def drawn(report: dict[str, Any]) -> bytes:
    """A PNG of a report, as its JSON has it."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    style: dict[Any, Any] = {"font.size": 13, "text.color": _INK}
    with rc_context(style):
        figure = Figure(
            figsize=_SIZE, dpi=_DPI, facecolor=_GROUND, layout=ConstrainedLayoutEngine(w_pad=_PAD, h_pad=_PAD)
        )
        FigureCanvasAgg(figure)
        above, below = figure.subplots(2, 1, height_ratios=(5, 6))
        last = date.fromisoformat(report["last"])
        days = {date.fromisoformat(day["day"]): dict(day["models"]) for day in report["days"]}
        _month(above, report, last, {day: sum(models.values()) for day, models in days.items()})
        _thirty_days(below, figure, last, days)
        out = io.BytesIO()
        figure.savefig(out, format="png", facecolor=_GROUND)
    return out.getvalue()


def _month(axes: Axes, report: dict[str, Any], last: date, costs: dict[date, int]) -> None:
    """The running sum of the month, the band that its end is likely to lie in, and the limit."""
    first = last.replace(day=1)
    end = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    # Of a long month the thirty days lack the first: what they do not show was spent before them.
    total = report["month"] - sum(cost for day, cost in costs.items() if day >= first)
    sums = []
    for number in range(last.day):
        total += costs.get(first + timedelta(days=number), 0)
        sums.append(total / _DOLLAR)
    axes.plot(range(1, last.day + 1), sums, color=_LINE, linewidth=3, solid_capstyle="round")
    axes.plot([last.day], [sums[-1]], "o", color=_LINE, markersize=8)
    highest = sums[-1]
    forecast = report.get("forecast")
    if forecast is not None and end > last:
        low, high, likely = (forecast[name] / _DOLLAR for name in ("low", "high", "total"))
        ahead = [last.day, end.day]
        axes.fill_between(ahead, [sums[-1], low], [sums[-1], high], color=_LINE, alpha=0.18, linewidth=0)
        axes.plot(ahead, [sums[-1], likely], color=_LINE, linewidth=2, linestyle=(0, (4, 3)))
        highest = max(high, highest)
    title = f"{first:%B}: {_dollars(report['month'])}"
    if forecast is not None and end > last:
        title += f", on course for {_dollars(forecast['total'])}"
    limit = report.get("limit")
    if limit is not None and limit / _DOLLAR <= _FAR * highest:
        axes.axhline(limit / _DOLLAR, color=_LIMIT, linewidth=2)
        beside: dict[str, Any] = {"xytext": (2, -5), "textcoords": "offset points", "va": "top"}
        axes.annotate(f"limit {_dollars(limit)}", (1, limit / _DOLLAR), color=_LIMIT, fontsize=12, **beside)
        highest = max(limit / _DOLLAR, highest)
    elif limit is not None:
        title += f" (limit {_dollars(limit)})"
    axes.set_title(title, loc="left", fontsize=14, fontweight="bold")
    axes.set_xlim(0.5, end.day + 0.5)
    axes.set_ylim(0, highest * 1.08 or 1)
    ticks = sorted({1, 8, 15, 22, end.day})
    axes.set_xticks(ticks, [f"{day}" for day in ticks])
    _plain(axes)


def _thirty_days(axes: Axes, figure: Figure, last: date, days: dict[date, dict[str, int]]) -> None:
    """A bar a day, of the dearest models and of the others together."""
    shown = [last - timedelta(days=DAYS - 1 - number) for number in range(DAYS)]
    totals: dict[str, int] = {}
    for models in days.values():
        for name, cost in models.items():
            totals[name] = totals.get(name, 0) + cost
    dearest = sorted((name for name in totals if totals[name] > 0), key=lambda name: (-totals[name], name))
    top = dearest[: len(_COLOURS)] if len(dearest) <= len(_COLOURS) else dearest[: len(_COLOURS) - 1]
    ground = [0.0] * DAYS

    def add(label: str, colour: str, heights: list[float]) -> None:
        axes.bar(range(DAYS), heights, bottom=ground, color=colour, width=0.82, label=label)
        ground[:] = [low + height for low, height in zip(ground, heights, strict=True)]

    for name, colour in zip(top, _COLOURS, strict=False):
        add(_short(name), colour, [max(days.get(day, {}).get(name, 0), 0) / _DOLLAR for day in shown])
    if others := [name for name in dearest if name not in top]:
        heights = [sum(max(days.get(day, {}).get(name, 0), 0) for name in others) / _DOLLAR for day in shown]
        add(f"{len(others)} others", _OTHERS, heights)
    axes.set_title("The last 30 days, by model", loc="left", fontsize=14, fontweight="bold")
    axes.set_xlim(-0.6, DAYS - 0.4)
    axes.set_ylim(0, max(ground) * 1.08 or 1)
    ticks = [1, 8, 15, 22, DAYS - 1]
    axes.set_xticks(ticks, [f"{shown[tick].day} {shown[tick]:%b}" for tick in ticks])
    _plain(axes)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=12, handlelength=1.0)


def _plain(axes: Axes) -> None:
    axes.set_facecolor(_GROUND)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.tick_params(colors=_INK, length=0, labelsize=12)
    axes.locator_params(axis="y", nbins=4)
    axes.yaxis.set_major_formatter(lambda value, _: _dollars(round(value * _DOLLAR)))
    axes.grid(axis="y", color=_FAINT, linewidth=0.8)
    axes.set_axisbelow(True)


def _dollars(amount: int) -> str:
    """As people read amounts: cents, and where those would say nothing, more."""
    whole, _, part = f"{amount / _DOLLAR:,.4f}".partition(".")
    small = 0 < amount < _DOLLAR // 10
    return rf"\${whole}.{part.rstrip('0').ljust(2, '0') if small else f'{amount / _DOLLAR:.2f}'[-2:]}"


def _short(name: str) -> str:
    name = name.lstrip("_").replace("$", r"\$")  # a leading underscore would hide it from the legend
    return name if len(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 1]}…"


if __name__ == "__main__":
    main()
