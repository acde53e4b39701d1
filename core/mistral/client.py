"""One home's chat and model list over one connection pool. One call is one HTTP request: nothing is tried twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec

from core.chat import ChatRequest, Completion, Delta, Finish, FinishReason, Usage
from core.errors import ConnectTimeout, FirstByteTimeout, ModelError, ModelUnreachable, SilenceTimeout, StreamCut
from core.mistral import errors, wire
from core.mistral.providers.provider import Outgoing, Provider, Unwrapper
from core.mistral.stream import AnswerCut, AnswerParser, as_events, read_completion
from core.mistral.tool_ids import ToolIds
from core.mistral.watch import Watch

if TYPE_CHECKING:  # it reads TOML, which only those who have one need
    from core.mistral.catalogue import Catalogue

_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=30.0)
_ERROR_BODY_LIMIT = 64 * 1024
_WHOLE_BODY_LIMIT = 16 * 1024 * 1024
_DRAIN_SECONDS = 0.05
# What httpx raises on the way; the last two are no HTTPError.
_TRANSPORT_ERRORS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)


OnHeaders = Callable[[Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first_byte`: from sending to the answer's head, and from there to its first event.

    `silence`: between two events; comments that only keep the connection open are no events. `whole`: to the head of an
    answer that is not streamed.
    """

    connect: float = 10.0
    first_byte: float = 60.0
    silence: float = 45.0
    whole: float = 300.0


def shared_http(home: Provider, timeouts: Timeouts) -> httpx.AsyncClient:
    """The connection pool for that home; the environment's proxies are used, but not to reach this machine itself."""
    from importlib import metadata  # 20 ms, which only those who build a pool need

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
    """Calls the models of one home. Safe for any number of calls at once; `http` given from outside is not closed.

    `catalogue`: what each model can do; without it nothing is asked that only some models take. `on_headers` is given
    the head of every answer to a chat, whatever its status, before anything is read of it.
    """

    def __init__(
        self,
        home: Provider,
        *,
        http: httpx.AsyncClient | None = None,
        timeouts: Timeouts | None = None,
        catalogue: Catalogue | None = None,
        on_headers: OnHeaders | None = None,
    ) -> None:
        self.home = home
        self._on_headers = on_headers
        self._catalogue = catalogue
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
        ids = ToolIds()
        with _Call(self.home.name, request.model) as call:
            response = await self._ask(request, call, ids, stream=True)
            parser = AnswerParser(correlation_id=call.correlation_id, model=request.model, ids=ids)
            # One generator from the socket's bytes to the caller: each more would cost a tenth of the whole.
            watch = Watch(self.timeouts.first_byte)
            pieces = aiter(_pieces(response, parser, self.home))
            try:
                watch.start()
                async for piece in pieces:
                    watch.stop()
                    if deltas := parser.feed(piece):
                        if parser.finished or not call.began_to_answer:
                            call.seen(deltas)
                            watch.seconds = self.timeouts.silence
                        for delta in deltas:
                            yield delta
                        watch.restart()
                    if parser.finished or parser.failure is not None:
                        break
                    watch.start()
                else:
                    watch.stop()
                    for delta in parser.end():
                        call.seen([delta])
                        yield delta
                if parser.failure is not None:
                    raise parser.failure
                await _drain(pieces)
            except asyncio.CancelledError as exc:
                if not watch.cancelled_read():
                    raise
                kind = SilenceTimeout if call.began_to_answer else FirstByteTimeout
                raise kind(f"nothing came for {watch.seconds:g} s", correlation_id=call.correlation_id) from exc
            except _TRANSPORT_ERRORS as exc:
                raise _broken(exc, parser, call) from exc
            finally:
                watch.close()
                await response.aclose()

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer at once, in exactly one HTTP request; a ModelError for whatever goes wrong.

        Its head comes when all of it is made: `Timeouts.whole` is the patience for that.
        """
        ids = ToolIds()
        with _Call(self.home.name, request.model) as call:
            response = await self._ask(request, call, ids, stream=False)
            try:
                body = await self._read(response, _WHOLE_BODY_LIMIT)
            finally:
                await response.aclose()
            body = self.home.whole(body, response.headers)
            completion = read_completion(body, correlation_id=call.correlation_id, model=request.model, ids=ids)
            call.ended(completion.reason, completion.usage)
            return completion

    async def _ask(self, request: ChatRequest, call: _Call, ids: ToolIds, *, stream: bool) -> httpx.Response:
        """Sends it; the answer's head, if it is a success."""
        named = self.home.catalogue_id(request.model)
        row = self._catalogue.resolve(named) if self._catalogue is not None else None
        if row is not None and row.prices and self.home.priced:
            call.cost = lambda usage: row.cost(usage, datetime.now(UTC).date(), price_tenths=self.home.price_tenths)
        body = wire.build_body(request, kind=self.home.kind, stream=stream, model=row, ids=ids)
        patience = self.timeouts.first_byte if stream else self.timeouts.whole
        response = await self._send(self.home.chat(request.model, body, stream=stream), patience)
        call.answered(response)
        if self._on_headers is not None:
            self._on_headers(response.headers)
        if response.status_code != httpx.codes.OK:
            try:
                raise await self._refusal(response)
            finally:
                await response.aclose()
        return response

    async def models(self) -> list[wire.ModelCard]:
        """What the home says it serves; a ModelError if it does not say, none at all where it has no such list."""
        if (outgoing := self.home.models()) is None:
            return []
        response = await self._send(outgoing, self.timeouts.first_byte)
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

    async def _send(self, outgoing: Outgoing, patience: float) -> httpx.Response:
        """Proves who asks, sends it and waits for the answer's head."""
        connect = self.timeouts.connect
        try:
            async with asyncio.timeout(connect):
                outgoing = await self.home.authorized(outgoing)
        except TimeoutError as exc:
            raise ConnectTimeout(f"no leave to ask within {connect:g} s") from exc
        timeout = httpx.Timeout(patience, connect=connect, pool=connect)
        try:
            request = self._http.build_request(
                outgoing.method, outgoing.url, content=outgoing.body, headers=outgoing.headers, timeout=timeout
            )
        except _TRANSPORT_ERRORS as exc:
            raise errors.from_transport(exc) from exc
        # httpx counts each read anew: a server that drips its head would never pass that limit.
        limit = connect + 2 * patience
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
        return self.home.refusal(response.status_code, body, response.headers)

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


def _pieces(response: httpx.Response, parser: AnswerParser, home: Provider) -> AsyncIterable[bytes]:
    """The body's events as they come; decompressed where a server compresses although it was asked not to."""
    if response.headers.get("content-type", "").startswith("application/json"):
        return _whole_answer(response, parser, home)
    if (unwrapper := home.unwrapper(response.headers)) is not None:
        return _unwrapped(response, unwrapper)
    if response.headers.get("content-encoding", "identity") != "identity":
        return response.aiter_bytes()
    assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - an AsyncClient's responses have no other
    return response.stream


async def _unwrapped(response: httpx.Response, unwrapper: Unwrapper) -> AsyncGenerator[bytes, None]:
    """The events inside a home's own framing."""
    async for piece in response.aiter_bytes():
        if events := unwrapper.feed(piece):
            yield events
    if events := unwrapper.end():
        yield events


async def _whole_answer(response: httpx.Response, parser: AnswerParser, home: Provider) -> AsyncGenerator[bytes, None]:
    """What a server that does not stream answered, as the events of a stream."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > _WHOLE_BODY_LIMIT:
            raise httpx.ReadError("the answer is too long")
    events = as_events(home.whole(bytes(body), response.headers))
    parser.expect(len(events))
    yield events


def _broken(exc: Exception, parser: AnswerParser, call: _Call) -> ModelError:
    """The error of a connection that broke within an answer, which knows what came before."""
    error = errors.from_transport(exc, answer_began=True, correlation_id=call.correlation_id)
    if isinstance(error, StreamCut):
        return AnswerCut(str(error), text=parser.text, correlation_id=call.correlation_id)
    return error


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
        self.cost: Callable[[Usage], int] = lambda _: 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, traceback: object) -> None:
        if isinstance(exc, ModelError):
            self._fields["outcome"] = "StreamCut" if isinstance(exc, StreamCut) else type(exc).__name__
            if exc.code is not None:
                self._fields["code"] = exc.code
        import structlog  # 20 ms at the start, which those who only import this need not pay

        structlog.get_logger().info(
            "model.call", **self._fields, correlation_id=self.correlation_id, ms=self._elapsed()
        )

    def answered(self, response: httpx.Response) -> None:
        self.correlation_id = errors.correlation_id(response.headers)
        self._fields["status"] = response.status_code

    def seen(self, deltas: list[Delta]) -> None:
        if not self.began_to_answer:
            self.began_to_answer = True
            self._fields["first_ms"] = self._elapsed()
        last = deltas[-1] if deltas else None
        if isinstance(last, Finish):
            self.ended(last.reason, last.usage)

    def ended(self, reason: FinishReason, usage: Usage | None) -> None:
        self._fields["outcome"] = reason
        if usage is not None:
            self._fields["prompt_tokens"] = usage.prompt_tokens
            self._fields["completion_tokens"] = usage.completion_tokens
            self._fields["cached_tokens"] = usage.cached_tokens
            self._fields["cost_microusd"] = self.cost(usage)  # by today in UTC; the ledger goes by the local date

    def _elapsed(self) -> int:
        return round((time.monotonic() - self._began) * 1000)
