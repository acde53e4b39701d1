"""One gateway connection: frames out in order, compressed as the client asked, and the closing code."""

from __future__ import annotations

import asyncio
import zlib

import msgspec
from aiohttp import web

from bots.playground.discord.records import Json

WAITING_MAX = 10_000


class Socket:
    """A WebSocket with a queue before it, so that sending never waits. `pump` must run beside the reading."""

    def __init__(self, request: web.Request) -> None:
        self.ws = web.WebSocketResponse(timeout=1.0, max_msg_size=64 * 1024, compress=False)
        self.session: str | None = None
        self.closed_by_us = False
        self._request = request
        # zstd is not spoken here: a client that asks for it gets plain text, which it accepts too.
        asked = request.query.get("compress") == "zlib-stream"
        self._zlib = zlib.compressobj() if asked else None
        self._waiting: asyncio.Queue[Json | int] = asyncio.Queue()

    def send(self, payload: Json) -> None:
        """Sends in its turn; a client that reads nothing any more is cut off."""
        if self._waiting.qsize() >= WAITING_MAX:
            self.abort()
        else:
            self._waiting.put_nowait(payload)

    def close(self, code: int) -> None:
        """Closes with that code, after all that was sent before."""
        self.closed_by_us = True
        self._waiting.put_nowait(code)

    def abort(self) -> None:
        """Cuts the connection without a word."""
        self.closed_by_us = True
        if self._request.transport is not None:
            self._request.transport.abort()

    async def pump(self) -> None:
        """Writes what is waiting, until closed or cut."""
        while not isinstance(item := await self._waiting.get(), int):
            encoded = msgspec.json.encode(item)
            try:
                if self._zlib is None:
                    await self.ws.send_str(encoded.decode())
                else:
                    compressed = self._zlib.compress(encoded) + self._zlib.flush(zlib.Z_SYNC_FLUSH)
                    await self.ws.send_bytes(compressed)
            except ConnectionError:  # the session keeps what this socket lost
                return
        await self.ws.close(code=item)
