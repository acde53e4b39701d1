"""A reply whose writes wait for its lease: what comes meanwhile is kept, within bounds."""

from __future__ import annotations

from core.errors import PlatformError, PlatformUnavailable
from core.messages import Answer, Post
from core.ports import Lease, Reply

BUFFERED_AT_MOST = 1_000_000  # characters that come while nothing may be written; then the model is read no further


class BufferedReply:
    """Honours `core.ports.Reply` around another, which writes when the lease lets it."""

    def __init__(self, reply: Reply, lease: Lease) -> None:
        self._reply = reply
        self._lease = lease
        self._buffered = 0

    def status(self, name: str, count: int = 0) -> None:
        if self._lease.held():
            self._reply.status(name, count)

    def write(self, text: str) -> None:
        self._buffered = 0 if self._lease.held() else self._buffered + len(text)
        self._reply.write(text)

    async def finish(self, answer: Answer) -> None:
        await self._reply.finish(answer)

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        await self._reply.again(answer, posts)

    def error(self) -> PlatformError | None:
        if self._buffered > BUFFERED_AT_MOST:
            return PlatformUnavailable("too much waits to be written", code="buffer_full")
        return self._reply.error()

    async def abandon(self) -> None:
        await self._reply.abandon()
