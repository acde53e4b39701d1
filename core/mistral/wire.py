"""The JSON of a model API: bodies built field by field, answers read with tolerance."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from core.chat import ChatMessage, ChatRequest, FinishReason, ImagePart, Part, TextPart, Usage
from core.mistral.providers.home import Kind

_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "error": "error",
    "model_length": "model_length",
}


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


def build_body(request: ChatRequest, *, kind: Kind = "mistral", stream: bool = True) -> bytes:
    """The request as JSON, with only what that kind of server accepts: Mistral refuses whatever it does not know."""
    body: dict[str, Any] = {
        "model": request.model,
        "messages": [_message(message, kind) for message in request.messages],
        "max_tokens": request.max_tokens,
        "stream": stream,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = 1 if request.temperature == 0 else request.top_p  # greedy sampling takes no other
    if kind == "mistral":
        if request.prompt_cache_key is not None:
            body["prompt_cache_key"] = request.prompt_cache_key
    elif stream:
        body["stream_options"] = {"include_usage": True}
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:  # half a surrogate pair, as JavaScript leaves when it cuts an emoji
        return msgspec.json.encode(_mended(body))


def _message(message: ChatMessage, kind: Kind) -> dict[str, Any]:
    content = message.content
    return {
        "role": message.role,
        "content": content if isinstance(content, str) else [_part(part, kind) for part in content],
    }


def _part(part: Part, kind: Kind) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(data, mime):
            uri = f"data:{mime};base64,{b64encode(data).decode('ascii')}"
            return {"type": "image_url", "image_url": uri if kind == "mistral" else {"url": uri}}


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
