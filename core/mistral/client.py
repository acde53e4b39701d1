"""One home's chat and model list over one connection pool. One call is one HTTP request: nothing is tried twice."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import httpx
import msgspec
import structlog

from core.chat import ChatRequest, Delta, Finish
from core.errors import FirstByteTimeout, ModelError, ModelUnreachable, SilenceTimeout
from core.mistral import errors, wire
from core.mistral.providers.home import Home
from core.mistral.stream import AnswerParser, read_whole
from core.mistral.watch import Watch

_log = structlog.get_logger()
_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)
_ERROR_BODY_LIMIT = 64 * 1024
_WHOLE_BODY_LIMIT = 16 * 1024 * 1024
_DRAIN_SECONDS = 0.05
# What httpx raises on the way; the last two are no HTTPError.
_TRANSPORT_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte`: from sending to the answer's head, and from there to its first event.

    `silence`: between two events; comments that only keep the connection open are no events.
    """

    connect: float = 10.0
    first_byte: float = 60.0
    silence: float = 45.0


def shared_http(home: Home, timeouts: Timeouts) -> httpx.AsyncClient:
    """The connection pool for that home; the environment's proxies are used, but not to reach this machine itself."""
    try:
        version = metadata.version("bise")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return httpx.AsyncClient(
        headers={"user-agent": f"bise/{version}"},
        limits=_LIMITS,
        timeout=httpx.Timeout(timeouts.first_byte, connect=timeouts.connect, pool=timeouts.connect),
        follow_redirects=False,
        trust_env=not home.loopback,
    )


class MistralClient:
    """Calls the models of one home. Safe for any number of calls at once; `http` given from outside is not closed."""

    def __init__(self, home: Home, *, http: httpx.AsyncClient | None = None, timeouts: Timeouts | None = None) -> None:
        self.home = home
        self.timeouts = timeouts or Timeouts()
        self._http = http if http is not None else shared_http(home, self.timeouts)
        self._owns_http = http is None

    async def aclose(self) -> None:
        """Closes the pool if it is ours."""
        if self._owns_http:
            await self._http.aclose()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer as it comes, in exactly one HTTP request, ending in a Finish.

        Raises a ModelError for whatever goes wrong; what was yielded before stays good. Closing the generator closes
        the connection at once.
        """
        call = _Call(self.home.name, request.model)
        try:
            body = wire.build_body(request, kind=self.home.kind)
            http_request = self._request("POST", "chat/completions", accept="text/event-stream", body=body)
            response = await self._send(http_request)
            call.answered(response)
            try:
                if response.status_code != httpx.codes.OK:
                    raise await self._refusal(response)
                async with contextlib.aclosing(self._deltas(response, call, request.model)) as deltas:
                    async for delta in deltas:
                        yield delta
            finally:
                await response.aclose()
        except ModelError as exc:
            call.failed(exc)
            raise
        finally:
            call.log()

    async def models(self) -> list[wire.ModelCard]:
        """What the home says it serves (`GET /v1/models`); a ModelError if it does not say."""
        response = await self._send(self._request("GET", "models", accept="application/json"))
        try:
            if response.status_code != httpx.codes.OK:
                raise await self._refusal(response)
            body = await self._read(response, _WHOLE_BODY_LIMIT)
        finally:
            await response.aclose()
        try:
            return wire.model_cards(msgspec.json.decode(body))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            raise ModelUnreachable("the list of models is not JSON", status=response.status_code) from exc

    def _request(self, method: str, path: str, *, accept: str, body: bytes | None = None) -> httpx.Request:
        # Compressed events would be held back until a block is full.
        headers = {"accept": accept, "accept-encoding": "identity"}
        if self.home.api_key:
            headers["authorization"] = f"Bearer {self.home.api_key}"
        if body is not None:
            headers["content-type"] = "application/json"
        timeouts = self.timeouts
        return self._http.build_request(
            method,
            self.home.url(path),
            content=body,
            headers=headers,
            timeout=httpx.Timeout(timeouts.first_byte, connect=timeouts.connect, pool=timeouts.connect),
        )

    async def _send(self, request: httpx.Request) -> httpx.Response:
        """Sends it and waits for the answer's head."""
        # httpx counts each read anew: a server that drips its head would never pass that limit.
        limit = self.timeouts.connect + 2 * self.timeouts.first_byte
        try:
            async with asyncio.timeout(limit):
                response = await self._http.send(request, stream=True)
        except (*_TRANSPORT_ERRORS, TimeoutError) as exc:
            raise errors.from_transport(exc) from exc
        # From here on `_deltas` and `_read` watch the clock. httpcore looks at this when the body is first read.
        request.extensions["timeout"]["read"] = None
        return response

    async def _refusal(self, response: httpx.Response) -> ModelError:
        try:
            body = await self._read(response, _ERROR_BODY_LIMIT)
        except ModelError:
            body = b""  # the status alone says enough
        return errors.from_response(response.status_code, body, response.headers)

    async def _read(self, response: httpx.Response, limit: int) -> bytes:
        """At most `limit` bytes of the body."""
        body = bytearray()
        try:
            async with asyncio.timeout(self.timeouts.first_byte):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) >= limit:
                        break
        except (*_TRANSPORT_ERRORS, TimeoutError) as exc:
            raise errors.from_transport(exc, answer_began=True) from exc
        return bytes(body[:limit])

    async def _deltas(self, response: httpx.Response, call: _Call, model: str) -> AsyncGenerator[Delta, None]:
        if response.headers.get("content-type", "").startswith("application/json"):
            body = await self._read(response, _WHOLE_BODY_LIMIT)
            whole, failure = read_whole(body, correlation_id=call.correlation_id, model=model)
            call.seen(whole)
            for delta in whole:
                yield delta
            if failure is not None:
                raise failure
            return
        parser = AnswerParser(correlation_id=call.correlation_id, model=model)
        compressed = response.headers.get("content-encoding", "identity") != "identity"
        pieces = response.aiter_bytes() if compressed else response.aiter_raw()
        watch = Watch(self.timeouts.first_byte)
        try:
            while not parser.finished and parser.failure is None:
                watch.start()
                try:
                    piece = await anext(pieces, None)
                except asyncio.CancelledError as exc:
                    if not watch.cancelled_read():
                        raise
                    kind = SilenceTimeout if call.began_to_answer else FirstByteTimeout
                    message = f"nothing came for {watch.seconds:g} s"
                    raise kind(message, correlation_id=call.correlation_id) from exc
                except _TRANSPORT_ERRORS as exc:
                    raise errors.from_transport(exc, answer_began=True, correlation_id=call.correlation_id) from exc
                watch.stop()
                deltas = parser.end() if piece is None else parser.feed(piece)
                if deltas:
                    if parser.finished or not call.began_to_answer:
                        call.seen(deltas)
                        watch.seconds = self.timeouts.silence
                    for delta in deltas:
                        yield delta
                    watch.restart()
        finally:
            watch.close()
        if parser.failure is not None:
            raise parser.failure
        await _drain(pieces)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Reads on to the body's end, which is about to come, so that the connection can serve another call."""
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except (*_TRANSPORT_ERRORS, TimeoutError):
        return  # the answer is whole: the connection is closed instead


class _Call:
    """What one line of the log says about one call."""

    def __init__(self, home: str, model: str) -> None:
        self._fields: dict[str, Any] = {"home": home, "model": model, "outcome": "closed"}
        self._began = time.monotonic()
        self.correlation_id: str | None = None
        self.began_to_answer = False

    def answered(self, response: httpx.Response) -> None:
        self.correlation_id = errors.correlation_id(response.headers)
        self._fields["status"] = response.status_code

    def seen(self, deltas: list[Delta]) -> None:
        if not self.began_to_answer:
            self.began_to_answer = True
            self._fields["first_ms"] = self._elapsed()
        last = deltas[-1] if deltas else None
        if isinstance(last, Finish):
            self._fields["outcome"] = last.reason
            if last.usage is not None:
                self._fields["prompt_tokens"] = last.usage.prompt_tokens
                self._fields["completion_tokens"] = last.usage.completion_tokens
                self._fields["cached_tokens"] = last.usage.cached_tokens

    def failed(self, exc: ModelError) -> None:
        self._fields["outcome"] = type(exc).__name__
        if exc.code is not None:
            self._fields["code"] = exc.code

    def log(self) -> None:
        _log.info("model.call", **self._fields, correlation_id=self.correlation_id, ms=self._elapsed())

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._began) * 1000)
