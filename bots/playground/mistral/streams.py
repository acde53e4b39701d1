"""An answer on the wire: one JSON document, or server-sent events a piece at a time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from bots.playground.mistral import bill
from bots.playground.mistral.replies import Reply
from core.chat import ToolCall, Usage

_LOOK_SECONDS = 0.02
_PADDING = "abcdefghijklmnopqrstuvwxyz"


class ClientGone(Exception):
    """The client closed its connection before the answer's end."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__("the client closed the connection")
        self.response = response


class Answer:
    """One call's answer, billed as it leaves."""

    def __init__(
        self, id_: str, model: str, reply: Reply, call: bill.BilledCall, tells_usage: bool, count: int = 1
    ) -> None:
        self._id = id_
        self._model = model
        self._reply = reply
        self._call = call
        self._tells_usage = tells_usage
        self._count = count  # of answers, which a stream does not show

    async def whole(self) -> web.Response:
        """The answer as one document."""
        reply = self._reply
        await asyncio.sleep(reply.delay_first + reply.chunk_delay * len(reply.pieces()))
        pieces = reply.pieces()
        self._call.completion_tokens = sum(bill.text_tokens(piece) for piece in (reply.thinking, *pieces))
        calls = [dict(_call(call), index=index) for index, call in enumerate(reply.tool_calls)]
        self._call.completion_tokens += sum(bill.call_tokens(call["function"]) for call in calls)
        self._call.completion_tokens *= self._count
        message = {"role": "assistant", "content": self._content("".join(pieces)), "tool_calls": calls or None}
        choice = {"message": message, "finish_reason": self._finish_reason()}
        document = self._document("chat.completion", [{"index": index, **choice} for index in range(self._count)])
        if self._tells_usage:
            document["usage"] = self._usage()
        return web.json_response(document, headers=dict(reply.headers))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The answer as events; ClientGone as soon as the client is."""
        reply = self._reply
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8", **reply.headers})
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            await self._pause(request, response, reply.delay_first)
            cut = await self._send_events(request, response)
            if cut:
                if request.transport is not None:
                    request.transport.close()
                return response
            await response.write_eof()
        except ConnectionError as exc:
            raise ClientGone(response) from exc
        return response

    async def _send_events(self, request: web.Request, response: web.StreamResponse) -> bool:
        """Sends them all; True if the connection is to break here."""
        reply = self._reply
        await response.write(self._event(self._choice({"role": "assistant", "content": ""})))
        if reply.thinking:
            self._call.completion_tokens += bill.text_tokens(reply.thinking)
            thought = [{"type": "thinking", "thinking": [{"type": "text", "text": reply.thinking}]}]
            await response.write(self._event(self._choice({"content": thought})))
        for number, piece in enumerate(reply.pieces()):
            if number == reply.cut_after:
                return True
            if number:
                await self._pause(request, response, reply.chunk_delay)
            self._call.completion_tokens += bill.text_tokens(piece)
            content = [{"type": "text", "text": piece}] if reply.list_content else piece
            await response.write(self._event(self._choice({"content": content}), number))
        if reply.cut_after is not None:
            return True
        for part in self._call_parts():
            await self._pause(request, response, reply.chunk_delay)
            await response.write(self._event(self._choice({"content": "", "tool_calls": part})))
        for event in self._last_events():
            await response.write(event)
        return False

    def _call_parts(self) -> Iterator[list[dict[str, Any]]]:
        """The `tool_calls` of each event; calls that come whole come in one."""
        size = self._reply.call_parts
        for call in self._reply.tool_calls:
            self._call.completion_tokens += bill.call_tokens(_call(call)["function"])
        if size is None:
            if self._reply.tool_calls:
                yield [dict(_call(call), index=index) for index, call in enumerate(self._reply.tool_calls)]
            return
        for index, call in enumerate(self._reply.tool_calls):
            yield [dict(_call(replace(call, arguments="")), index=index)]
            for at in range(0, len(call.arguments), size):
                function = {"name": "", "arguments": call.arguments[at : at + size]}
                yield [{"id": "null", "function": function, "index": index}]

    def _finish_reason(self) -> str | None:
        reason = self._reply.finish_reason
        return "tool_calls" if self._reply.tool_calls and reason == "stop" else reason

    def _last_events(self) -> Iterator[bytes]:
        reply = self._reply
        if reply.error_in_stream is not None:
            yield _data(dict(reply.error_in_stream))
            return
        usage = self._usage() if self._tells_usage else None
        # OpenAI's own, and whoever copies it, tells usage in an event without choices.
        apart = reply.usage_apart
        if reply.finish_reason is not None:
            last = self._choice({"content": ""}, self._finish_reason())
            yield self._event(last, usage=None if apart else usage)
        if apart and usage is not None:
            yield _data({**self._document("chat.completion.chunk", []), "usage": usage})
        if reply.done:
            yield b"data: [DONE]\n\n"

    async def _pause(self, request: web.Request, response: web.StreamResponse, seconds: float) -> None:
        """Waits, looking whether the client is still there: aiohttp tells it only to who writes."""
        until = time.monotonic() + seconds
        while True:
            if request.transport is None or request.transport.is_closing():
                raise ClientGone(response)
            left = until - time.monotonic()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _LOOK_SECONDS))

    def _choice(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish_reason}

    def _event(self, choice: dict[str, Any], number: int = 0, usage: dict[str, Any] | None = None) -> bytes:
        document = self._document("chat.completion.chunk", [choice])
        if usage is not None:
            document["usage"] = usage
        if self._reply.padding:
            document["p"] = _PADDING[: number % len(_PADDING) + 1]
        return _data(document)

    def _document(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self._id, "object": kind, "created": int(time.time()), "model": self._model, "choices": choices}

    def _content(self, text: str) -> Any:
        if not self._reply.list_content and not self._reply.thinking:
            return text
        thought = [{"type": "thinking", "thinking": [{"type": "text", "text": self._reply.thinking}]}]
        return [*(thought if self._reply.thinking else []), {"type": "text", "text": text}]

    def _usage(self) -> dict[str, Any]:
        told = self._reply.usage
        usage = told if isinstance(told, Usage) else self._call.usage
        return {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        }


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _data(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return b"data: %b\n\n" % text.encode("utf-8", "replace")
