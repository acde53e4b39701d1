"""A streamed answer: events decoded into deltas, with every quirk of FACTS, section 3. This is the hot path."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from core.chat import Delta, Finish, TextDelta, ThinkingDelta, Usage
from core.errors import StreamCut
from core.mistral import wire
from core.mistral.errors import safe_word
from core.mistral.sse import LINE_LIMIT, EventReader

_DONE = b"[DONE]"


class _ChunkDelta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class _ChunkChoice(msgspec.Struct, gc=False):
    delta: _ChunkDelta
    index: int = 0
    finish_reason: None = None


class _Chunk(msgspec.Struct, gc=False):
    """The usual chunk, with text and no end. Anything else in these fields is read again, slowly and with tolerance."""

    choices: tuple[_ChunkChoice, ...]
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    usage: None = None
    error: None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class AnswerParser:
    """Bytes in, deltas out; the same deltas for any chunking of the same bytes.

    `failure` is set instead of raised, so that what came before it in the same bytes is not lost. After a Finish or a
    failure nothing more comes.
    """

    __slots__ = ("_correlation_id", "_events", "_model", "_reason", "_usage", "failure", "finished")

    def __init__(self, *, correlation_id: str | None = None, model: str = "", line_limit: int = LINE_LIMIT) -> None:
        self.failure: StreamCut | None = None
        self.finished = False
        self._events = EventReader(line_limit)
        self._correlation_id = correlation_id
        self._model = model
        self._reason: str | None = None
        self._usage: Usage | None = None

    def feed(self, piece: bytes) -> list[Delta]:
        """The deltas that `piece` completes; the last of all is a Finish."""
        deltas: list[Delta] = []
        if self.finished or self.failure is not None:
            return deltas
        for event in self._events.feed(piece):
            try:
                chunk = _decode(event)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                self._read_unusual(event, deltas)
            else:
                for choice in chunk.choices:
                    if choice.index:
                        continue
                    delta = choice.delta
                    if thinking := delta.reasoning_content or delta.reasoning:
                        deltas.append(ThinkingDelta(thinking))
                    if text := delta.content:
                        deltas.append(TextDelta(text))
                continue
            if self._over():
                return deltas
        if self._events.too_long:
            self._fail("a line of the stream passed the limit")
        return deltas

    def end(self) -> list[Delta]:
        """What the connection's end completes; without an end mark the failure is set."""
        deltas = self.feed(b"\n\n")
        if not self._over():
            self._fail("the stream ended without its end mark")
        return deltas

    def _over(self) -> bool:
        return self.finished or self.failure is not None

    def _read_unusual(self, event: bytes, deltas: list[Delta]) -> None:
        """The end mark, usage, lists of content, errors, and whatever else a server makes of a chunk."""
        event = event.strip()
        if not event:
            return
        if event == _DONE:
            self.finished = True
            reason = wire.finish_reason(self._reason)
            deltas.append(Finish(reason, self._usage, self._model, self._correlation_id))
            return
        try:
            chunk = json.loads(event)
        except (ValueError, RecursionError):
            self._fail("an event of the stream is not JSON")
            return
        if not isinstance(chunk, dict):
            self._fail("an event of the stream is not a chunk")
            return
        error = chunk.get("error")
        if error is not None or chunk.get("object") == "error":
            detail = error if isinstance(error, dict) else chunk
            if isinstance(inner := detail.get("error"), dict):
                detail = inner
            self._fail("the stream brought an error", safe_word(detail.get("code")) or safe_word(detail.get("type")))
            return
        self._usage = wire.usage(chunk.get("usage")) or self._usage
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and not choice.get("index"):
                self._read_choice(choice, chunk.get("model"), deltas)

    def _read_choice(self, choice: dict[str, Any], model: object, deltas: list[Delta]) -> None:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            delta = choice.get("message")  # a server that does not stream sends its whole answer as one
        if isinstance(delta, dict):
            for key in ("reasoning_content", "reasoning"):
                if isinstance(thinking := delta.get(key), str) and thinking:
                    deltas.append(ThinkingDelta(wire.mended_text(thinking)))
                    break
            _read_content(delta.get("content"), deltas)
        if choice.get("finish_reason") is not None:
            self._stop(choice["finish_reason"], model)

    def _stop(self, reason: object, model: object) -> None:
        if isinstance(model, str) and model:
            self._model = wire.mended_text(model)
        self._reason = reason if isinstance(reason, str) else "unknown"
        if reason == "error":
            self._fail("the model stopped with an error")

    def _fail(self, message: str, code: str | None = None) -> None:
        self.failure = StreamCut(message, code=code, correlation_id=self._correlation_id)


def read_whole(
    body: bytes, *, correlation_id: str | None = None, model: str = ""
) -> tuple[list[Delta], StreamCut | None]:
    """The deltas of an answer that came as one JSON document, from a server that does not stream; and what failed."""
    parser = AnswerParser(correlation_id=correlation_id, model=model, line_limit=len(body) + 16)
    one_line = body.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    deltas = parser.feed(b"data: " + one_line + b"\n\ndata: [DONE]\n\n")
    return deltas, parser.failure


def _read_content(content: object, deltas: list[Delta]) -> None:
    """Text as it stands, or a list of parts: text, and thinking with parts of its own. Other parts say nothing."""
    if isinstance(content, str):
        if content:
            deltas.append(TextDelta(wire.mended_text(content)))
        return
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        if part.get("type") == "thinking":
            if thinking := _plain(part.get("thinking")):
                deltas.append(ThinkingDelta(thinking))
        elif text := _plain(part.get("text")):
            deltas.append(TextDelta(text))


def _plain(value: object) -> str:
    if isinstance(value, str):
        return wire.mended_text(value)
    if isinstance(value, list):
        return "".join(_plain(part.get("text")) for part in value if isinstance(part, dict))
    return ""
