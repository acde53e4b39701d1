"""Alerts: what admins are told when half, most and all of a limit is spent, once for each period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from core.budgets.terms import Terms
from core.messages import Notice
from core.store import announcements, budget_names
from core.store.budgets import Room
from core.store.database import Connection

PERCENTS = (50, 80, 100)
KIND = "alert"


def crossed(before: int, after: int, limit: int) -> tuple[int, ...]:
    """The percents of a limit that were reached by spending from `before` to `after`; all in micro-dollars.

    What is held does not count. A limit of nothing has nothing to be reached.
    """
    if limit <= 0:
        return ()
    return tuple(percent for percent in PERCENTS if before * 100 < percent * limit <= after * 100)


def note(connection: Connection, rooms: Sequence[Room], cost: int, terms: Terms, now: datetime) -> int:
    """Announces what was reached, in the transaction that adds `cost` to the limits `rooms`, as they were before it.

    Returns the number of new announcements. Where nothing is reached it asks the database nothing.
    """
    made = 0
    for room in rooms:
        if room.limit is None or room.scope == "turn":
            continue
        for percent in crossed(room.spent, room.spent + cost, room.limit):
            made += _announce(connection, room, percent, room.spent + cost, terms, now)
    return made


def _announce(connection: Connection, room: Room, percent: int, spent: int, terms: Terms, now: datetime) -> bool:
    named = budget_names.named(connection, room.place)
    zone = named.zone or terms.timezone
    values: dict[str, str | int] = {
        "scope": room.scope,
        "period": room.kind,
        "percent": percent,
        "spent": spent,
        "limit": room.limit or 0,
        "resets": room.resets_at.astimezone(ZoneInfo(zone)).isoformat(),
        "zone": zone,
        "who": named.who,
        "workspace": str(named.key or ""),
    }
    name = f"{KIND}:{room.number}:{percent}"
    return announcements.put(connection, named.workspace, name, KIND, Notice("budget_alert", values), now=now)
