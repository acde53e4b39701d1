"""The order of messages that Mistral asks for, made from any order. Facts: FACTS.md, section 3."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from core.chat import ChatMessage, Part, TextPart, ToolCall

BRIDGE = "Done."  # said for the assistant between a tool's result and what the user says next
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64


def repaired(messages: Sequence[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The same conversation in an order that every home takes; a valid order stays as it is.

    System messages come first. Each tool message follows the assistant's call that it answers; answers without a call
    and calls without an answer are left out, as are assistants that say nothing and those before the first user.
    Neighbours of one role become one message. Between a tool and a user the assistant says `BRIDGE`. The last message
    is a user's, a tool's, or an assistant's prefix. Nothing that a user said is lost.
    """
    turns = _merged(_paired([message for message in messages if message.role != "system"]))
    while turns and turns[0].role != "user":
        del turns[0]
    if turns and turns[-1].role == "assistant" and not turns[-1].prefix:
        del turns[-1]
    ordered = _merged([_plain(message) for message in messages if message.role == "system"])
    for place, message in enumerate(turns):
        if message.role == "user" and ordered and ordered[-1].role == "tool":
            ordered.append(ChatMessage("assistant", BRIDGE))
        if message.prefix and (message.role != "assistant" or place != len(turns) - 1):
            message = replace(message, prefix=False)  # noqa: PLW2901
        ordered.append(message)
    return tuple(ordered)


def function_name(name: str) -> str:
    """A name as Mistral takes it for a function: at most 64 letters, digits, `_` and `-`."""
    return _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME] or "unnamed"


def valid_arguments(arguments: str) -> str:
    """Arguments that are JSON of an object, as they are; what is not, inside one: a model may write anything."""
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except (ValueError, RecursionError):
        pass
    return json.dumps({"invalid_arguments": arguments}) if arguments.strip() else "{}"


def _paired(messages: list[ChatMessage]) -> list[ChatMessage]:
    """Each call right before its answer; each answer goes to the latest call of its id that has none yet."""
    answers: dict[tuple[int, int], ChatMessage] = {}
    asked: dict[str, list[tuple[int, int]]] = {}
    for place, message in enumerate(messages):
        if message.role == "assistant":
            calls = enumerate(message.tool_calls)
            for number, call in reversed(list(calls)):  # of two calls with one id, the first is answered first
                asked.setdefault(call.id, []).append((place, number))
        elif message.role == "tool" and (waiting := asked.get(message.tool_call_id or "")):
            answers[waiting.pop()] = message
    paired: list[ChatMessage] = []
    for place, message in enumerate(messages):
        if message.role == "user":
            paired.append(_plain(message))
        elif message.role == "assistant":
            answered = [
                (call, answers[place, number])
                for number, call in enumerate(message.tool_calls)
                if (place, number) in answers
            ]
            if answered or message.content:
                paired.append(replace(message, tool_calls=tuple(call for call, _ in answered)))
            paired.extend(_answer(call, answer) for call, answer in answered)
    return paired


def _answer(call: ToolCall, answer: ChatMessage) -> ChatMessage:
    return replace(answer, tool_calls=(), tool_call_id=call.id, name=answer.name or call.name, prefix=False)


def _plain(message: ChatMessage) -> ChatMessage:
    if message.tool_calls or message.tool_call_id is not None or message.name is not None or message.prefix:
        return ChatMessage(message.role, message.content)
    return message


def _merged(messages: Iterable[ChatMessage]) -> list[ChatMessage]:
    """Neighbours of one role as one message; an assistant that has called tools ends there."""
    merged: list[ChatMessage] = []
    for message in messages:
        last = merged[-1] if merged else None
        if last is None or last.role != message.role or last.role == "tool" or last.tool_calls:
            merged.append(message)
            continue
        content = _joined(last.content, message.content)
        merged[-1] = replace(message, content=content)
    return merged


def _joined(first: str | tuple[Part, ...], second: str | tuple[Part, ...]) -> str | tuple[Part, ...]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}" if first and second else first or second
    return (*_parts(first), *_parts(second))


def _parts(content: str | tuple[Part, ...]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (TextPart(content),) if content else ()
    return content
