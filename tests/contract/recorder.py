"""A server that keeps what it is sent and answers what it was told: two clients can be held against each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

OPENAI_ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
OPENAI_CHUNK = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
SSE = b"data: " + json.dumps(OPENAI_CHUNK).encode() + b"\n\ndata: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Answer:
    """What the recorder says next, in one or more writes."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)


class Recorder:
    """Keeps every request. Without an `answer`, one who wants a stream gets one, others a whole answer."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.answer: Answer | None = None
        self.base = ""

    @property
    def last(self) -> Recorded:
        return self.requests[-1]

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Recorded(request.method, request.raw_path, headers, body))
        answer = self.answer or self._usual(body)
        response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        await response.prepare(request)
        for piece in answer.pieces or [answer.body]:
            await response.write(piece)
            await asyncio.sleep(0)
        await response.write_eof()
        return response

    def _usual(self, body: bytes) -> Answer:
        if body and json.loads(body).get("stream"):
            return Answer(SSE, headers={"content-type": "text/event-stream"})
        return Answer(json.dumps(OPENAI_ANSWER).encode(), headers={"content-type": "application/json"})


@asynccontextmanager
async def recording() -> AsyncIterator[Recorder]:
    """A recorder on a port of this machine."""
    recorder = Recorder()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_route("*", "/{path:.*}", recorder._handle)
    server = TestServer(app)
    await server.start_server()
    recorder.base = f"http://127.0.0.1:{server.port}"
    try:
        yield recorder
    finally:
        await server.close()
