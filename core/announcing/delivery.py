"""Brings announcements to their places: each once in each place, whoever does it and wherever that process dies."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal, Protocol
from weakref import WeakValueDictionary

import structlog

from core.announcing.places import DISCORD, Place
from core.announcing.rounds import PLACE_LOST, Rounds
from core.errors import PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, StoreUnavailable, TokenRevoked
from core.messages import Announcement, Notice
from core.ports import ChatPlatform, Clock
from core.settings import Settings
from core.store import announcements, workspaces
from core.store.announcements import Claimed
from core.store.database import Connection, Database
from core.turns.patience import to_its_end

AT_ONCE, BATCHES = 8, 20
APART = 1.0  # seconds between two posts in a place; Slack takes one a second
PATIENCE = 40.0  # seconds for one delivery: over before its claim is
GIVEN_UP_AFTER = timedelta(days=1)
_WAITS = (5.0, 15.0, 60.0, 300.0)  # seconds before the next try
_log = structlog.get_logger()

Outcome = Literal["told", "later", "refused"]


class _Unseen(Exception):
    """Nobody can tell whether an earlier try has posted it."""


class Content(Protocol):
    """Where announcements of a kind get from what they say, and whom it concerns how they end."""

    async def filled(self, claimed: Claimed) -> Announcement:
        """What is to be said. Raises StoreUnavailable."""
        ...

    def ended(self, connection: Connection, claimed: Claimed, failure: str | None, now: datetime) -> None:
        """It was delivered, or `failure` says why not: told in the transaction that says so."""
        ...


class Deliveries:
    """The chore that posts announcements. `platforms` by name, as they are connected; `contents` by kind."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        platforms: Mapping[str, ChatPlatform],
        clock: Clock,
        contents: Mapping[str, Content] = MappingProxyType({}),
    ) -> None:
        self._settings = settings
        self._rounds = Rounds(settings, platforms)
        self._database = database
        self._platforms = platforms
        self._clock = clock
        self._contents = contents
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopped = False
        self._lines: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._next_at: dict[Place, float] = {}

    async def deliver(self) -> None:
        """Delivers what waits, a few at once; what cannot be delivered now waits for another time.

        Raises StoreUnavailable.
        """
        monotonic = self._clock.monotonic()
        self._next_at = {place: at for place, at in self._next_at.items() if at > monotonic}
        for _ in range(BATCHES):
            now, names = self._clock.now(), tuple(self._platforms)
            if not names:
                return
            waiting = await self._database.read(
                lambda connection: announcements.waiting(connection, names, now, AT_ONCE)  # noqa: B023 - run at once
            )
            if not waiting or self._stopped:
                return
            await self._deliver_all(waiting)

    async def _deliver_all(self, numbers: Sequence[int]) -> None:
        tasks = [asyncio.create_task(self._deliver(number)) for number in numbers]
        self._under_way.update(tasks)
        try:
            for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome
        finally:
            self._under_way.difference_update(tasks)

    async def stop(self) -> None:
        """Breaks off what is under way, before the platforms are closed: the next to try looks first."""
        self._stopped = True
        tasks = tuple(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, number: int) -> None:
        now = self._clock.now()
        claimed = await self._database.write(lambda connection: announcements.claim(connection, number, now))
        if claimed is None:
            return
        outcome: Outcome = "later"
        try:
            async with asyncio.timeout(PATIENCE):
                if (content := self._contents.get(claimed.kind)) is not None:
                    claimed = replace(claimed, announcement=await content.filled(claimed))
                outcome = await self._through_rounds(claimed)
        except TimeoutError:
            _log.warning("announcement.slow", announcement=number)
        except StoreUnavailable:
            raise
        except Exception:  # noqa: BLE001 - a fault of ours, which another try would only repeat
            _log.exception("announcement.fault", announcement=number)
            outcome = "refused"
        finally:
            await to_its_end(self._leave(claimed, outcome))

    async def _leave(self, claimed: Claimed, outcome: Outcome) -> None:
        now = self._clock.now()
        if outcome == "later" and now - claimed.since < GIVEN_UP_AFTER:
            until = now + timedelta(seconds=_WAITS[min(claimed.tries, len(_WAITS)) - 1])
            await self._database.write(lambda connection: announcements.later(connection, claimed.id, until))
            return
        failure = {"told": None, "later": "given_up", "refused": "nobody_told"}[outcome]
        if failure is not None:
            _log.warning("announcement.not_told", announcement=claimed.id, kind=claimed.kind)
        content = self._contents.get(claimed.kind)

        def end(connection: Connection) -> None:
            announcements.end(connection, claimed.id, now, failure=failure)
            if content is not None:
                content.ended(connection, claimed, failure, now)

        await self._database.write(end)

    async def _through_rounds(self, claimed: Claimed) -> Outcome:
        """Tells the places of the first round that takes it."""
        try:
            async with aclosing(self._rounds.of(claimed)) as rounds:
                async for one in rounds:
                    outcomes = await asyncio.gather(*(self._in_line(place, claimed) for place in one))
                    if "later" in outcomes:
                        return "later"  # the others of the round have theirs
                    if "told" in outcomes:
                        return "told"
        except (PlatformUnavailable, TokenRevoked) as error:  # whom it is for could not be asked
            _log.warning("announcement.put_off", announcement=claimed.id, why=error.code or error.reason)
            return "later"
        return "refused"

    async def _in_line(self, place: Place, claimed: Claimed) -> Outcome:
        """Posts it there when the place is at rest: one post after the other, and none right after it."""
        async with self._lines.setdefault(place, asyncio.Lock()):
            if (wait := self._next_at.get(place, 0.0) - self._clock.monotonic()) > 0:
                await self._clock.sleep(wait)
            outcome = await self._at(place, claimed)
            self._next_at[place] = self._clock.monotonic() + APART
            return outcome

    async def _at(self, place: Place, claimed: Claimed) -> Outcome:
        """Posts it in a place, unless it stands there."""
        platform = self._platforms.get(place.platform)
        if platform is None:
            return "later" if self._is_set_up(place.platform) else "refused"
        now = self._clock.now()
        copy = await self._database.write(
            lambda connection: announcements.begin_copy(connection, claimed, str(place), now)
        )
        if copy.state in ("posted", "failed"):
            return "told" if copy.state == "posted" else "refused"
        said, post = claimed.announcement, None
        try:
            if copy.state == "begun":
                post = await self._found(platform, place, claimed)
            if post is None:
                post = await platform.announce(place.to, said, privately=place.privately)
        except _Unseen:
            _log.warning("announcement.unclear", announcement=claimed.id, platform=place.platform)
            await to_its_end(self._unclear(copy.id))
            return "told"
        except (PlatformUnavailable, TokenRevoked) as error:
            _log.warning("announcement.put_off", announcement=claimed.id, why=error.code or error.reason)
            return "later"
        except PlatformError as error:
            why = error.code or error.reason
            await to_its_end(self._refused(claimed, copy.id, place, why, lost=_is_lost(error)))
            return "refused"
        await to_its_end(self._posted(copy.id, post))
        _log.info("announcement.posted", announcement=claimed.id, kind=claimed.kind, platform=place.platform)
        return "told"

    async def _found(self, platform: ChatPlatform, place: Place, claimed: Claimed) -> str | None:
        """The post of an earlier try. Where nobody may look, what has a content of its own is not said twice."""
        try:
            return await platform.find_announcement(
                place.to, claimed.announcement, claimed.since, privately=place.privately
            )
        except PlaceForbidden as error:
            if claimed.kind in self._contents:
                raise _Unseen from error
            return None

    async def _unclear(self, copy: int) -> None:
        now = self._clock.now()
        await self._database.write(
            lambda connection: announcements.copy_ended(connection, copy, now, failure=announcements.UNCLEAR)
        )

    async def _posted(self, copy: int, post: str) -> None:
        now = self._clock.now()
        await self._database.write(lambda connection: announcements.copy_ended(connection, copy, now, platform_id=post))

    async def _refused(self, claimed: Claimed, copy: int, place: Place, why: str, *, lost: bool) -> None:
        """The place never takes it. Of a channel that is lost, people are told once a month."""
        now, key = self._clock.now(), claimed.workspace
        _log.warning("announcement.refused", announcement=claimed.id, platform=place.platform, why=why)

        def note(connection: Connection) -> None:
            announcements.copy_ended(connection, copy, now, failure=why)
            if lost and not place.privately:
                workspace = workspaces.find(connection, key) if key is not None else None
                name = f"{PLACE_LOST}:{workspace or ''}:{place}:{now:%Y-%m}"
                notice = Notice("report_place_lost", {"place": place.to, "platform": place.platform})
                announcements.put(connection, workspace, name, PLACE_LOST, notice, now=now)

        await self._database.write(note)

    def _is_set_up(self, platform: str) -> bool:
        if platform == DISCORD:
            return self._settings.discord_enabled
        return platform == "slack" and self._settings.slack_enabled


def _is_lost(error: PlatformError) -> bool:
    return isinstance(error, PlaceGone | PlaceForbidden)
