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
NOTHING_LEFT = 95  # percent of a limit from which a refusal means that it is used up: bounds seldom meet it exactly
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


def note_refusal(connection: Connection, rooms: Sequence[Room], least: int, terms: Terms, now: datetime) -> int:
    """Announces the limits that are used up as `least` micro-dollars, a call's cheapest form, find no room in them.

    What is spent hardly ever meets a limit: the last call for which there is no room is never made. So a refusal
    announces the 100 %, for a limit of which nearly all is spent; what is held for others does not count. Returns the
    number of new announcements.
    """
    made = 0
    for room in rooms:
        if room.limit is None or room.scope == "turn" or least <= room.left_without_holds:
            continue
        if room.spent * 100 >= NOTHING_LEFT * room.limit > 0:
            made += _announce(connection, room, PERCENTS[-1], room.spent, terms, now)
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
