"""The arguments of a Web API call, whichever way they were sent."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from bots.playground.slack import blocks as block_kit
from bots.playground.slack.blocks import Block
from bots.playground.slack.posts import SlackPost
from bots.playground.slack.records import Json

TEXT_MAX = 40_000
METADATA_MAX = 16_000
STRUCTURED = ("blocks", "chunks", "attachments", "metadata", "loading_messages")


class ApiError(Exception):
    """An answer with `ok: false`. `error`: Slack's word for it; `fields`: what else the body holds."""

    def __init__(self, error: str, **fields: Any) -> None:
        super().__init__(error)
        self.error = error
        self.fields = fields


def invalid_arguments(reason: str) -> ApiError:
    return ApiError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {reason}"]})


async def read(request: web.Request) -> Json:
    """Query, form and JSON body as one; structures in form fields are parsed. Raises ApiError."""
    arguments: Json = dict(request.query)
    if request.method == "POST":
        if request.content_type == "application/json":
            try:
                body = await request.json()
            except ValueError:
                raise ApiError("invalid_json") from None
            if not isinstance(body, dict):
                raise ApiError("json_not_object")
            arguments |= body
        else:
            arguments |= dict(await request.post())
    for name in STRUCTURED:
        value = arguments.get(name)
        if isinstance(value, str):
            try:
                arguments[name] = json.loads(value)
            except ValueError:
                raise ApiError("invalid_blocks" if name == "blocks" else "invalid_arguments") from None
    return arguments


class Arguments:
    """Arguments by name, checked as they are asked for."""

    def __init__(self, values: Json) -> None:
        self.values = values

    def __contains__(self, name: str) -> bool:
        return self.values.get(name) not in (None, "")

    def required(self, name: str) -> str:
        if name not in self:
            raise invalid_arguments(f"missing required field: {name}")
        return str(self.values[name])

    def text(self, name: str) -> str | None:
        return str(self.values[name]) if name in self else None

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.values.get(name) or default)
        except (TypeError, ValueError):
            raise invalid_arguments(f"must be a number: {name}") from None

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("1", "true")

    def markdown(self) -> str | None:
        """`markdown_text`. Raises ApiError `msg_too_long` above 12,000 characters."""
        text = self.text("markdown_text")
        if text is not None and len(text) > block_kit.MARKDOWN_MAX:
            raise ApiError("msg_too_long")
        return text

    def items(self, name: str) -> list[Any] | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise ApiError(f"invalid_{name}")
        return value

    def blocks(self) -> tuple[Block, ...] | None:
        """The blocks, checked; None where none were sent. Raises ApiError `invalid_blocks`, `msg_blocks_too_long`."""
        found = self.items("blocks")
        return None if found is None else checked_blocks(found)

    def metadata(self) -> Json | None:
        """A message's metadata, checked. Raises ApiError `invalid_metadata_format`."""
        found = self.values.get("metadata")
        if found is None:
            return None
        if not isinstance(found, dict) or not isinstance(found.get("event_payload"), dict):
            raise ApiError("invalid_metadata_format")
        if not isinstance(found.get("event_type"), str) or not found["event_type"]:
            raise ApiError("invalid_metadata_format")
        if len(json.dumps(found)) > METADATA_MAX:
            raise ApiError("metadata_too_large")
        return {"event_type": found["event_type"], "event_payload": found["event_payload"]}

    def content(self) -> Json:
        """The fields of SlackPost that the call sets. Raises ApiError where it sets none, or too many, or too much."""
        text, markdown, blocks = self.text("text"), self.markdown(), self.blocks()
        if markdown is not None and (text is not None or blocks is not None):
            raise ApiError("markdown_text_conflict")
        if markdown is not None:
            return {"text": markdown, "blocks": (), "markdown": True}
        if text is None and not blocks:
            raise ApiError("no_text")
        return {"text": (text or "")[:TEXT_MAX], "blocks": blocks or (), "markdown": False}


def checked_blocks(found: list[Any]) -> tuple[Block, ...]:
    reasons = block_kit.faults(found)
    if reasons:
        raise ApiError("invalid_blocks", errors=reasons, response_metadata={"messages": reasons})
    if block_kit.length(found) > block_kit.MESSAGE_MAX:
        raise ApiError("msg_blocks_too_long")
    return tuple(found)


def post_error(post: SlackPost | None, bot_user_id: str, refusal: str) -> str | None:
    """Why the bot may not change a message: it is gone, or somebody else's; None where it may."""
    if post is None:
        return "message_not_found"
    return None if post.user == bot_user_id else refusal
