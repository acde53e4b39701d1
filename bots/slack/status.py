"""The line at a thread's foot that says what the bot is doing, while there is no text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from bots.slack.api import SlackApi
from bots.writer import UNFENCED, RateLimited
from core.errors import PlatformError, PlatformUnavailable
from core.ports import Lease

REFRESH_SECONDS = 90.0  # Slack takes a status away after two minutes
END_SECONDS = 2.0

log = structlog.get_logger()


class StatusLine:
    """Shown at once and kept until `end`. `refused` is called when Slack will not show one here.

    `earlier`: a status of somebody else that is on its way, to be waited for. `lease`: while it is held,
    no other process shows one.
    """

    def __init__(
        self,
        api: SlackApi,
        channel: str,
        thread_ts: str,
        refused: Callable[[], None],
        refresh: float = REFRESH_SECONDS,
        earlier: asyncio.Task[None] | None = None,
        lease: Lease = UNFENCED,
    ) -> None:
        self._api = api
        self._channel = channel
        self._thread_ts = thread_ts
        self._refused = refused
        self._refresh = refresh
        self._earlier = earlier
        self._lease = lease
        self._text = ""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self._shown = False

    def show(self, text: str) -> None:
        """Never waits; the newest text wins."""
        if self._ended or text == self._text:
            return
        self._text = text
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def end(self, *, clear: bool = False) -> None:
        """Shows nothing more. A post of ours takes the line away by itself; where there is none, `clear` does."""
        self._ended = True
        if self._task is not None and not self._task.done():
            self._changed.set()
            # A call under way must land before the first post, or the line would come back below it.
            await asyncio.wait({self._task}, timeout=END_SECONDS)
            self._task.cancel()
        if clear and self._shown:
            self._shown = False
            await self._set("")

    def taken_away(self) -> None:
        """A post of ours in the thread has made Slack take the line away."""
        self._shown = False

    async def _keep(self) -> None:
        if self._earlier is not None:
            await asyncio.wait({self._earlier})
        while not self._ended:
            self._changed.clear()
            if self._lease.held() and not await self._set(self._text):
                return
            try:
                async with asyncio.timeout(self._refresh):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _set(self, text: str) -> bool:
        """Whether it is worth trying again."""
        place = {"channel_id": self._channel, "thread_ts": self._thread_ts}
        try:
            await self._api.call("assistant.threads.setStatus", {**place, "status": text})
        except (RateLimited, PlatformUnavailable):
            return True
        except PlatformError as error:
            log.info("slack.status_refused", channel=self._channel, code=error.code)
            self._refused()
            return False
        self._shown = bool(text)
        return True
