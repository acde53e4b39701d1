"""The sign of life of questions whose turn has not begun yet: "is typing…", from when they are stored."""

from __future__ import annotations

import asyncio

import structlog

from bots.discord.places import ChannelPlace
from bots.discord.rest import Rest
from bots.writer import RateLimited
from core.errors import PlatformError

_TYPING_LASTS = 8.0  # seconds; Discord shows it for ten
_LONGEST_WAIT = 600.0  # seconds; a question that waits longer has been forgotten by those who asked
_ONCE = 1.0  # seconds: shorter than one typing lasts
_log = structlog.get_logger()


class Waiting:
    """Questions by id, from their arrival until their reply takes over. Nothing waits for a call made here.

    `alone`: replies begin in this process. Where they may begin in another, nobody takes over here: it types once.
    """

    def __init__(self, rest: Rest, *, alone: bool = True) -> None:
        self._rest = rest
        self._alone = alone
        self._typing: dict[str, asyncio.Task[PlatformError | None] | None] = {}

    def expect(self, question: str) -> None:
        """It is being stored: from now on its turn may begin at any time, even before `begin`."""
        self._typing.setdefault(question, None)

    def begin(self, question: str, channel: str) -> None:
        """It is stored and has a turn: types until its reply begins."""
        if self._typing.get(question, _GONE) is not None:
            return
        task = asyncio.create_task(
            _until_refused(ChannelPlace(self._rest, channel), _LONGEST_WAIT if self._alone else _ONCE)
        )
        self._typing[question] = task
        task.add_done_callback(lambda _: self._drop(question, task))

    def forget(self, question: str) -> None:
        """It has no turn that would begin."""
        if self._typing.get(question, _GONE) is None:
            del self._typing[question]

    def take_over(self, question: str, channel: str) -> asyncio.Task[PlatformError | None]:
        """Its turn begins: what types on until it is cancelled. Its result is why it may not type, if that is so."""
        typing = self._typing.pop(question, None)
        if typing is not None and self._alone:
            return typing
        if typing is not None:
            typing.cancel()
        return asyncio.create_task(_until_refused(ChannelPlace(self._rest, channel), _LONGEST_WAIT))

    async def close(self) -> None:
        tasks = [task for task in self._typing.values() if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._typing.clear()

    def _drop(self, question: str, task: asyncio.Task[PlatformError | None]) -> None:
        if self._typing.get(question) is task:
            del self._typing[question]


_GONE = object()


async def _until_refused(channel: ChannelPlace, longest: float) -> PlatformError | None:
    """Types for as long as it is let; gives why it may not, None when it has typed for too long."""
    try:
        async with asyncio.timeout(longest):
            while True:
                try:
                    await channel.type()
                except RateLimited as limited:  # where the whole bot is at its limit, answers go first
                    await asyncio.sleep(_TYPING_LASTS if limited.everywhere else limited.retry_after)
                else:
                    await asyncio.sleep(_TYPING_LASTS)
    except TimeoutError:
        return None
    except PlatformError as error:
        _log.info("typing_refused", channel=channel.id, reason=error.reason, code=error.code)
        return error
