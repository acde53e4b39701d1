"""The door for every button and every "stop": who may, which turn, what then."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from core.messages import Notice, Press, Pressed
from core.ports import Clock
from core.settings import Settings
from core.store import posts, turns, workspaces
from core.store.database import Connection, Database

STOP = "stop"


class Controls:
    """Finds the turn of a button, checks who pressed it, and acts. Works after any restart: all is in the database."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._running: dict[int, Callable[[], None]] = {}

    def watch(self, turn: int, interrupt: Callable[[], None]) -> None:
        """A turn runs in this process: `interrupt` ends its model call."""
        self._running[turn] = interrupt

    def unwatch(self, turn: int) -> None:
        self._running.pop(turn, None)

    def interrupt(self, turn: int) -> None:
        """Ends the model call of a turn that was asked to stop, if it runs here."""
        if (interrupt := self._running.get(turn)) is not None:
            interrupt()

    def ensure_stop(self, connection: Connection, turn: turns.Turn) -> str:
        """The id of the turn's Stop button."""
        if turn.attempt > 1 and (known := posts.control_of(connection, turn.workspace, turn.id, STOP)) is not None:
            return known
        return posts.add_control(
            connection,
            turn.workspace,
            turn.id,
            STOP,
            turn.asker_number,
            secrets.token_urlsafe(12),
            self._clock.now(),
        )

    async def press(self, press: Press) -> Pressed:
        """What a press does. Raises StoreUnavailable."""
        pressed, turn = await self._database.write(lambda connection: self._press(connection, press))
        if turn is not None:
            self.interrupt(turn)
        return pressed

    def _press(self, connection: Connection, press: Press) -> tuple[Pressed, int | None]:
        """What to say, and the turn to interrupt."""
        workspace = workspaces.find(connection, press.workspace)
        if workspace is None or (control := posts.control(connection, workspace, press.control)) is None:
            return Pressed(False, Notice("control_gone")), None
        if control.owner != press.person.id and not self._is_admin(press):
            return Pressed(False, Notice("control_not_yours")), None
        person, now = workspaces.ensure_person(connection, workspace, press.person), self._clock.now()
        if not turns.request_stop(connection, workspace, control.turn, person, now):
            return Pressed(False, Notice("already_finished")), None
        posts.use_control(connection, control.id, now)
        return Pressed(True), control.turn

    def _is_admin(self, press: Press) -> bool:
        return press.person.admin or f"{press.workspace.platform}:{press.person.id}" in self._settings.admins
