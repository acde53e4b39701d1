"""What Slack never brought, or brought while nothing could be stored: read back where the bot was lately active."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from bots.slack import inbound
from bots.slack.api import Json
from bots.slack.histories import Histories
from bots.slack.inbound import Bot
from bots.slack.missed_notices import MissedNotices
from bots.slack.workspace import SlackWorkspace
from core.errors import BiseError, PlaceForbidden, PlaceGone
from core.messages import Accepted, IncomingMessage
from core.store.marks import EVERYWHERE, Place
from core.turns.catching_up import CatchingUp

MESSAGES_MAX = 500  # of a channel, those written last
THREADS_MAX = 30  # of a channel
ACTIVE_WITHIN = timedelta(hours=24)
_LOOK_EVERY = 1.0  # seconds, at the connection
# Slack brings an event again for about five minutes, to any process: so far back another may still be waiting for it.
_OVERLAP_MICROSECONDS = 6 * 60 * 1_000_000
_log = structlog.get_logger()

Accept = Callable[[IncomingMessage], Awaitable[Accepted]]
Take = Callable[[Json, SlackWorkspace, Accept], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back a channel is looked through, in microseconds: messages count when they are from after `after`.

    What addresses the bot by itself counts from `since` on, which may be earlier: the other processes of a workspace
    move the mark, too. Threads are sought among what was said since `day_ago`.
    """

    after: int
    since: int
    day_ago: int


@dataclass(frozen=True, slots=True)
class Look:
    """A channel and what is known to be in it: the roots (ts) of the bot's threads."""

    channel: str
    reach: Reach
    roots: tuple[str, ...]


class CatchUp:
    """`take` stores a missed message if it concerns the bot.

    `session`: what brings events, another object after each new connection; None while none come.
    """

    def __init__(
        self,
        missed: CatchingUp,
        workspaces: dict[str, SlackWorkspace],
        take: Take,
        session: Callable[[], object | None],
        *,
        most: int = MESSAGES_MAX,
    ) -> None:
        self._missed = missed
        self._workspaces = workspaces
        self._take = take
        self._session = session
        self._most = most
        self._histories: dict[str, Histories] = {}
        self._board = MissedNotices(workspaces.get, self._histories_of)
        self._last_session: object | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Before the connection."""
        if not self._tasks:
            self._missed.hold()
            self._missed.look = self.look
            keep = self._missed.keep(self._catch_up, self._board)
            self._tasks = [asyncio.create_task(work) for work in (keep, self._watch())]

    def look(self) -> None:
        """At the connection: what came before it, or while there was none, is missing."""
        session, last = self._session(), self._last_session
        if session is last:
            return
        if last is not None:
            self._missed.hold()
        if session is not None:
            self._missed.missing()
        self._last_session = session

    async def close(self) -> None:
        """After the last event was stored."""
        if self._tasks:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._missed.close()

    def _histories_of(self, workspace: SlackWorkspace) -> Histories:
        return self._histories.setdefault(workspace.bot.team, Histories(workspace.api))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            self.look()

    async def _catch_up(self) -> None:
        """Looks at every channel that the bot was active in. Raises StoreUnavailable, PlatformError."""
        while self._session() is None:  # noqa: ASYNC110 - what is missed from now on would count as looked for
            await asyncio.sleep(_LOOK_EVERY)
        marks = await self._missed.stored_marks()
        plans = [(workspace, await self._plan(workspace, marks)) for workspace in list(self._workspaces.values())]
        self._missed.seek((workspace.bot.workspace, look.channel) for workspace, plan in plans for look in plan)
        for workspace, plan in plans:
            count = 0
            for look in plan:
                count += await self._fill(workspace, look.channel, look.reach, look.roots)
            _log.info("slack.caught_up", team=workspace.bot.team, channels=len(plan), messages=count)

    async def _plan(self, workspace: SlackWorkspace, marks: dict[Place, int]) -> list[Look]:
        """The channels that are to be looked at. Raises StoreUnavailable."""
        key = workspace.bot.workspace
        heard = {channel: mark for (where, channel), mark in marks.items() if where == key and channel != EVERYWHERE}
        began = marks.get((key, EVERYWHERE))
        if began is None:  # the first start
            began = round(datetime.now(UTC).timestamp() * 1_000_000)
            self._missed.caught_up((key, EVERYWHERE), began)
            await self._missed.write_marks()  # else whoever comes after a kill would begin anew
        active_since = min(instant(max([began, *heard.values()])), datetime.now(UTC)) - ACTIVE_WITHIN
        roots: dict[str, list[str]] = {}
        for thread in await self._missed.live_threads(key, active_since):
            roots.setdefault(thread.channel, []).append(thread.root.rpartition(":")[2])
        oldest = microseconds(f"{self._missed.oldest.timestamp():.6f}")
        plan = []
        for channel, begun in roots.items():
            mark = heard.get(channel, began)  # none: it was heard first while marks were held
            reach = Reach(max(mark, oldest), max(mark - _OVERLAP_MICROSECONDS, min(began, mark), oldest), oldest)
            plan.append(Look(channel, reach, tuple(begun)))
        return plan

    async def _fill(self, workspace: SlackWorkspace, channel: str, reach: Reach, roots: Iterable[str]) -> int:
        """Takes what is missing in a channel, oldest first; gives how many messages were looked at."""
        try:
            found = await self._missing(workspace, channel, reach, roots)
        except (PlaceGone, PlaceForbidden) as error:
            _log.info("slack.not_caught_up", channel=channel, reason=error.reason, code=error.code)
            return 0
        if len(found) > self._most:
            _log.warning("slack.caught_up_in_part", channel=channel, messages=len(found), taken=self._most)
        for event in found[-self._most :]:
            await self._take_or_pass_over(event, workspace)
        newest = microseconds(str(found[-1]["ts"])) if found else reach.after
        self._missed.caught_up((workspace.bot.workspace, channel), newest)
        return len(found)

    async def _take_or_pass_over(self, event: Json, workspace: SlackWorkspace) -> None:
        try:
            await self._take(event, workspace, self._missed.accept)
        except BiseError:
            raise
        except Exception:  # noqa: BLE001 - one message's fault, whatever it is
            _log.exception("slack.missed_message_not_read", channel=event["channel"], ts=event["ts"])

    async def _missing(self, workspace: SlackWorkspace, channel: str, reach: Reach, roots: Iterable[str]) -> list[Json]:
        """What counts in a channel and its threads, in its order, as events. Raises PlatformError."""
        histories = self._histories_of(workspace)
        tops = await histories.channel(channel, stamp(reach.day_ago))
        told = {str(top["ts"]) for top in tops}
        answered = [str(top["ts"]) for top in tops if microseconds(str(top.get("latest_reply") or "0")) > reach.since]
        # Of threads older than what the channel shows, those of the bot alone are known.
        threads = [*answered, *(root for root in roots if root not in told)][:THREADS_MAX]
        found = {str(top["ts"]): top for top in tops}
        for root in threads:
            try:
                replies = await histories.thread(channel, root, stamp(reach.since))
            except PlaceGone:  # the thread was deleted
                continue
            found |= {str(reply["ts"]): reply for reply in replies}
        events = [{**found[ts], "channel": channel} for ts in sorted(found, key=microseconds)]
        return [event for event in events if _counts(event, workspace.bot, reach)]


def _counts(event: Json, bot: Bot, reach: Reach) -> bool:
    number = microseconds(str(event["ts"]))
    addressed = inbound.is_direct(event) or inbound.is_mentioned(event, bot)
    return number > (reach.since if addressed else reach.after) and inbound.is_for_bot(event, bot)


def microseconds(ts: str) -> int:
    """A ts ("1700000000.000100") as one number."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds or 0) * 1_000_000 + int((fraction or "0").ljust(6, "0")[:6])


def stamp(number: int) -> str:
    """The ts of `microseconds`."""
    return f"{number // 1_000_000}.{number % 1_000_000:06d}"


def instant(number: int) -> datetime:
    return datetime.fromtimestamp(number / 1_000_000, UTC)
