"""Mutated streams and error bodies: each gives a typed result or a typed error, never a bare exception or a hang."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from typing import Any

from core.chat import Completion, Finish, ToolCalls
from core.errors import ModelError, StreamCut
from core.mistral.errors import from_response
from core.mistral.stream import AnswerCut, AnswerParser, read_completion

_USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
_CALL = {"id": "abcdefghi", "index": 0, "function": {"name": "add", "arguments": '{"a":1}'}}
_STATUSES = (400, 401, 402, 403, 404, 408, 413, 418, 422, 429, 500, 502, 503, 529, 302, 204)
_VALUES: tuple[Any, ...] = (None, True, 0, -1, 2**70, 1e308, "", "null", "\ud800", [], {}, [[]], [None], {"a": {}}, "x")
_BYTES = (b"\r", b"\n", b"\n\n", b"\x00", b"\xff", b"data:", b"event: error\n", b"[DONE]", b'"', b"}", b"[" * 3000)
_ERRORS: tuple[Any, ...] = (
    {"detail": "Unauthorized"},
    {"detail": [{"loc": ["body", "messages", 0], "msg": "words", "type": "missing"}]},
    {"object": "error", "message": {"detail": [{"loc": ["body"], "type": "x"}]}, "type": "invalid", "code": None},
    {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
    {"error": {"message": "busy", "code": 3505}},
    [{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}],
)


def _chunk(delta: Any, reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


def _stream() -> list[Any]:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    return [
        _chunk({"role": "assistant", "content": ""}),
        _chunk({"content": [thinking, {"type": "text", "text": "so"}]}),
        _chunk({"content": "Bon"}, p="abc"),
        _chunk({"content": "", "tool_calls": [_CALL]}),
        _chunk({"content": "", "tool_calls": [{**_CALL, "id": "null", "function": {"name": "", "arguments": "}"}}]}),
        _chunk({"content": ""}, "tool_calls", usage=_USAGE),
        {"choices": [], "usage": _USAGE},
    ]


def _mutated(value: Any, dice: random.Random, chance: float) -> Any:
    if dice.random() < chance:
        return dice.choice(_VALUES)
    if isinstance(value, list):
        items = [_mutated(item, dice, chance) for item in value]
        return items * dice.choice((0, 2)) if dice.random() < chance else items
    if isinstance(value, dict):
        return {
            name if dice.random() > chance / 2 else "error": _mutated(item, dice, chance)
            for name, item in value.items()
            if dice.random() > chance / 2
        }
    return value


def _scratched(data: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randrange(4)):
        at, until = dice.randrange(len(data) + 1), dice.randrange(1, 40)
        how = dice.randrange(4)
        if how == 0:
            data = data[:at] + data[at + until :]
        elif how == 1:
            data = data[:at] + dice.choice(_BYTES) + data[at:]
        elif how == 2:
            data = data[:at] + dice.randbytes(until) + data[at + until :]
        else:
            data = data[:at]
    return data


def _pieces(data: bytes, dice: random.Random) -> list[bytes]:
    cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randrange(6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _read_stream(dice: random.Random) -> str:
    documents = [_mutated(document, dice, dice.choice((0, 0.02, 0.1))) for document in _stream()]
    if dice.random() < 0.2:
        dice.shuffle(documents)
    events = [b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents]
    data = b"".join([*events, b"data: [DONE]\n\n"])
    data = _scratched(data, dice) if dice.random() < 0.7 else data
    parser = AnswerParser(line_limit=dice.choice((200, 2000, 1 << 20)))
    deltas = [delta for piece in _pieces(data, dice) for delta in parser.feed(piece)] + parser.end()
    assert parser.finished == (parser.failure is None)
    assert sum(isinstance(delta, Finish) for delta in deltas) == parser.finished
    if parser.failure is not None:
        assert isinstance(parser.failure, StreamCut)
        parser.failure.text.encode()
        return "cut"
    assert isinstance(deltas[-1], Finish)
    given = [delta for delta in deltas if isinstance(delta, ToolCalls)]
    assert len(given) <= 1
    ids = [call.id for calls in given for call in calls.calls]
    assert len(set(ids)) == len(ids)
    assert all(ids)
    for delta in deltas:
        repr(delta).encode()
    return "finished"


def _read_whole(dice: random.Random) -> str:
    message = {"role": "assistant", "content": "Bon", "tool_calls": [_CALL, _CALL]}
    document = {"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _USAGE}
    data = json.dumps(_mutated(document, dice, dice.choice((0, 0.05, 0.2)))).encode()
    try:
        completion = read_completion(_scratched(data, dice) if dice.random() < 0.5 else data)
    except AnswerCut:
        return "cut"
    assert isinstance(completion, Completion)
    repr((completion.text, completion.tool_calls, completion.reason)).encode()
    return "whole"


def _read_error(dice: random.Random) -> str:
    data = json.dumps(_mutated(dice.choice(_ERRORS), dice, dice.choice((0, 0.1, 0.3)))).encode()
    data = _scratched(data, dice) if dice.random() < 0.5 else data
    waits = ("", "3", "-1", "nan", "1e400", "Mon, 23 Nov 2026 12:00:00 GMT", "\u0663", "soon", "9" * 400)
    error = from_response(dice.choice(_STATUSES), data, {"retry-after": dice.choice(waits)})
    assert isinstance(error, ModelError)
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400
    assert "words" not in str(error)
    return "error"


def test_mutated_streams_and_error_bodies_give_a_typed_result_or_a_typed_error(full_size: bool) -> None:
    seen: dict[str, int] = {}
    readers: tuple[Callable[[random.Random], str], ...] = (_read_stream, _read_stream, _read_whole, _read_error)
    slowest = 0.0
    for seed in range(100_000 if full_size else 3_000):
        dice = random.Random(seed)
        began = time.process_time()
        try:
            outcome = readers[seed % len(readers)](dice)
        except Exception as exc:
            raise AssertionError(f"seed {seed}") from exc
        slowest = max(slowest, time.process_time() - began)
        seen[outcome] = seen.get(outcome, 0) + 1
    assert slowest < 2.0
    assert min(seen.get(outcome, 0) for outcome in ("cut", "finished", "whole", "error")) > 100
