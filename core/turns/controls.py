"""The door for every button and every "stop": who may, which turn, what then."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

from core.messages import LOCAL, Answer, Notice, Press, Pressed
from core.ports import Clock, TurnQueue
from core.settings import Settings
from core.store import conversations, posts, turns, workspaces
from core.store.database import Connection, Database
from core.turns.rates import Rates

STOP = "stop"
AGAIN = "again"
# Answers that ended with one of these ended because the model could not be had: asked again, it may answer.
_NO_MODEL = frozenset(
    {
        "model_given_up",
        "model_held_back",
        "model_overloaded",
        "model_rate_limited",
        "model_server_error",
        "model_unreachable",
        "model_timeout",
        "model_unauthorized",
        "model_out_of_credit",
    }
)


class Door(Protocol):
    """Where the presses of buttons go that are of no turn's answer."""

    def owns(self, control: str) -> bool:
        """Whether a control is one of its own."""
        ...

    async def press(self, press: Press) -> Pressed:
        """What a press does. Raises StoreUnavailable, PlatformError."""
        ...


class Controls:
    """Finds the turn of a button, checks who pressed it, and acts. Works after any restart: all is in the database.

    `doors`: those of other buttons.
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, queue: TurnQueue, doors: Sequence[Door] = ()
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._queue = queue
        self._doors = tuple(doors)
        self._rates = Rates(settings)
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
        return self._add(connection, turn, STOP)

    def ensure_again(self, connection: Connection, turn: turns.Turn, answer: Answer) -> str:
        """The id of the turn's "Ask again" button, if its answer gets one; else empty."""
        if turn.command is not None or turn.platform == LOCAL.platform or not may_ask_again(answer):
            return ""
        return self.again_of(connection, turn) or self._add(connection, turn, AGAIN)

    def again_of(self, connection: Connection, turn: turns.Turn) -> str:
        """The id of the turn's "Ask again" button as long as nobody used it; else empty."""
        return posts.unused_control(connection, turn.workspace, turn.id, AGAIN) or ""

    async def press(self, press: Press) -> Pressed:
        """What a press does. Raises StoreUnavailable; PlatformError where a platform is asked who may."""
        if (door := next((door for door in self._doors if door.owns(press.control)), None)) is not None:
            return await door.press(press)
        pressed, stopped, line = await self._database.write(lambda connection: self._press(connection, press))
        if stopped is not None:
            self.interrupt(stopped)
        if pressed.turn is not None and line is not None:
            self._queue.put(pressed.turn, line)
        return pressed

    def _press(self, connection: Connection, press: Press) -> tuple[Pressed, int | None, int | None]:
        """What to say, the turn to interrupt, and the line in which a new turn waits."""
        workspace = workspaces.find(connection, press.workspace)
        control = posts.control(connection, workspace, press.control) if workspace is not None else None
        if workspace is None or control is None:
            return Pressed(False, Notice("control_gone")), None, None
        if control.owner != press.person.id and not self._is_admin(press):
            theirs = Notice("again_not_yours") if control.kind == AGAIN else Notice("control_not_yours")
            return Pressed(False, theirs), None, None
        if control.kind == AGAIN:
            return self._ask_again(connection, workspace, control, press)
        person, now = workspaces.ensure_person(connection, workspace, press.person), self._clock.now()
        if not turns.request_stop(connection, workspace, control.turn, person, now):
            return Pressed(False, Notice("already_finished")), None, None
        posts.use_control(connection, control.id, now)
        return Pressed(True), control.turn, None

    def _ask_again(
        self, connection: Connection, workspace: int, control: posts.Control, press: Press
    ) -> tuple[Pressed, None, int | None]:
        """Queues another turn for the question of the control's turn, once."""
        if (refusal := self._not_welcome(press)) is not None:
            return Pressed(False, refusal), None, None
        question = turns.question(connection, workspace, control.turn)
        if question is None:
            return Pressed(False, Notice("question_gone")), None, None
        # The conversation is locked before its turns, as by those who accept messages: else the two could deadlock.
        conversations.by_id(connection, workspace, question.conversation, lock=True)
        now, person = self._clock.now(), workspaces.ensure_person(connection, workspace, press.person)
        if (whose := self._rates.exceeded(connection, press.workspace, workspace, person, now, now)) is not None:
            return Pressed(False, self._rates.told(whose, press.workspace)), None, None
        if not posts.use_control(connection, control.id, now):
            return Pressed(False, Notice("already_asked_again")), None, None
        turn = turns.put(
            connection,
            workspace,
            question.conversation,
            question.message,
            address=question.address | dict(press.address),
            command=None,
            now=self._clock.now(),
            ordinal=question.ordinal + 1,
            supersedes=control.turn,
        )
        line = turns.line(turn, question.conversation, None)
        self._queue.defer(connection, press.workspace.platform, turn, line)
        return Pressed(True, turn=turn), None, line

    def _not_welcome(self, press: Press) -> Notice | None:
        """Why whoever presses may not ask here any more."""
        allowed = self._settings.allowed_workspaces
        if allowed and str(press.workspace) not in allowed:
            return Notice("workspace_not_allowed")
        return Notice("external") if press.person.external and not self._settings.allow_external else None

    def _add(self, connection: Connection, turn: turns.Turn, kind: str) -> str:
        new_id = secrets.token_urlsafe(12)
        return posts.add_control(
            connection, turn.workspace, turn.id, kind, turn.asker_number, new_id, self._clock.now()
        )

    def _is_admin(self, press: Press) -> bool:
        return press.person.admin or f"{press.workspace.platform}:{press.person.id}" in self._settings.admins


def may_ask_again(answer: Answer) -> bool:
    """Whether the model could not be had. An answer that broke off is such a one while nothing of it was shown."""
    if answer.outcome != "failed":
        return False
    names = {notice.name for notice in answer.notices}
    return bool(names & _NO_MODEL) or ("stream_cut" in names and not answer.text.strip())
