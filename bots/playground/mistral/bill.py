"""What the scripted model really bills, counted as it goes, to hold against what Bise believes."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from bots.playground.mistral import rules, shapes
from core.chat import Usage
from core.mistral.models import Model

_UNSEEN_IMAGE = (1024, 768)
_BYTES_A_TOKEN = 4


class UnreadableImage(Exception):
    """The data of an image part is no image."""


@dataclass(slots=True)
class BilledCall:
    """One call's true tokens, growing while its answer streams."""

    model: Model | None
    on: date
    prompt_tokens: int
    cached_tokens: int = 0
    completion_tokens: int = 0

    @property
    def usage(self) -> Usage:
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens)

    @property
    def microusd(self) -> int:
        """What it costs so far; a model without a price costs nothing here."""
        return self.model.cost(self.usage, self.on) if self.model is not None and self.model.prices else 0


def prompt_tokens(body: dict[str, Any], model: Model | None) -> int:
    """Tokens of a prompt: a token per four bytes, three per message, images by the model's grid, tools as JSON."""
    total = 0
    for message in body["messages"]:
        content = message.get("content")
        total += 3 + (text_tokens(content) if isinstance(content, str) else 0)
        total += sum(call_tokens(call["function"]) for call in message.get("tool_calls") or ())
    total += sum(text_tokens(json.dumps(tool["function"])) for tool in body.get("tools") or ())
    for part in rules.parts(body):
        if part["type"] == "text":
            total += text_tokens(part["text"])
        elif part["type"] == "image_url":
            width, height = _image_size(shapes.image_uri(part) or "")
            total += model.image_tokens(width, height) if model is not None else 0
    return total


def call_tokens(function: dict[str, Any]) -> int:
    """Tokens of one tool call: its name and its arguments."""
    arguments = function["arguments"]
    return text_tokens(function["name"]) + text_tokens(
        arguments if isinstance(arguments, str) else json.dumps(arguments)
    )


def text_tokens(text: str) -> int:
    """At least one token for any text, none for no text."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)


def _image_size(uri: str) -> tuple[int, int]:
    """Pixels of an image in a `data:` URI; an image elsewhere is never fetched."""
    if not uri.startswith("data:"):
        return _UNSEEN_IMAGE
    from PIL import Image

    try:
        data = b64decode(uri.partition(",")[2], validate=True)
        with Image.open(BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, binascii.Error, Image.DecompressionBombError) as exc:
        raise UnreadableImage from exc
