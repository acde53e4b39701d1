"""The JSON of a model API: bodies built field by field, answers read with tolerance."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from core.chat import (
    ChatMessage,
    ChatRequest,
    DocumentPart,
    FinishReason,
    ImagePart,
    JsonMode,
    JsonSchema,
    NamedTool,
    Part,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCall,
    ToolChoice,
    Usage,
)
from core.mistral.fitting import fitted
from core.mistral.messages import function_name, valid_arguments
from core.mistral.models import Model
from core.mistral.providers.provider import Kind
from core.mistral.tool_ids import ToolIds

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "error": "error",
    "model_length": "model_length",
}
_PLAIN_FIELDS = (  # under the same name everywhere
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "reasoning_effort",
    "presence_penalty",
    "frequency_penalty",
    "n",
)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model as its home lists it. `context` in tokens; `deprecation`: when it stops being served."""

    id: str
    aliases: tuple[str, ...] = ()
    context: int | None = None
    vision: bool | None = None
    tools: bool | None = None
    deprecation: datetime | None = None
    replacement: str | None = None


def build_body(
    request: ChatRequest,
    *,
    kind: Kind = "mistral",
    stream: bool = True,
    model: Model | None = None,
    ids: ToolIds | None = None,
) -> bytes:
    """The request as JSON, with only what that kind of server accepts: Mistral refuses whatever it does not know.

    `model`: its row of the catalogue, which says what it can do. `ids` learns how tool calls were renamed.
    Raises RequestRejected, surely unbilled, for what cannot be sent at all.
    """
    fit = fitted(request, kind=kind, model=model)
    messages = (ids or ToolIds()).outward(fit.messages)
    body: dict[str, Any] = {
        "model": fit.model,
        "messages": [_message(message, kind) for message in messages],
        "max_tokens": fit.max_tokens,
        "stream": stream,
        "stop": list(fit.stop) or None,
        "response_format": _response_format(fit.response_format),
        "tools": [_tool(tool) for tool in fit.tools] or None,
        "tool_choice": _tool_choice(fit.tool_choice, kind),
    }
    for name in _PLAIN_FIELDS:
        body[name] = getattr(fit, name)
    if stream:
        body["n"] = None  # a stream shows the first answer alone: others would be paid for nothing
    if kind == "mistral":
        body["random_seed"] = fit.random_seed
        body["safe_prompt"] = fit.safe_prompt
        body["prompt_cache_key"] = fit.prompt_cache_key
        if fit.prediction is not None:
            body["prediction"] = {"type": "content", "content": fit.prediction}
    else:
        body["seed"] = fit.random_seed
        if stream:
            body["stream_options"] = {"include_usage": True}
    body = {name: value for name, value in body.items() if value is not None}
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, as JavaScript leaves when it cuts an emoji
        return msgspec.json.encode(_mended(body))


def _message(message: ChatMessage, kind: Kind) -> dict[str, Any]:
    content = message.content
    sent: dict[str, Any] = {
        "role": message.role,
        "content": content if isinstance(content, str) else [_part(part, kind) for part in content],
    }
    if message.tool_calls:
        sent["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.prefix and kind == "mistral":
        sent["prefix"] = True
    if message.role == "tool":
        sent["tool_call_id"] = message.tool_call_id
        if message.name is not None and kind == "mistral":
            sent["name"] = function_name(message.name)
    return sent


def _part(part: Part, kind: Kind) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(data, mime):
            uri = _data_uri(data, mime)
            return {"type": "image_url", "image_url": uri if kind == "mistral" else {"url": uri}}
        case DocumentPart(source, name, mime):
            address = source if isinstance(source, str) else _data_uri(source, mime)
            named = {"document_name": name} if name is not None else {}
            return {"type": "document_url", "document_url": address, **named}
        case ThinkingPart(text):
            return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _data_uri(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{b64encode(data).decode('ascii')}"


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": function_name(call.name), "arguments": valid_arguments(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {
        "name": function_name(tool.name),
        "description": tool.description,
        "parameters": dict(tool.parameters),
    }
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice | None, kind: Kind) -> Any:
    if isinstance(choice, NamedTool):
        return {"type": "function", "function": {"name": function_name(choice.name)}}
    return "required" if choice == "any" and kind == "openai" else choice


def _response_format(wanted: JsonMode | JsonSchema | None) -> dict[str, Any] | None:
    match wanted:
        case JsonMode():
            return {"type": "json_object"}
        case JsonSchema(name, schema, description, strict):
            described = {"description": description} if description is not None else {}
            document = {"name": name, "schema": dict(schema), **described, "strict": strict}
            return {"type": "json_schema", "json_schema": document}
        case None:
            return None


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return mended_text(value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {key: _mended(item) for key, item in value.items()}
    return value


def mended_text(text: str) -> str:
    """The text with surrogate pairs joined and lone halves replaced, so that it can be written as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def finish_reason(word: object) -> FinishReason:
    """A provider's word for why it stopped; `unknown` for one that we do not know, or none."""
    return _FINISH_REASONS.get(word, "unknown") if isinstance(word, str) else "unknown"


def usage(value: object) -> Usage | None:
    """Usage from decoded JSON; None where it is absent or makes no sense, as absent is not zero."""
    if not isinstance(value, dict):
        return None
    prompt, completion = _count(value.get("prompt_tokens")), _count(value.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details = value.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, completion, min(cached or 0, prompt))


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**53 else None


def model_cards(document: object) -> list[ModelCard]:
    """Cards from a decoded `GET /v1/models`; entries without an id are left out."""
    rows = document.get("data") if isinstance(document, dict) else document
    if not isinstance(rows, list):
        return []
    return [_card(row) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def _card(row: dict[str, Any]) -> ModelCard:
    capabilities = row.get("capabilities")
    able = capabilities if isinstance(capabilities, dict) else {}
    aliases = row.get("aliases")
    return ModelCard(
        id=row["id"],
        aliases=tuple(alias for alias in aliases if isinstance(alias, str)) if isinstance(aliases, list) else (),
        context=_count(row.get("max_context_length")) or _count(row.get("max_model_len")),
        vision=able["vision"] if isinstance(able.get("vision"), bool) else None,
        tools=able["function_calling"] if isinstance(able.get("function_calling"), bool) else None,
        deprecation=_moment(row.get("deprecation")),
        replacement=_text(row.get("deprecation_replacement_model")),
    )


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
