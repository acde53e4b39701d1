"""Posts of ours that no row owns: made by a call whose end nobody saw, or by a process that died just after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import structlog

from bots.slack.api import Json
from bots.slack.errors import Unsure
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import ReplyOrder
from core.ports import PostLog

CLOCK_SKEW_SECONDS = 3.0
_PAGE = "200"

log = structlog.get_logger()


class Orphans:
    """Looks into the thread of one answer."""

    def __init__(self, order: ReplyOrder, workspace: SlackWorkspace, posts: PostLog) -> None:
        self._order = order
        self._workspace = workspace
        self._posts = posts
        self._thread_ts = order.address["thread_ts"]

    async def since(self, asked_at: float, known: Collection[str]) -> str | None:
        """The newest post of ours made since `asked_at` (epoch seconds). Raises PlatformError, RateLimited, TurnLost.

        `known`: the ts of those that the answer has.
        """
        oldest = f"{max(float(self._thread_ts), asked_at - CLOCK_SKEW_SECONDS):.6f}"
        found = await self._without_owner(ts for ts in await self._read(oldest) if ts not in known)
        return found[-1] if found else None

    async def of_earlier_attempts(self) -> list[str]:
        """The ts of what earlier attempts at this answer left here without writing it down, oldest first.

        Raises PlatformUnavailable, TokenRevoked, RateLimited and TurnLost; where Slack refuses to show the thread,
        there is none.
        """
        question = self._order.question.rpartition(":")[2]
        try:
            found = await self._read(question)
        except (PlatformUnavailable, TokenRevoked):
            raise
        except PlatformError as error:
            log.warning("slack.orphans_not_sought", turn=self._order.turn, code=error.code)
            return []
        return await self._without_owner(found)

    async def remove(self, ts: str) -> None:
        """Takes away a post of ours that came too late: its turn is somebody else's, who never heard of it."""
        here = {"channel": self._order.channel, "ts": ts}
        try:
            try:
                await self._workspace.api.call("chat.delete", dict(here))
            except PlatformError as error:
                if isinstance(error, PlatformUnavailable | TokenRevoked):
                    raise
                await self._workspace.api.call("chat.stopStream", dict(here))  # a stream is ended before it is deleted
                await self._workspace.api.call("chat.delete", dict(here))
        except (PlatformError, RateLimited) as error:
            log.warning("slack.late_post_stays", turn=self._order.turn, ts=ts, error=type(error).__name__)
        else:
            log.info("slack.late_post_removed", turn=self._order.turn, ts=ts)

    async def _without_owner(self, found: Iterable[str]) -> list[str]:
        """Asked after the posts were read: what was written down until then is somebody's."""
        names = {f"{self._order.channel}:{ts}": ts for ts in found}
        owned = await self._posts.owned(names) if names else frozenset()
        return [ts for name, ts in names.items() if name not in owned]

    async def _read(self, oldest: str) -> list[str]:
        """The ts of the bot's posts in the thread after `oldest`, the thread's root aside."""
        where = {"channel": self._order.channel, "ts": self._thread_ts, "oldest": oldest, "limit": _PAGE}
        answer = await self._workspace.api.read("conversations.replies", where)
        messages: list[Json] = answer.get("messages") or []
        if not isinstance(messages, list):
            raise Unsure("conversations.replies: unreadable answer", code="no_answer")
        return [
            str(message["ts"])
            for message in messages
            if message.get("user") == self._workspace.bot.user
            and message.get("ts") != self._thread_ts
            and float(message["ts"]) > float(oldest)
        ]
