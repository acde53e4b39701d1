"""How many questions a minute are taken: so that one person, or one workspace, leaves room for the others."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from core.messages import LOCAL, Notice, WorkspaceKey
from core.settings import Settings
from core.store import turns
from core.store.database import Connection

Whose = Literal["person", "workspace"]
MINUTE = timedelta(minutes=1)
COMMANDS: dict[Whose, str] = {"person": "too_fast_person", "workspace": "too_fast_workspace"}


class Rates:
    """Counts in the database, so that all processes count together."""

    def __init__(self, settings: Settings) -> None:
        self._person = settings.user_turns_per_minute
        self._workspace = settings.workspace_turns_per_minute

    def exceeded(
        self, connection: Connection, key: WorkspaceKey, workspace: int, person: int, sent_at: datetime, now: datetime
    ) -> Whose | None:
        """Whose limit one more question would exceed; None: it may be asked.

        What was sent in the minute before `sent_at` counts, so that what is caught up after a downtime is not held
        against anybody.
        """
        if key == LOCAL or (self._person is None and self._workspace is None):
            return None
        mine, everybodys = turns.asked_lately(connection, workspace, person, sent_at - MINUTE, now - MINUTE)
        if self._person is not None and mine >= self._person:
            return "person"
        return "workspace" if self._workspace is not None and everybodys >= self._workspace else None

    def told(self, whose: Whose, key: WorkspaceKey) -> Notice:
        """What the asker is told in the workspace `key`."""
        limit = self._person if whose == "person" else self._workspace
        seconds = int(MINUTE.total_seconds())
        return Notice("too_fast", {"who": whose, "limit": limit or 0, "seconds": seconds, "workspace": str(key)})
