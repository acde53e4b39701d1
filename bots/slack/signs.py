"""The sign of life for a question whose turn has to wait: shown until its Reply takes over."""

from __future__ import annotations

import asyncio
from collections import deque

import structlog

from bots.replies import status_text
from bots.slack.api import SlackApi
from bots.writer import Lane, Writer
from core.errors import PlatformError

METHOD = "assistant.threads.setStatus"
REPLY_SECONDS = 0.2  # a turn that need not wait has begun by then, and shows its own status
_BEGUN_MAX = 500

log = structlog.get_logger()


class _Sign:
    """One call, unless the Reply comes first; honours `bots.writer.Outlet`."""

    def __init__(self, api: SlackApi, channel: str, thread_ts: str) -> None:
        self._api = api
        self._place = {"channel_id": channel, "thread_ts": thread_ts}
        self.over = False
        self.lane: Lane | None = None
        self.task: asyncio.Task[None]

    def pending(self, *, final: bool) -> str | None:
        return METHOD if final and not self.over else None

    async def write(self, *, final: bool) -> None:  # noqa: ARG002 - there is one write
        await self._api.call(METHOD, {**self._place, "status": status_text("thinking")})
        self.over = True


class Signs:
    """Those of one workspace, by turn; they go through its writer, so that its limits hold."""

    def __init__(self, api: SlackApi, writer: Writer, patience: float = REPLY_SECONDS) -> None:
        self._api = api
        self._writer = writer
        self._patience = patience
        self._signs: dict[int, _Sign] = {}
        self._begun: deque[int] = deque(maxlen=_BEGUN_MAX)

    def promise(self, turn: int, channel: str, thread_ts: str) -> None:
        """A question was accepted, and may have to wait for its turn. Never waits itself."""
        if turn in self._begun:
            return
        sign = _Sign(self._api, channel, thread_ts)
        self._signs[turn] = sign
        sign.task = asyncio.create_task(self._show(turn, sign))
        sign.task.add_done_callback(lambda _: self._signs.pop(turn, None))

    def take_over(self, turn: int) -> asyncio.Task[None] | None:
        """The turn's Reply begins: nothing is sent any more. A call that is under way is returned, to be waited for.

        A status that arrived after a post would stay below it.
        """
        self._begun.append(turn)
        sign = self._signs.get(turn)
        if sign is None:
            return None
        sign.over = True
        if sign.lane is not None and sign.lane.writing:
            return sign.task
        if sign.lane is not None:
            sign.lane.close()
        sign.task.cancel()
        return None

    async def close(self) -> None:
        tasks = [sign.task for sign in self._signs.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _show(self, turn: int, sign: _Sign) -> None:
        await asyncio.sleep(self._patience)
        sign.lane = self._writer.open(sign)
        try:
            await sign.lane.finish()
        except PlatformError as error:
            log.info("slack.sign_refused", turn=turn, code=error.code)
