"""Posts of ours that no row owns: made by a call whose end nobody saw, or by a process that died just after it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import structlog

from bots.slack.api import Json
from bots.slack.errors import Unsure
from bots.slack.workspace import SlackWorkspace
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import ReplyOrder

CLOCK_SKEW_SECONDS = 3.0
_PAGE = "200"

log = structlog.get_logger()


class Orphans:
    """Looks into the thread of one answer. `known` below: the ts of those posts that the answer owns."""

    def __init__(self, order: ReplyOrder, workspace: SlackWorkspace) -> None:
        self._order = order
        self._workspace = workspace
        self._thread_ts = order.address["thread_ts"]

    async def since(self, asked_at: float, known: Collection[str]) -> str | None:
        """The newest post of ours made since `asked_at` (epoch seconds). Raises PlatformError, RateLimited.

        A conversation has one turn at a time: it is the one whose making was in doubt a moment ago.
        """
        oldest = f"{max(float(self._thread_ts), asked_at - CLOCK_SKEW_SECONDS):.6f}"
        found = [str(message["ts"]) for message in await self._read(oldest, known)]
        return found[-1] if found else None

    async def of_earlier_attempts(self, words: str, known: Collection[str]) -> list[str]:
        """What earlier attempts at this answer left here, oldest first. `words`: what would be posted now.

        Raises PlatformUnavailable, TokenRevoked and RateLimited; where Slack refuses to show the thread, there is none.
        """
        question = self._order.question.rpartition(":")[2]
        try:
            messages = await self._read(question, known)
        except (PlatformUnavailable, TokenRevoked):
            raise
        except PlatformError as error:
            log.warning("slack.orphans_not_sought", turn=self._order.turn, code=error.code)
            return []
        # Below a question that began its thread everything of ours is an answer to it. In an older thread the answer
        # to an earlier question may stand below this one, and must never be written over: there it takes a sign.
        alone = question == self._thread_ts
        return [str(message["ts"]) for message in messages if alone or self._is_ours(message, words)]

    async def _read(self, oldest: str, known: Collection[str]) -> list[Json]:
        """The bot's posts in the thread after `oldest`, the thread's root aside."""
        where = {"channel": self._order.channel, "ts": self._thread_ts, "oldest": oldest, "limit": _PAGE}
        answer = await self._workspace.api.read("conversations.replies", where)
        if not isinstance(messages := answer.get("messages") or [], list):
            raise Unsure("conversations.replies: unreadable answer", code="no_answer")
        return [
            message
            for message in messages
            if message.get("user") == self._workspace.bot.user
            and message.get("ts") not in {*known, self._thread_ts}
            and float(message["ts"]) > float(oldest)
        ]

    def _is_ours(self, message: Json, words: str) -> bool:
        """Still streaming (earlier answers have ended), with our Stop button, or in the very words of this answer."""
        if message.get("streaming_state") == "in_progress":
            return True
        blocks = list(_objects(message.get("blocks")))
        if self._order.stop and any(block.get("value") == self._order.stop for block in blocks):
            return True
        texts = (message.get("text"), *(block.get("text") for block in blocks))
        return bool(_letters(words)) and _letters(words) in {_letters(text) for text in texts if isinstance(text, str)}


def _objects(found: Any) -> Iterator[Json]:
    """Every object in Block Kit, however deep."""
    if isinstance(found, dict):
        yield found
        found = list(found.values())
    for one in found if isinstance(found, list) else ():
        yield from _objects(one)


def _letters(text: str) -> str:
    """What Slack's own rewriting of a text leaves alone."""
    return "".join(character for character in text if character.isalnum())
