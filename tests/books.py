"""The books of budgets, kept anew: what the counters must say, summed over the rows that they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

Rows = Callable[[str], list[tuple[Any, ...]]]
Place = tuple[str, str, str]  # of a counter: place, kind, period

_WHERE = "workspace_id, channel, person_id, day_period, month_period, installation_day, installation_month"
_BUDGETS = "SELECT place, kind, period, spent_microusd, reserved_microusd FROM budget"
_SPENT = f"SELECT {_WHERE}, sum(cost_microusd) FROM usage GROUP BY {_WHERE}"  # noqa: S608 - names
_HELD = "sum(CASE WHEN state = 'held' THEN bound_microusd ELSE 0 END)"
_RESERVED = f"SELECT {_WHERE}, {_HELD} FROM reservation GROUP BY {_WHERE}"  # noqa: S608 - names
_ENDED = """SELECT reservation.id, state, count(usage.id), ended_at IS NULL FROM reservation
LEFT JOIN usage ON usage.reservation_id = reservation.id AND usage.corrects IS NULL
GROUP BY reservation.id, state, ended_at"""
_CALLS_OF = {"held": (0,), "settled": (1,), "charged": (1,), "voided": (0, 1)}  # by state


def places_of(workspace: int, channel: str, person: int) -> tuple[str, ...]:
    """Where a call counts, beside the whole installation."""
    return f"person:{workspace}:{person}", f"channel:{workspace}:{channel}", f"workspace:{workspace}"


def wrong(rows: Rows) -> list[str]:
    """What is not as it must be, one line each.

    Each counter is the sum over its rows; each call counts in exactly eight of them, which are there; a hold has ended
    once, with one row of the ledger, or with one at most where it was voided.
    """
    told = {(place, kind, period): (spent, reserved) for place, kind, period, spent, reserved in rows(_BUDGETS)}
    spent, reserved = _summed(rows(_SPENT)), _summed(rows(_RESERVED))
    found = [f"{where} is counted, and has no row" for where in sorted((spent.keys() | reserved.keys()) - told.keys())]
    for where, counters in sorted(told.items()):
        if counters != (sums := (spent[where], reserved[where])):
            found.append(f"{where}: spent and reserved are {counters}, their rows say {sums}")
        if counters[1] < 0:
            found.append(f"{where}: less than nothing is reserved")
    for number, state, calls, running in rows(_ENDED):
        if calls not in _CALLS_OF[state] or bool(running) != (state == "held"):
            found.append(f"hold {number} is {state}, with {calls} calls")
    return found


def _summed(rows: list[tuple[Any, ...]]) -> Counter[Place]:
    """Sums by place and period of rows that count in eight of them each."""
    sums: Counter[Place] = Counter()
    for workspace, channel, person, day, month, installation_day, installation_month, amount in rows:
        for place in places_of(workspace, channel, person):
            sums[place, "day", day] += int(amount)
            sums[place, "month", month] += int(amount)
        sums["installation", "day", installation_day] += int(amount)
        sums["installation", "month", installation_month] += int(amount)
    return sums
