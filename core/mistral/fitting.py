"""A request as its model and its home can take it: what they do not know is left out or mapped, never refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from core.chat import ChatMessage, ChatRequest, DocumentPart, Part, ReasoningEffort, TextPart, ThinkingPart
from core.errors import RequestRejected
from core.mistral.messages import repaired
from core.mistral.models import Model
from core.mistral.providers.provider import Kind

MOST_TOOLS = 128
_EFFORTS: tuple[ReasoningEffort, ...] = get_args(ReasoningEffort)


def fitted(request: ChatRequest, *, kind: Kind = "mistral", model: Model | None = None) -> ChatRequest:
    """The request with its messages in order and its parameters in their ranges.

    `model`: the catalogue's row; None for one that it does not have. Raises RequestRejected, surely unbilled, for what
    no fitting mends: no message of a user, more than 128 tools.
    """
    if len(request.tools) > MOST_TOOLS:
        raise RequestRejected(f"{len(request.tools)} tools, at most {MOST_TOOLS} can be offered")
    messages = repaired([_readable(message, kind, model) for message in request.messages])
    if not any(message.role == "user" for message in messages):
        raise RequestRejected("there is no message of a user to answer")
    changes: dict[str, Any] = {"messages": messages}
    if model is not None and model.tools is False:
        changes |= {"tools": (), "tool_choice": None, "parallel_tool_calls": None}
    elif not request.tools:
        changes |= {"tool_choice": None, "parallel_tool_calls": None}
    if model is not None and model.output_limit is not None:
        changes["max_tokens"] = min(request.max_tokens, model.output_limit)
    if request.temperature is not None:
        changes["temperature"] = min(max(request.temperature, 0.0), 1.5 if kind == "mistral" else 2.0)
    if request.temperature is not None and request.temperature <= 0:
        changes["top_p"] = 1.0  # greedy sampling takes no other
    elif request.top_p is not None:
        changes["top_p"] = min(request.top_p, 1.0) if request.top_p > 0 else None
    if request.random_seed is not None:
        changes["random_seed"] = abs(request.random_seed)
    if request.n is not None:
        changes["n"] = max(request.n, 1)
    for name in ("presence_penalty", "frequency_penalty"):
        if (penalty := getattr(request, name)) is not None:
            changes[name] = min(max(penalty, -2.0), 2.0)
    changes["reasoning_effort"] = _effort(request.reasoning_effort, kind, model)
    return replace(request, **changes)


def _effort(wanted: ReasoningEffort | None, kind: Kind, model: Model | None) -> ReasoningEffort | None:
    """The nearest effort that the model allows, the smaller of two; a model of one's own is asked as it is."""
    if wanted is None or model is None:
        return wanted if kind == "openai" else None
    place = _place(wanted)
    return min(model.reasoning, key=lambda effort: (abs(_place(effort) - place), _place(effort)), default=None)


def _place(effort: ReasoningEffort) -> int:
    return _EFFORTS.index(effort)


def _readable(message: ChatMessage, kind: Kind, model: Model | None) -> ChatMessage:
    """The message without what this home or model cannot read: thoughts are left out, a document is named instead."""
    if isinstance(message.content, str):
        return message
    thinks = kind == "mistral" and model is not None and bool(model.reasoning) and message.role == "assistant"
    parts: list[Part] = []
    for part in message.content:
        if isinstance(part, DocumentPart) and kind == "openai":
            parts.append(TextPart(f"[A document that cannot be shown here: {part.name or 'without a name'}]"))
        elif not isinstance(part, ThinkingPart) or thinks:
            parts.append(part)
    return (
        message if len(parts) == len(message.content) and kind == "mistral" else replace(message, content=tuple(parts))
    )
