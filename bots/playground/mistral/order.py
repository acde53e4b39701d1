"""The order of messages that Mistral refuses to read: a 400 each. Facts: FACTS.md, section 3."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Messages = list[dict[str, Any]]
_TOOL_CALL_ID = re.compile(r"[A-Za-z0-9]{9}")
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAY_FOLLOW = {
    "system": ("system", "user"),
    "user": ("system", "user", "assistant"),
    "assistant": ("user", "assistant", "tool"),
    "tool": ("assistant", "tool"),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body of the right shape that the model cannot answer: a 400."""

    kind: str
    code: str | None
    message: str


def refusal(messages: Messages) -> Refusal | None:
    """Why these messages are refused, or None."""
    return _last(messages) or _neighbours(messages) or _assistants(messages) or _first(messages) or _answers(messages)


def _last(messages: Messages) -> Refusal | None:
    last = messages[-1]
    if last["role"] in ("user", "tool") or (last["role"] == "assistant" and last.get("prefix") is True):
        return None
    expected = "Expected last role User or Tool (or Assistant with prefix True) for serving"
    return _order(f"{expected} but got {last['role']}")


def _neighbours(messages: Messages) -> Refusal | None:
    for before, message in pairwise(messages):
        if before["role"] == "system" and message["role"] == "assistant":
            continue  # told by `_first`
        if message["role"] not in _MAY_FOLLOW[before["role"]]:
            return _order(f"Unexpected role '{message['role']}' after role '{before['role']}'")
        if before.get("prefix") is True:
            return _order("Assistant message with prefix True must be the last message")
    return None


def _first(messages: Messages) -> Refusal | None:
    first = next((message["role"] for message in messages if message["role"] != "system"), None)
    return None if first == "user" else _order(f"Expected first role User but got {first}")


def _assistants(messages: Messages) -> Refusal | None:
    for message in messages:
        calls = message.get("tool_calls") or []
        if message["role"] == "assistant" and not message.get("content") and not calls:
            wanted = "Assistant message must have either content or tool_calls, but not none."
            return Refusal("invalid_request_assistant_message", "3240", wanted)
        ids = [call.get("id") for call in calls]
        ids += [message["tool_call_id"]] if message.get("tool_call_id") is not None else []
        if not all(isinstance(id_, str) and _TOOL_CALL_ID.fullmatch(id_) for id_ in ids):
            wanted = "Tool call id must be a-z, A-Z, 0-9, with a length of 9."
            return Refusal("invalid_function_call", "3280", wanted)
        for call in calls:
            if refused := _call(call["function"]):
                return refused
    return None


def _call(function: dict[str, Any]) -> Refusal | None:
    if not _FUNCTION_NAME.fullmatch(function["name"]):
        wanted = "Function name must be a-z, A-Z, 0-9, or contain underscores and dashes, with a maximum length of 64."
        return Refusal("invalid_function_call", "3280", wanted)
    arguments = function["arguments"]
    try:
        readable = isinstance(arguments, dict) or isinstance(json.loads(arguments), dict)
    except ValueError:
        readable = False
    return None if readable else Refusal("invalid_function_call", "3280", "Function arguments must be valid JSON.")


def _answers(messages: Messages) -> Refusal | None:
    """Each call has its answer, right after it, and each answer its call."""
    open_ids: list[str] = []
    seen: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_ids:
                return _order("Unexpected tool call id or tool message without a call")
            open_ids.remove(message["tool_call_id"])
            continue
        if open_ids:
            break
        open_ids = [call["id"] for call in message.get("tool_calls") or []]
        if seen & set(open_ids) or len(set(open_ids)) != len(open_ids):
            return Refusal("invalid_function_call", "3280", "Duplicate tool call id in assistant messages")
        seen.update(open_ids)
    return _order("Not the same number of function calls and responses") if open_ids else None


def _order(message: str) -> Refusal:
    return Refusal("invalid_request_message_order", "3230", message)
