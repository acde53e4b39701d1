"""What Mistral's API refuses: unknown fields, wrong shapes, wrong order. Facts: FACTS.md, section 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Location = tuple[str | int, ...]
_FIELDS = frozenset(
    {
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "stop",
        "random_seed",
        "stream",
        "response_format",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "prompt_cache_key",
        "safe_prompt",
        "reasoning_effort",
        "presence_penalty",
        "frequency_penalty",
        "n",
        "prediction",
        "metadata",
        "prompt_mode",
        "guardrails",
        "service_tier",
    }
)
_MESSAGE_FIELDS = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "prefix"}),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
}
_PART_FIELDS = {
    "text": frozenset({"type", "text"}),
    "image_url": frozenset({"type", "image_url"}),
    "document_url": frozenset({"type", "document_url", "document_name"}),
    "input_audio": frozenset({"type", "input_audio"}),
    "thinking": frozenset({"type", "thinking", "closed"}),
}
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 1.5),
    "top_p": (1e-9, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_COUNTS = {"max_tokens": 0, "random_seed": 0, "n": 1}
_BOOLEANS = ("stream", "parallel_tool_calls", "safe_prompt")
_TOOL_CALL_ID = re.compile(r"[A-Za-z0-9]{9}")
MOST_IMAGES = 8


@dataclass(frozen=True, slots=True)
class Misfit:
    """A field that does not fit: one entry of a 422's `detail`."""

    where: Location
    kind: str
    message: str

    def detail(self) -> dict[str, object]:
        return {"type": self.kind, "loc": ["body", *self.where], "msg": self.message}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body of the right shape that the model cannot answer: a 400."""

    kind: str
    code: str | None
    message: str


def misfits(body: Any, *, openai: bool = False) -> list[Misfit]:
    """Every field that does not fit. `openai`: as a tolerant server, which takes fields that it does not know."""
    if not isinstance(body, dict):
        return [Misfit((), "model_attributes_type", "Input should be a valid dictionary")]
    return list(_body_misfits(body, openai))


def _body_misfits(body: dict[str, Any], openai: bool) -> Iterator[Misfit]:
    if not openai:
        yield from _unknown(body, _FIELDS, ())
    if "model" not in body:
        yield Misfit(("model",), "missing", "Field required")
    elif not isinstance(body["model"], str):
        yield Misfit(("model",), "string_type", "Input should be a valid string")
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is not None and (not _is_number(value) or not low <= value <= high):
            yield Misfit((name,), "number_range", f"Input should be a number from {low:g} to {high:g}")
    for name, least in _COUNTS.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            yield Misfit((name,), "int_type", f"Input should be an integer of at least {least}")
    for name in _BOOLEANS:
        if name in body and not isinstance(body[name], bool):
            yield Misfit((name,), "bool_type", "Input should be a valid boolean")
    if isinstance(body.get("tools"), list) and len(body["tools"]) > 128:
        yield Misfit(("tools",), "too_long", "List should have at most 128 items")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        yield Misfit(("messages",), "missing" if messages is None else "list_type", "Input should be a valid list")
        return
    for position, message in enumerate(messages):
        yield from _message_misfits(message, ("messages", position), openai)


def _message_misfits(message: Any, where: Location, openai: bool) -> Iterator[Misfit]:
    role = message.get("role") if isinstance(message, dict) else None
    if not isinstance(role, str) or role not in _MESSAGE_FIELDS:
        yield Misfit((*where, "role"), "union_tag_invalid", "Input should be system, user, assistant or tool")
        return
    if not openai:
        yield from _unknown(message, _MESSAGE_FIELDS[role], (*where, role))
    content = message.get("content")
    if isinstance(content, list):
        for position, part in enumerate(content):
            yield from _part_misfits(part, (*where, role, "content", position))
    elif not isinstance(content, str) and not (content is None and role == "assistant"):
        yield Misfit((*where, role, "content"), "string_type", "Input should be a valid string")


def _part_misfits(part: Any, where: Location) -> Iterator[Misfit]:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in _PART_FIELDS:
        yield Misfit((*where, "type"), "union_tag_invalid", "Input should be a known kind of content")
        return
    yield from _unknown(part, _PART_FIELDS[kind], where)
    if kind == "text" and not isinstance(part.get("text"), str):
        yield Misfit((*where, "text"), "string_type", "Input should be a valid string")
    if kind == "image_url" and image_uri(part) is None:
        yield Misfit((*where, "image_url"), "string_type", "Input should be a valid string")


def _unknown(fields: dict[str, Any], known: frozenset[str], where: Location) -> Iterator[Misfit]:
    for name in fields.keys() - known:
        yield Misfit((*where, name), "extra_forbidden", "Extra inputs are not permitted")


def image_uri(part: dict[str, Any]) -> str | None:
    """The address in an image part, which is a string or an object with `url`."""
    image = part.get("image_url")
    uri = image.get("url") if isinstance(image, dict) and not image.keys() - {"url", "detail"} else image
    return uri if isinstance(uri, str) else None


def refusal(body: dict[str, Any]) -> Refusal | None:
    """Why a body of the right shape is refused, or None."""
    messages = body["messages"]
    last = messages[-1]
    if last["role"] not in ("user", "tool") and not (last["role"] == "assistant" and last.get("prefix") is True):
        expected = "Expected last role User or Tool (or Assistant with prefix True) for serving"
        return _order(f"{expected} but got {last['role']}")
    for before, message in pairwise(messages):
        if before["role"] == "tool" and message["role"] == "user":
            return _order("Unexpected role 'user' after role 'tool'")
    for message in messages:
        if message["role"] == "assistant" and message.get("content") is None and not message.get("tool_calls"):
            wanted = "Assistant message must have either content or tool_calls, but not none."
            return Refusal("invalid_request_assistant_message", "3240", wanted)
        ids = [call.get("id") for call in message.get("tool_calls") or ()]
        ids += [message["tool_call_id"]] if message.get("tool_call_id") is not None else []
        if not all(isinstance(id_, str) and _TOOL_CALL_ID.fullmatch(id_) for id_ in ids):
            wanted = "Tool call id must be a-z, A-Z, 0-9, with a length of 9."
            return Refusal("invalid_function_call", "3280", wanted)
    if body.get("temperature") == 0 and body.get("top_p") not in (None, 1):
        return Refusal("invalid_request_error", None, "top_p must be 1 when using greedy sampling.")
    images = sum(part["type"] == "image_url" for part in parts(body))
    if images > MOST_IMAGES:
        return Refusal("invalid_request_file", "3310", f"Too many images: {images}, at most {MOST_IMAGES}")
    return None


def _order(message: str) -> Refusal:
    return Refusal("invalid_request_message_order", "3230", message)


def parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every content part of every message that has parts."""
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            yield from message["content"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
