"""A streamed answer: events decoded into deltas, with every quirk of FACTS, section 3. This is the hot path."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from core.chat import Choice, Completion, Delta, Finish, TextDelta, ThinkingDelta, ToolCalls, Usage
from core.errors import StreamCut
from core.mistral import wire
from core.mistral.errors import safe_word
from core.mistral.sse import LINE_LIMIT, EventReader
from core.mistral.tool_ids import ToolIds
from core.mistral.tool_parts import ToolCallParts

_DONE = b"[DONE]"


class _ChunkDelta(msgspec.Struct, gc=False):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: None = None


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


class AnswerCut(StreamCut):
    """A StreamCut that knows what came before: `text` of the answer. It never shows in the message or in a log."""

    def __init__(
        self, message: str = "", *, text: str = "", code: str | None = None, correlation_id: str | None = None
    ) -> None:
        super().__init__(message, code=code, correlation_id=correlation_id)
        self.text = text


_decode = msgspec.json.Decoder(_Chunk).decode


class AnswerParser:
    """Bytes in, deltas out; the same deltas for any chunking of the same bytes.

    `failure` is set instead of raised, so that what came before it in the same bytes is not lost. After a Finish or a
    failure nothing more comes.
    """

    __slots__ = (
        "_calls",
        "_correlation_id",
        "_events",
        "_model",
        "_reason",
        "_texts",
        "_usage",
        "failure",
        "finished",
    )

    def __init__(
        self,
        *,
        correlation_id: str | None = None,
        model: str = "",
        line_limit: int = LINE_LIMIT,
        ids: ToolIds | None = None,
    ) -> None:
        self.failure: AnswerCut | None = None
        self.finished = False
        self._events = EventReader(line_limit)
        self._correlation_id = correlation_id
        self._model = model
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._calls = ToolCallParts(ids)
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """The answer's text so far."""
        return "".join(self._texts)

    def expect(self, size: int) -> None:
        """Before the first bytes: one event of `size` bytes is about to come, and is no reason to end the stream."""
        self._events = EventReader(max(size + 16, LINE_LIMIT))

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
                        self._texts.append(text)
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
            if self._calls:
                deltas.append(ToolCalls(self._calls.whole()))
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
        if (error := _error_in(chunk)) is not None:
            self._fail("the stream brought an error", error)
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
            read = _read_message(delta, self._calls)
            self._texts += [part.text for part in read if isinstance(part, TextDelta)]
            deltas += read
        if choice.get("finish_reason") is not None:
            self._stop(choice["finish_reason"], model)

    def _stop(self, reason: object, model: object) -> None:
        if isinstance(model, str) and model:
            self._model = wire.mended_text(model)
        self._reason = reason if isinstance(reason, str) else "unknown"
        if reason == "error":
            self._fail("the model stopped with an error")

    def _fail(self, message: str, code: str | None = None) -> None:
        self.failure = AnswerCut(message, text=self.text, code=code or None, correlation_id=self._correlation_id)


def as_events(body: bytes) -> bytes:
    """An answer that came as one JSON document, from a server that does not stream, as the events of a stream."""
    one_line = body.strip().replace(b"\r", b" ").replace(b"\n", b" ")
    return b"data: " + one_line + b"\n\ndata: [DONE]\n\n"


def read_completion(
    body: bytes, *, correlation_id: str | None = None, model: str = "", ids: ToolIds | None = None
) -> Completion:
    """Every choice of an answer that was not streamed. Raises AnswerCut for an error in it and for what is none."""

    def cut(why: str, code: str | None = None) -> AnswerCut:
        return AnswerCut(why, code=code or None, correlation_id=correlation_id)

    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise cut("the answer is not JSON") from exc
    if not isinstance(document, dict):
        raise cut("the answer is not an answer")
    if (error := _error_in(document)) is not None:
        raise cut("the answer brought an error", error)
    rows = document.get("choices")
    choices = tuple(_choice(row, ids) for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()
    if not choices:
        raise cut("the answer has no choice")
    if choices[0].reason == "error":
        raise AnswerCut("the model stopped with an error", text=choices[0].text, correlation_id=correlation_id)
    named = document.get("model")
    told = wire.mended_text(named) if isinstance(named, str) and named else model
    return Completion(choices, wire.usage(document.get("usage")), told, correlation_id)


def _choice(row: dict[str, Any], ids: ToolIds | None) -> Choice:
    calls = ToolCallParts(ids)
    message = row.get("message")
    deltas = _read_message(message, calls) if isinstance(message, dict) else []
    return Choice(
        reason=wire.finish_reason(row.get("finish_reason")),
        text="".join(delta.text for delta in deltas if isinstance(delta, TextDelta)),
        thinking="".join(delta.text for delta in deltas if isinstance(delta, ThinkingDelta)),
        tool_calls=calls.whole(),
    )


def _error_in(document: dict[str, Any]) -> str | None:
    """The code of the error that a document brings, "" if it has none; None if the document is no error."""
    error = document.get("error")
    if error is None and document.get("object") != "error":
        return None
    detail = error if isinstance(error, dict) else document
    if isinstance(inner := detail.get("error"), dict):
        detail = inner
    return safe_word(detail.get("code")) or safe_word(detail.get("type")) or ""


def _read_message(message: dict[str, Any], calls: ToolCallParts) -> list[Delta]:
    """What a delta or a whole message says: thoughts, text, parts of tool calls."""
    deltas: list[Delta] = []
    for key in ("reasoning_content", "reasoning"):
        if isinstance(thinking := message.get(key), str) and thinking:
            deltas.append(ThinkingDelta(wire.mended_text(thinking)))
            break
    _read_content(message.get("content"), deltas)
    deltas += calls.add(message.get("tool_calls"))
    return deltas


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
