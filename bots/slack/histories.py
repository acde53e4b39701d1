"""What was said in a workspace's channels and threads, read back with patience: within Slack's limits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from bots.slack.api import Json, SlackApi
from bots.slack.errors import Unsure
from bots.writer import RateLimited
from core.errors import PlatformUnavailable

CALLS, WINDOW_SECONDS = 40, 60.0  # of each method; Slack's tier 3 is 50 a minute, and answers look for orphans, too
PAGE = 200
PAGES_MAX = 3
_TRIES = 5
_LONGEST_WAIT = 120.0


class Histories:
    """Of one workspace. Raises PlatformError."""

    def __init__(self, api: SlackApi, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._calls: dict[str, deque[float]] = {}

    async def channel(self, channel: str, oldest: str) -> list[Json]:
        """Messages outside of threads and the roots of threads since `oldest` (a ts): the newest 600, newest first."""
        return await self._pages("conversations.history", {"channel": channel, "oldest": oldest})

    async def thread(self, channel: str, root: str, oldest: str) -> list[Json]:
        """The messages of a thread since `oldest`, oldest first, at most 600; its root may be among them."""
        return await self._pages("conversations.replies", {"channel": channel, "ts": root, "oldest": oldest})

    async def _pages(self, method: str, where: dict[str, str]) -> list[Json]:
        found: list[Json] = []
        cursor = ""
        for _ in range(PAGES_MAX):
            page = await self._read(method, {**where, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})})
            messages = page.get("messages") or []
            if not isinstance(messages, list):
                raise Unsure(f"{method}: unreadable answer", code="no_answer")
            found += messages
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return found

    async def _read(self, method: str, arguments: dict[str, str]) -> Json:
        for _ in range(_TRIES):
            await self._room(method)
            try:
                return await self._api.read(method, arguments)
            except RateLimited as limited:
                await asyncio.sleep(min(limited.retry_after, _LONGEST_WAIT))
        raise PlatformUnavailable(f"{method}: Slack keeps asking to wait", code="ratelimited")

    async def _room(self, method: str) -> None:
        calls = self._calls.setdefault(method, deque())
        while len(calls) >= CALLS:
            wait = calls[0] + WINDOW_SECONDS - self._clock()
            if wait > 0:
                await asyncio.sleep(wait)
            calls.popleft()
        calls.append(self._clock())
