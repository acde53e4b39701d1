"""The core's Reply on Discord: what it writes goes to the posts, and the place's writer says when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bots.discord.errors import THREAD_ARCHIVED
from bots.discord.posts import AnswerPosts
from bots.writer import UNFENCED, Lane, RateLimited, Writer
from core.errors import PlaceForbidden, PlaceGone, PlatformError, TokenRevoked
from core.messages import Answer, Post
from core.ports import Lease, TurnLost

_FOR_GOOD = (PlaceGone, PlaceForbidden, TokenRevoked)
_log = structlog.get_logger()


class DiscordReply:
    """One answer as it appears.

    `busy` shows that something is coming until it is cancelled, and results in why it may not; `failed` is told why
    an answer could not be shown; `ended` is called once, whatever the end.
    """

    def __init__(
        self,
        turn: int,
        posts: AnswerPosts,
        writer: Writer,
        *,
        lease: Lease = UNFENCED,
        busy: asyncio.Task[PlatformError | None] | None = None,
        failed: Callable[[PlatformError], Awaitable[None]] | None = None,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self._turn = turn
        self._posts = posts
        self._failed = failed
        self._ended = ended
        self._busy = busy
        self._opening = asyncio.create_task(self._open())
        self._writer, self._lease = writer, lease
        self._lane: Lane = writer.open(posts, lease)

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

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        self._posts.conclude(answer)
        self._posts.begin_again(posts)
        self._lane = self._writer.open(self._posts, self._lease)
        await self._lane.finish()

    def error(self) -> PlatformError | None:
        """Why nothing more can be shown here; None while something may be."""
        signs = (_result(self._busy), _result(self._opening))
        # Nobody can type in an archived thread, but what is sent there opens it again.
        met = (self._lane.error, *(error for error in signs if error and error.code != THREAD_ARCHIVED))
        return next((error for error in met if isinstance(error, _FOR_GOOD)), None)

    async def abandon(self) -> None:
        self._lane.close()
        await self._posts.rest()
        await self._end()

    async def _open(self) -> PlatformError | None:
        try:
            await self._posts.open()
        except (PlatformError, RateLimited) as error:  # the answer itself will meet the same, and tell
            _log.info("sign_of_life_failed", turn=self._turn, error=type(error).__name__)
            return error if isinstance(error, PlatformError) else None
        except TurnLost:
            return None
        return None

    async def _end(self) -> None:
        if self._busy is not None:
            self._busy.cancel()
        await asyncio.wait({task for task in (self._busy, self._opening) if task is not None})
        if self._ended is not None:
            self._ended()
            self._ended = None


def _result(task: asyncio.Task[PlatformError | None] | None) -> PlatformError | None:
    return task.result() if task is not None and task.done() and not task.cancelled() else None
