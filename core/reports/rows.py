"""A report's figures as a table for a spreadsheet."""

from __future__ import annotations

import csv as table
import io
from collections import defaultdict
from datetime import date

from core.messages import WorkspaceKey
from core.reports.daily import is_direct
from core.store import report_figures
from core.store.database import Connection
from core.store.ledger import DIRECT

HEADS = (
    *("day", "model", "channel", "calls", "prompt_tokens", "cached_tokens", "completion_tokens"),
    *("cost_usd", "estimated_usd"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet would reckon with


def csv(connection: Connection, workspace: int, key: WorkspaceKey, since: date, until: date) -> str:
    """A line for each day, model and channel from `since` to `until`, both included; direct messages together.

    Amounts are US dollars at list price and before tax, to the micro-dollar.
    """
    sums: defaultdict[tuple[date, str, str], list[int]] = defaultdict(lambda: [0] * 6)
    for part in report_figures.parts(connection, workspace, since, until):
        channel = DIRECT if is_direct(part.channel, key) else part.channel
        counts = (part.calls, part.prompt_tokens, part.cached_tokens, part.completion_tokens, part.cost, part.estimated)
        found = sums[part.day, part.model, channel]
        for number, count in enumerate(counts):
            found[number] += count
    out = io.StringIO()
    writer = table.writer(out)
    writer.writerow(HEADS)
    for (day, model, channel), (*counts_, cost, estimated) in sorted(sums.items()):
        writer.writerow([day.isoformat(), _cell(model), _cell(channel), *counts_, _usd(cost), _usd(estimated)])
    return out.getvalue()


def _cell(name: str) -> str:
    return f"'{name}" if name.startswith(_FORMULA) else name


def _usd(microusd: int) -> str:
    whole, rest = divmod(abs(microusd), 1_000_000)
    return f"{'-' if microusd < 0 else ''}{whole}.{rest:06}"
