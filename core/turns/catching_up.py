"""What becomes of what was said while nobody listened: answered, held for a press of "Answer now", or left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

import structlog

from core.clock import SystemClock
from core.errors import PlatformError, PlatformUnavailable, StoreUnavailable
from core.messages import Accepted, IncomingMessage, Notice, Press, Pressed, WorkspaceKey
from core.ports import Clock, TurnQueue
from core.settings import Settings
from core.store import marks as stored_marks
from core.store import missed, workspaces
from core.store.database import Connection, Database
from core.store.marks import LiveThread, Place
from core.store.missed import MissedNotice
from core.turns.accept import Acceptance, Picks
from core.turns.choices import Choices
from core.turns.controls import Controls
from core.turns.marks import Marks
from core.turns.patience import to_its_end

ANSWERED_WITHIN = timedelta(minutes=15)
KEPT_WITHIN = timedelta(hours=24)
WAITS_AT_MOST = 2.0  # seconds, for what was said before
WRITTEN_EVERY = 3.0  # seconds between two writings of marks
_AGAIN_AFTER = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before what failed is tried again
_THREADS = 200  # conversations of a workspace that are looked at
_log = structlog.get_logger()

Age = Literal["fresh", "late", "over"]


def age(sent_at: datetime, now: datetime) -> Age:
    """Whether a missed question is answered at once, only when somebody still wants it, or not at all."""
    old = now - sent_at
    if old <= ANSWERED_WITHIN:
        return "fresh"
    return "late" if old <= KEPT_WITHIN else "over"


class Board(Protocol):
    """Where notices are posted. Both raise PlatformError."""

    async def find(self, notice: MissedNotice) -> str | None:
        """The id of the notice, if it stands there already."""
        ...

    async def post(self, notice: MissedNotice) -> str:
        """Posts it, quietly; gives its id."""
        ...


@runtime_checkable
class Keeper(Protocol):
    """What is needed of the core. One that stores nothing (a fake) has nothing to catch up with."""

    settings: Settings

    @property
    def database(self) -> Database: ...
    @property
    def queue(self) -> TurnQueue: ...
    @property
    def choices(self) -> Choices: ...
    async def accept(self, message: IncomingMessage) -> Accepted: ...


class CatchingUp:
    """One platform's: what it has heard, what it missed, and what people are told of it."""

    def __init__(self, platform: str, core: Keeper, clock: Clock | None = None) -> None:
        self._platform = platform
        self._settings = core.settings
        self._database = core.database
        self._queue = core.queue
        self._accept = core.accept
        self._clock = clock or SystemClock()
        controls = Controls(core.settings, core.database, self._clock, core.queue)
        self._late = LateAcceptance(core.settings, core.database, core.queue, controls, self._clock, core.choices.names)
        self._missing = False
        self._wake = asyncio.Event()
        self._looked = asyncio.Event()
        self.marks = Marks()
        self.look: Callable[[], None] = _nothing  # at the connection, where nothing tells of it: it may call `hold`

    @staticmethod
    def of(platform: str, core: object) -> CatchingUp | None:
        """For an adapter's core; None where it stores nothing."""
        return CatchingUp(platform, core) if isinstance(core, Keeper) else None

    @property
    def oldest(self) -> datetime:
        """Nothing from before it is fetched."""
        return self._clock.now() - KEPT_WITHIN

    def began(self, place: Place, number: int) -> None:
        """A message came in. What may be missing before it is known by then."""
        self.look()
        self.marks.began(place, number)

    def hold(self) -> None:
        """Something may be missing from here on; `missing` says that it can be looked for."""
        self.marks.hold()

    def missing(self) -> None:
        """Something was missed, or could not be stored: it is looked for soon."""
        self._missing = True
        self._wake.set()

    def seek(self, places: Iterable[Place]) -> None:
        """Nothing is missing but in these channels, which are looked at now."""
        self.marks.seek(places)
        self._tell_looked()

    def caught_up(self, place: Place, number: int) -> None:
        """Nothing is missing there up to this message."""
        self.marks.caught_up(place, number)
        self._tell_looked()

    async def wait_for(self, place: Place, seconds: float = WAITS_AT_MOST) -> None:
        """Returns when what was missed in a channel is stored, so that what is said now comes after it; `seconds` at
        most, as people wait.
        """
        try:
            async with asyncio.timeout(seconds):
                while self.marks.is_behind(place):
                    await self._looked.wait()
        except TimeoutError:
            _log.info("catch_up.not_waited_for", platform=self._platform, channel=place[1])

    def _tell_looked(self) -> None:
        self._looked.set()
        self._looked = asyncio.Event()

    def write_soon(self) -> None:
        """Marks are due that ought to stand before anything else happens."""
        self._wake.set()

    async def accept(self, message: IncomingMessage) -> Accepted:
        """Stores a missed message as it would have been; a question that is late waits for a press.

        Raises StoreUnavailable.
        """
        match age(message.sent_at, self._clock.now()):
            case "fresh":
                return await self._accept(message)
            case "late":
                return await self._late.accept(message)
            case "over":
                return Accepted("ignored")

    async def stored_marks(self) -> dict[Place, int]:
        """How far each channel of the platform was heard, as stored. Raises StoreUnavailable."""
        return await self._database.read(lambda connection: stored_marks.of_platform(connection, self._platform))

    async def live_threads(self, workspace: WorkspaceKey, since: datetime) -> list[LiveThread]:
        """The conversations of a workspace spoken in since then, newest first. Raises StoreUnavailable."""
        return await self._database.read(
            lambda connection: stored_marks.live_threads(connection, workspace, since, _THREADS)
        )

    async def write_marks(self) -> None:
        """Writes down how far channels were heard. Raises StoreUnavailable."""
        due, now = self.marks.due(), self._clock.now()
        if due:
            await self._database.write(lambda connection: stored_marks.forward(connection, due, now))
            self.marks.written(due)

    async def keep(self, catch_up: Callable[[], Awaitable[None]], board: Board) -> None:
        """Until it is cancelled: writes marks down now and then, and catches up when something is missing."""
        failures, others = 0, False
        while True:
            wait = _AGAIN_AFTER[min(failures, len(_AGAIN_AFTER)) - 1] if failures else WRITTEN_EVERY
            try:
                if failures:
                    await asyncio.sleep(wait)
                else:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
            except TimeoutError:
                pass
            looking, self._missing = self._missing, False
            holds = self.marks.holds
            self._wake.clear()
            try:
                await self.write_marks()
                if looking:
                    await catch_up()
                    if not self._missing:
                        self.marks.release(holds)
                        self._tell_looked()
                if looking or others:
                    others = await self._announce(board)
                failures = 0
            except (StoreUnavailable, PlatformError) as error:
                failures += 1
                self._missing = self._missing or looking
                _log.warning("catch_up.put_off", platform=self._platform, why=error.reason, tries=failures)
            except Exception:  # noqa: BLE001 - a fault of ours, which another try would only repeat
                _log.exception("catch_up.failed", platform=self._platform)
                self.seek(())  # nobody waits for what does not come

    async def close(self) -> None:
        """Writes down what is due, if the database is there."""
        try:
            async with asyncio.timeout(2):
                await self.write_marks()
        except (StoreUnavailable, TimeoutError) as error:
            _log.warning("catch_up.marks_not_written", platform=self._platform, error=type(error).__name__)

    def owns(self, control: str) -> bool:
        """Whether a control is the button of a notice."""
        return control.startswith(missed.PREFIX)

    async def press(self, press: Press) -> Pressed:
        """An asker or an admin wants the missed questions answered now. Raises StoreUnavailable."""
        pressed, questions = await self._database.write(lambda connection: self._press(connection, press))
        for turn, line in questions:
            self._queue.put(turn, line)
        return pressed

    def _press(self, connection: Connection, press: Press) -> tuple[Pressed, list[tuple[int, int]]]:
        workspace = workspaces.find(connection, press.workspace)
        askers = missed.askers(connection, workspace, press.control) if workspace is not None else None
        if askers is None:
            return Pressed(False, Notice("control_gone")), []
        admin = press.person.admin or f"{press.workspace.platform}:{press.person.id}" in self._settings.admins
        if press.person.id not in askers and not admin:
            return Pressed(False, Notice("answer_now_not_yours")), []
        questions = missed.answer(connection, press.control, self._clock.now())
        if questions is None:
            return Pressed(False, Notice("answered_now_before")), []
        for turn, line in questions:
            self._queue.defer(connection, press.workspace.platform, turn, line)
        return Pressed(True, Notice("answered_now")), questions

    async def _announce(self, board: Board) -> bool:
        """Posts the notices that are due, each once, whoever died in the middle. Raises PlatformUnavailable.

        True: another process is at one of them, or died there: look again.
        """
        others = False
        for number in await self._database.read(lambda connection: missed.to_post(connection, self._platform)):
            notice = await self._claimed(number)
            if notice is None:
                others = True
                continue
            try:
                post = await board.find(notice) if notice.sought else None
                post = post or await board.post(notice)
            except (PlatformUnavailable, asyncio.CancelledError):
                await to_its_end(self._left(number))  # it may stand there: the next try, whoever's, looks first
                raise
            except PlatformError as error:
                post = None
                _log.warning("catch_up.notice_refused", channel=notice.channel, reason=error.reason, code=error.code)
            await self._posted(number, post)
        return others

    async def _claimed(self, notice: int) -> MissedNotice | None:
        now, alone = self._clock.now(), not self._settings.postgres
        return await self._database.write(lambda connection: missed.claim(connection, notice, now, alone=alone))

    async def _left(self, notice: int) -> None:
        now = self._clock.now()
        try:
            await self._database.write(lambda connection: missed.leave(connection, notice, now))
        except StoreUnavailable as error:  # then it is nobody's a little later
            _log.warning("catch_up.notice_not_left", notice=notice, why=error.reason)

    async def _posted(self, notice: int, post: str | None) -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: missed.posted(connection, notice, post, now))


def _nothing() -> None:
    """There is nothing to look at."""


class LateAcceptance(Acceptance):
    """Accepts what came too long ago to be answered by itself: its turns are held as soon as they are made."""

    def _store(
        self, connection: Connection, message: IncomingMessage, brought: Picks
    ) -> tuple[Accepted, int | None, tuple[int, ...]]:
        accepted, line, stopping = super()._store(connection, message, brought)
        if accepted.turn is None:
            return accepted, line, stopping
        missed.hold(connection, accepted.turn, self._clock.now())
        return Accepted("context"), None, stopping
