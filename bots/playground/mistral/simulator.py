"""A scripted Mistral API at its real protocol: strict about requests, faulty on demand, exact about its bill."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from aiohttp import web

from bots.playground.mistral import bill, replies, rules, streams
from bots.playground.mistral.replies import Body, Reply
from bots.playground.mistral.shapes import Misfit
from core.mistral.catalogue import Catalogue
from core.mistral.models import Model

_MOST_KEPT = 10_000
_BODY_LIMIT = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request as it came, refused ones too. `body` is None where it was not JSON; `at`: event-loop seconds."""

    body: Any
    headers: Mapping[str, str] = field(repr=False)
    at: float


class MistralSimulator:
    """`script` decides each answer; replies queued with `then` go before it.

    `kind`: "mistral" refuses unknown fields and always tells usage; "openai" takes them and tells usage when asked to.
    `served`: the model names it knows; by default the catalogue's that are not retired. `api_key`: the only good one;
    None takes any.
    """

    def __init__(
        self,
        *,
        kind: Literal["mistral", "openai"] = "mistral",
        catalogue: Catalogue | None = None,
        served: Collection[str] | None = None,
        api_key: str | None = None,
    ) -> None:
        self.kind = kind
        self.catalogue = catalogue or Catalogue.load()
        self.api_key = api_key
        self.script: Callable[[Body], Reply] = replies.echo
        self.new_error_shape = True
        self.origin: str | None = None  # "http://127.0.0.1:port", told by whoever listens
        self.prefix = ""
        self.requests: deque[ReceivedRequest] = deque(maxlen=_MOST_KEPT)
        self.calls: deque[bill.BilledCall] = deque(maxlen=_MOST_KEPT)
        self.open_streams = 0
        self.closed_early = 0
        self._queue: deque[Reply] = deque()
        self._changed = asyncio.Condition()
        self._serial = 0
        today = datetime.now(UTC).date()
        listed = [model for model in self.catalogue.models.values() if not model.retired(today)]
        names = {name for model in listed for name in (model.id, *model.aliases)}
        self.served: frozenset[str] = frozenset(served) if served is not None else frozenset(names)

    def then(self, *queued: Reply) -> None:
        """Queues replies for the next requests, in this order."""
        self._queue.extend(queued)

    @property
    def base_url(self) -> str:
        """The base to give to Bise as MISTRAL_BASE_URL, without `/v1`."""
        if self.origin is None:
            raise RuntimeError("nobody listens: set `origin`, or use `running()`")
        return self.origin + self.prefix

    @property
    def billed_microusd(self) -> int:
        """The true bill of all calls so far, those cut short included."""
        return sum(call.microusd for call in self.calls)

    def mount(self, app: web.Application, prefix: str = "/mistral") -> None:
        """Adds the API's routes to `app` below `prefix`."""
        self.prefix = prefix
        app.router.add_post(f"{prefix}/v1/chat/completions", self._chat)
        app.router.add_get(f"{prefix}/v1/models", self._models)

    @asynccontextmanager
    async def running(self, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Listens by itself on a free port; yields `base_url`."""
        app = web.Application(client_max_size=_BODY_LIMIT)
        self.mount(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            self.origin = f"http://{host}:{runner.addresses[0][1]}"
            yield self.base_url
        finally:
            await runner.cleanup()

    async def until(self, reached: Callable[[MistralSimulator], bool], timeout: float = 5.0) -> None:  # noqa: ASYNC109
        """Returns once `reached(self)`; it is asked again at every change. TimeoutError after `timeout` seconds."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: reached(self))

    async def changed(self) -> None:
        """Wakes those who wait in `until`."""
        async with self._changed:
            self._changed.notify_all()

    async def _models(self, request: web.Request) -> web.Response:
        if not self._authorized(request):
            return _json(401, {"detail": "Unauthorized"})
        cards = [_card(name, self.catalogue.resolve(name)) for name in sorted(self.served)]
        return _json(200, {"object": "list", "data": cards})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        now = asyncio.get_running_loop().time()
        self.requests.append(ReceivedRequest(body, dict(request.headers), now))
        await self.changed()
        if not self._authorized(request):
            return _json(401, {"detail": "Unauthorized"})
        if misfits := rules.misfits(body, openai=self.kind == "openai"):
            return self._unprocessable(misfits)
        model = self.catalogue.resolve(body["model"])
        call = self._call(body, model)
        if isinstance(call, Reply):
            return _answer(call)
        reply = self._queue.popleft() if self._queue else self.script(body)
        if reply.status != 200:
            if reply.delay_first:
                await asyncio.sleep(reply.delay_first)
            return _answer(reply)
        self._serial += 1
        call.cached_tokens = min(reply.cached_tokens, call.prompt_tokens)
        self.calls.append(call)
        tells_usage = self._tells_usage(body, reply)
        id_ = f"cmpl-{self._serial:024d}"
        answer = streams.Answer(id_, body["model"], reply, call, tells_usage, count=body.get("n") or 1)
        if not body.get("stream", False):
            return await answer.whole()
        return await self._stream(request, answer)

    async def _stream(self, request: web.Request, answer: streams.Answer) -> web.StreamResponse:
        self.open_streams += 1
        await self.changed()
        try:
            response = await answer.stream(request)
        except streams.ClientGone as gone:
            self.closed_early += 1
            response = gone.response
        finally:
            self.open_streams -= 1
            await self.changed()
        return response

    def _authorized(self, request: web.Request) -> bool:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and (key == self.api_key if self.api_key is not None else bool(key))

    def _tells_usage(self, body: Body, reply: Reply) -> bool:
        if self.kind == "mistral" or not body.get("stream", False):
            return reply.usage is not False
        options = body.get("stream_options")
        return reply.usage is not False and isinstance(options, dict) and options.get("include_usage") is True

    def _unprocessable(self, misfits: list[Misfit]) -> web.Response:
        detail = [misfit.detail() for misfit in misfits]
        if not self.new_error_shape:
            return _json(422, {"detail": detail})
        shape = {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"}
        return _json(422, {**shape, "param": None, "code": None})

    def _call(self, body: Body, model: Model | None) -> Reply | bill.BilledCall:
        """Why the call is refused with a 400, or what its prompt is billed."""
        if self.kind == "mistral" and body["model"] not in self.served:
            message = f"Invalid model: {body['model']}"
            return replies.error(400, message, kind="invalid_model", code="1500")
        if refusal := rules.refusal(body):
            return replies.error(400, refusal.message, kind=refusal.kind, code=refusal.code)
        try:
            tokens = bill.prompt_tokens(body, model)
        except bill.UnreadableImage:
            return replies.error(400, "Image could not be loaded", kind="invalid_request_file", code="3310")
        if model is not None and not model.vision and any(part["type"] == "image_url" for part in rules.parts(body)):
            message = "Image input is not enabled for this model"
            return replies.error(400, message, kind="invalid_request_error", code="3051")
        if model is not None and (unable := _unable(body, model)) is not None:
            return replies.error(400, unable, kind="invalid_request_error", code="3051")
        if model is not None and tokens > model.context:
            message = (
                f"Prompt contains {tokens} tokens, too large for model with {model.context} maximum context length"
            )
            return replies.error(400, message, kind="invalid_request_prompt", code="3051")
        return bill.BilledCall(model, _today(), tokens)


def _unable(body: Body, model: Model) -> str | None:
    """What the request asks that this model cannot do."""
    if body.get("tools") and model.tools is False:
        return "Function calling is not enabled for this model"
    if body.get("reasoning_effort") is not None and body["reasoning_effort"] not in model.reasoning:
        return "Reasoning effort is not enabled for this model"
    return None


def _today() -> date:
    return datetime.now(UTC).date()


def _card(name: str, model: Model | None) -> dict[str, Any]:
    tools, vision = (bool(model.tools), model.vision) if model is not None else (False, False)
    return {
        "id": name,
        "object": "model",
        "created": 1_760_000_000,
        "owned_by": "mistralai",
        "capabilities": {"completion_chat": True, "function_calling": tools, "vision": vision},
        "name": model.id if model else name,
        "max_context_length": model.context if model else 32_768,
        "aliases": [other for other in (model.id, *model.aliases) if other != name] if model else [],
        "deprecation": f"{model.retired_on}T00:00:00Z" if model and model.retired_on else None,
        "deprecation_replacement_model": model.replacement if model else None,
        "type": "base",
    }


def _answer(reply: Reply) -> web.Response:
    if isinstance(reply.body, bytes):
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))
    return _json(reply.status, reply.body, reply.headers)


def _json(status: int, body: object, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response(body, status=status, headers=dict(headers or {}))
