"""The most that a call can cost: counted in bytes, grids and `max_tokens`, before it is made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from core.chat import ChatMessage, ChatRequest, DocumentPart, ImagePart, TextPart, ThinkingPart
from core.errors import UnknownModel
from core.mistral.messages import valid_arguments
from core.mistral.models import MILLION, ImageGrid, Model
from core.mistral.providers.provider import Provider
from core.turns import tools

PER_MESSAGE = 16  # tokens of the template around one message, its role and its end
PER_REQUEST = 64  # and around all of them
PER_TOOL = 32  # and around each tool and each call of one
SAFE_PROMPT = 512  # of the words that `safe_prompt` puts before all others
# Where a model's own is not known: Pixtral's, which asks for the most tokens of all (FACTS: 1024² → 64 rows of 65).
_LARGEST_GRID = ImageGrid(patch=16, merge=1, max_side=1024)


@dataclass(frozen=True, slots=True)
class Bound:
    """What a request can cost at worst, in tokens and micro-dollars."""

    prompt_tokens: int
    max_tokens: int
    microusd: int


def bound(model: Model, home: Provider, request: ChatRequest, now: datetime) -> Bound:
    """The bound of a request; nothing at a home that costs nothing. Raises UnknownModel for a model without a price.

    A token has at least one byte, so a text has at most as many tokens as bytes in UTF-8.
    """
    prompt = prompt_bound(model, request)
    if not home.priced:
        return Bound(prompt, request.max_tokens, 0)
    if not model.prices:
        raise UnknownModel(f"{model.id} has no price per token")
    # The dearest price of the dates on which it could be billed: the provider's day need not be ours.
    dates = {(now.astimezone(UTC) + timedelta(days=by)).date() for by in (-1, 0, 1)}
    prices = [model.price(day) for day in dates]
    dearest_in = max(max(price.input_microusd, price.cached_microusd) for price in prices)
    dearest_out = max(price.output_microusd for price in prices)
    answers = request.n or 1
    per_million = prompt * dearest_in + request.max_tokens * answers * dearest_out
    return Bound(prompt, request.max_tokens, -(-per_million * home.price_tenths // (10 * MILLION)))


def prompt_bound(model: Model, request: ChatRequest) -> int:
    """The most tokens that a prompt can have."""
    tokens = PER_REQUEST + sum(_message(model, message) for message in request.messages)
    for offered in request.tools:
        tokens += PER_TOOL + tools.written((offered,))
    if request.response_format is not None:
        tokens += len(repr(request.response_format).encode("utf-8", "replace"))
    if request.prediction is not None:
        tokens += _bytes(request.prediction)
    if request.safe_prompt:
        tokens += SAFE_PROMPT
    return tokens


def _message(model: Model, message: ChatMessage) -> int:
    tokens = PER_MESSAGE
    if message.role == "tool":  # one more message may have to follow it, and templates write its content as JSON
        tokens += PER_MESSAGE + _bytes(message.name or "") + _bytes(message.tool_call_id or "")
    size = _as_json if message.role == "tool" else _bytes
    parts = (message.content,) if isinstance(message.content, str) else message.content
    for part in parts:
        match part:
            case str():
                tokens += size(part)
            case TextPart():
                tokens += size(part.text)
            case ImagePart():
                tokens += _largest(model.image_grid or _LARGEST_GRID)
            case DocumentPart():
                tokens += model.context
            case ThinkingPart():
                tokens += _bytes(part.text)
    for call in message.tool_calls:
        tokens += PER_TOOL + _bytes(call.name) + _as_json(valid_arguments(call.arguments)) + _bytes(call.id)
    return tokens


def _largest(grid: ImageGrid) -> int:
    return grid.tokens(grid.max_side, grid.max_side)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _as_json(text: str) -> int:
    """The most bytes of a text that is JSON, or is written as JSON: escaped, and a blank after each `,` and `:`."""
    return _bytes(json.dumps(text, ensure_ascii=False)) + text.count(",") + text.count(":")
