"""The core's Reply on Discord: what it writes goes to the posts, and the place's writer says when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bots.discord.posts import AnswerPosts
from bots.writer import Lane, RateLimited, Writer
from core.errors import PlatformError
from core.messages import Answer

_log = structlog.get_logger()


class DiscordReply:
    """One answer as it appears.

    `busy` shows that something is coming until it is cancelled; `failed` is told why an answer could not be shown;
    `ended` is called once, whatever the end.
    """

    def __init__(
        self,
        turn: int,
        posts: AnswerPosts,
        writer: Writer,
        *,
        busy: Callable[[], Awaitable[None]] | None = None,
        failed: Callable[[PlatformError], Awaitable[None]] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self._turn = turn
        self._posts = posts
        self._failed = failed
        self._ended = ended
        self._busy = asyncio.create_task(self._show(busy)) if busy is not None else None
        self._opening = asyncio.create_task(self._show(posts.open))
        self._lane: Lane = writer.open(posts)

    def status(self, name: str, count: int = 0) -> None:
        """Discord shows only that something is being written, which it does from the start."""

    def write(self, text: str) -> None:
        self._posts.add(text)
        if self._busy is not None and text.strip():
            self._busy.cancel()
        self._lane.touch()

    async def finish(self, answer: Answer) -> None:
        """Shows the whole answer. Raises PlatformError, after the asker was told where that is possible."""
        self._posts.conclude(answer)
        try:
            await self._lane.finish()
        except PlatformError as error:
            if self._failed is not None:
                await self._failed(error)
            raise
        finally:
            await self._end()

    async def abandon(self) -> None:
        self._lane.close()
        await self._posts.rest()
        await self._end()

    async def _show(self, busy: Callable[[], Awaitable[None]]) -> None:
        try:
            await busy()
        except (PlatformError, RateLimited) as error:  # the answer itself will meet the same, and tell
            _log.info("sign_of_life_failed", turn=self._turn, error=type(error).__name__)

    async def _end(self) -> None:
        if self._busy is not None:
            self._busy.cancel()
        await asyncio.wait({task for task in (self._busy, self._opening) if task is not None})
        if self._ended is not None:
            self._ended()
            self._ended = None
