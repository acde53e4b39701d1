"""Choices of a core that stores none: the built-in names, for adapters that are tested without a core."""

from __future__ import annotations

from core.clock import SystemClock
from core.settings import Settings
from core.store.database import Database
from core.turns.choices import Choices
from core.turns.names import Names


def choices_of_nobody() -> Choices:
    """The real names; nothing can be stored, as there is no database behind it."""
    clock = SystemClock()
    return Choices(Names.of(Settings(), clock), Database.open("sqlite+aiosqlite:///no-database"), clock)
