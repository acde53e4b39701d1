"""What Mistral's API refuses: unknown fields, wrong shapes, wrong order. Facts: FACTS.md, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bots.playground.mistral import order, shapes
from bots.playground.mistral.order import Refusal
from bots.playground.mistral.shapes import Location, Misfit

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
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 1.5),
    "top_p": (1e-9, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}
_COUNTS = {"max_tokens": 0, "random_seed": 0, "n": 1}
_BOOLEANS = ("stream", "parallel_tool_calls", "safe_prompt")
MOST_IMAGES = 8


def misfits(body: Any, *, openai: bool = False) -> list[Misfit]:
    """Every field that does not fit. `openai`: as a tolerant server, which takes fields that it does not know."""
    if not isinstance(body, dict):
        return [Misfit((), "model_attributes_type", "Input should be a valid dictionary")]
    return list(_body_misfits(body, openai))


def _body_misfits(body: dict[str, Any], openai: bool) -> Iterator[Misfit]:
    if not openai:
        yield from shapes.unknown(body, _FIELDS, ())
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
    yield from shapes.parameters(body, openai)
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
        yield from shapes.unknown(message, _MESSAGE_FIELDS[role], (*where, role))
    content = message.get("content")
    if isinstance(content, list):
        for position, part in enumerate(content):
            yield from shapes.part(part, (*where, role, "content", position), role=role, openai=openai)
    elif not isinstance(content, str) and not (content is None and role == "assistant"):
        yield Misfit((*where, role, "content"), "string_type", "Input should be a valid string")
    if role == "assistant":
        yield from shapes.tool_calls(message.get("tool_calls"), (*where, role, "tool_calls"))
    if role == "tool" and not isinstance(message.get("tool_call_id"), str | None):
        yield Misfit((*where, role, "tool_call_id"), "string_type", "Input should be a valid string")


def refusal(body: dict[str, Any]) -> Refusal | None:
    """Why a body of the right shape is refused, or None."""
    if refused := order.refusal(body["messages"]):
        return refused
    if body.get("temperature") == 0 and body.get("top_p") not in (None, 1):
        return Refusal("invalid_request_error", None, "top_p must be 1 when using greedy sampling.")
    images = sum(part["type"] == "image_url" for part in parts(body))
    if images > MOST_IMAGES:
        return Refusal("invalid_request_file", "3310", f"Too many images: {images}, at most {MOST_IMAGES}")
    return None


def parts(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every content part of every message that has parts."""
    for message in body["messages"]:
        if isinstance(message.get("content"), list):
            yield from message["content"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
