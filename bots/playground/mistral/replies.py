"""What the scripted model says: one reply per request, with every fault a real one has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.chat import ToolCall, Usage

Body = dict[str, Any]
_PIECE = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Delays in seconds.

    `chunks`: the text's pieces, one event each; else `text`, a word at a time. `status` other than 200: `body` (JSON,
    or bytes as they are) is the answer. `usage`: counted by the simulator, or told as given, or left out. `done`:
    whether the end mark comes. `cut_after`: that many pieces, then the connection breaks. `error_in_stream`: an event
    of its own after the pieces, with no end mark. `tool_calls` come after the text, whole or, with `call_parts`, that
    many characters of their arguments at a time, the later parts without a name and with the id "null".
    """

    text: str = ""
    chunks: tuple[str, ...] | None = None
    thinking: str = ""
    delay_first: float = 0.0
    chunk_delay: float = 0.0
    status: int = 200
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    usage: bool | Usage = True
    cached_tokens: int = 0
    usage_apart: bool = False
    done: bool = True
    cut_after: int | None = None
    finish_reason: str | None = "stop"
    padding: bool = True
    list_content: bool = False
    error_in_stream: Mapping[str, Any] | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    call_parts: int | None = None

    def pieces(self) -> tuple[str, ...]:
        return self.chunks if self.chunks is not None else tuple(_PIECE.findall(self.text))


def error(status: int, message: object, *, kind: str | None = None, code: object = None, **headers: str) -> Reply:
    """A refusal in Mistral's shape; header names are written with underscores."""
    body = {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    return Reply(status=status, body=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def echo(body: Body) -> Reply:
    """The answer where nobody wrote a script: what was asked, and how many images came with it."""
    if (name := _demanded_tool(body)) is not None:
        return Reply(tool_calls=(ToolCall("echo00001", name, "{}"),))
    text, images = last_words(body)
    seen = f" I see {images} image{'s' if images != 1 else ''}." if images else ""
    return Reply(text=f"You said: {text}{seen}")


def _demanded_tool(body: Body) -> str | None:
    """The tool that must be called; none once its result is there."""
    choice = body.get("tool_choice")
    if not body.get("tools") or body["messages"][-1]["role"] == "tool":
        return None
    if isinstance(choice, dict):
        return str(choice["function"]["name"])
    return str(body["tools"][0]["function"]["name"]) if choice in ("any", "required") else None


def last_words(body: Body) -> tuple[str, int]:
    """The text of the last user message, and the number of its images."""
    for message in reversed(body["messages"]):
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                text = " ".join(part["text"] for part in content if part.get("type") == "text")
                return text, sum(part.get("type") == "image_url" for part in content)
            return content or "", 0
    return "", 0
