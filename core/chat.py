"""What is said to a language model and what comes back: provider-neutral and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "tool_calls", "error", "model_length", "unknown"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


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


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A document: its address, which the provider fetches, or its own bytes, which leave as a `data:` URI."""

    source: str | bytes
    name: str | None = None
    mime: str = "application/pdf"


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What a model thought before an earlier answer; shown again only to models that reason."""

    text: str


Part = TextPart | ImagePart | DocumentPart | ThinkingPart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A function that the model wants called. `arguments`: the JSON text as the model wrote it, perhaps no JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. `tool_calls` and `prefix` are the assistant's; `tool_call_id` and `name` a tool's.

    `prefix`: the last message, with which the model's answer must begin.
    """

    role: Role
    content: str | tuple[Part, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `parameters`: a JSON schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The choice of one tool, which the model must then call."""

    name: str


ToolChoice = Literal["auto", "none", "any", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class JsonMode:
    """The answer is JSON; a message has to say so as well."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The answer is JSON of this schema."""

    name: str
    schema: Mapping[str, Any]
    description: str | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a model. `model` is a dated id; `max_tokens` is always sent, None elsewhere is never sent.

    `tools`: at most 128. `n`: answers to one prompt, of which a stream shows the first alone.
    `prediction`: text that the answer will probably repeat. `account`: who waits for it, "PLATFORM:ID", so that waiting
    is fair; it never leaves this machine.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    prompt_cache_key: str | None = None
    stop: tuple[str, ...] = ()
    random_seed: int | None = None
    response_format: JsonMode | JsonSchema | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    safe_prompt: bool | None = None
    reasoning_effort: ReasoningEffort | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    n: int | None = None
    prediction: str | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `cached_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Admitted:
    """The wait for a free place is over and the request is about to leave: the first delta, where callers queue."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A part of a tool call as it came: a sign of life. What is to be called comes whole, in `ToolCalls`."""

    index: int
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """Every tool call of an answer, whole, once, right before the Finish. Their ids are unique and never empty."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The last delta of a whole stream. `usage` is None where the provider sent none: absent is not zero."""

    reason: FinishReason
    usage: Usage | None
    model: str
    correlation_id: str | None = None


Delta = Admitted | TextDelta | ThinkingDelta | ToolCallDelta | ToolCalls | Finish


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers to a prompt."""

    reason: FinishReason
    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer that was not streamed: at least one choice. `usage` is None where the provider sent none."""

    choices: tuple[Choice, ...]
    usage: Usage | None
    model: str
    correlation_id: str | None = None

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.choices[0].text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's tool calls."""
        return self.choices[0].tool_calls

    @property
    def reason(self) -> FinishReason:
        """Why the first choice ended."""
        return self.choices[0].reason
