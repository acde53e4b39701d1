"""What is said to a language model and what comes back: provider-neutral and frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "error", "model_length", "unknown"]


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image's own bytes; they leave as a `data:` URI. `width` and `height` in pixels price it."""

    data: bytes
    mime: str
    width: int
    height: int


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Role
    content: str | tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a model. `model` is a dated id; `max_tokens` is always sent."""

    model: str
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    prompt_cache_key: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `cached_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The last delta of a whole stream. `usage` is None where the provider sent none: absent is not zero."""

    reason: FinishReason
    usage: Usage | None
    model: str
    correlation_id: str | None = None


Delta = TextDelta | ThinkingDelta | Finish
