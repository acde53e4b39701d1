"""Tool calls that come in parts, put together. Facts: FACTS.md, section 3."""

from __future__ import annotations

import json
from typing import Any

from core.chat import ToolCall, ToolCallDelta
from core.mistral.tool_ids import ToolIds, made_from
from core.mistral.wire import mended_text


class _Parts:
    __slots__ = ("arguments", "id", "index", "name", "whole")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.whole = False  # arguments came as an object: they have no parts

    def complete(self) -> bool:
        """Whether nothing can follow: the arguments are a JSON object already."""
        if self.whole:
            return True
        try:
            return isinstance(json.loads("".join(self.arguments)), dict)
        except (ValueError, RecursionError):
            return False


class ToolCallParts:
    """Collects the parts of one answer's calls: merged by index; an id may be missing or "null" in later parts.

    Servers that give every call the index 0 are understood too: another id, or another name after whole arguments,
    begins another call. `ids`: those of the request; a call that repeats one gets the caller's own.
    """

    __slots__ = ("_calls", "_ids", "_open")

    def __init__(self, ids: ToolIds | None = None) -> None:
        self._ids = ids or ToolIds()
        self._calls: list[_Parts] = []
        self._open: dict[int, _Parts] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, entries: object) -> list[ToolCallDelta]:
        """The parts in one `tool_calls` of a chunk or message; what is no part of a call says nothing."""
        return [
            self._add(entry, entry["function"])
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("function"), dict)
        ]

    def whole(self) -> tuple[ToolCall, ...]:
        """The calls in the order in which they began, each with an id of its own."""
        calls: list[ToolCall] = []
        taken: set[str] = set()
        for parts in self._calls:
            arguments = "".join(parts.arguments)
            id_ = parts.id
            if not id_ or id_ in taken:
                given = taken | {other.id for other in self._calls}
                id_ = made_from(id_, str(parts.index), parts.name, arguments, taken=given)
            taken.add(id_)
            calls.append(ToolCall(self._ids.inward(id_), parts.name, arguments))
        return tuple(calls)

    def _add(self, entry: dict[str, Any], function: dict[str, Any]) -> ToolCallDelta:
        id_, name, arguments = _word(entry.get("id")), _word(function.get("name")), function.get("arguments")
        parts = self._parts(entry.get("index"), id_, name)
        parts.id = parts.id or id_
        parts.name = parts.name or name
        if isinstance(arguments, str):
            text = mended_text(arguments) if not parts.whole else ""
        elif arguments is None or parts.arguments:
            text = ""
        else:
            text, parts.whole = mended_text(json.dumps(arguments, ensure_ascii=False)), True
        if text:
            parts.arguments.append(text)
        return ToolCallDelta(parts.index, name, text)

    def _parts(self, index: object, id_: str, name: str) -> _Parts:
        """What this part belongs to."""
        if isinstance(index, int) and not isinstance(index, bool):
            parts = self._open.get(index)
        elif id_:
            parts = next((parts for parts in reversed(self._calls) if parts.id == id_), None)
            index = len(self._calls)
        else:
            parts = self._calls[-1] if self._calls else None
            index = len(self._calls)
        if parts is not None and not _begins_another(parts, id_, name):
            return parts
        parts = _Parts(index)
        self._calls.append(parts)
        self._open[index] = parts
        return parts


def _begins_another(parts: _Parts, id_: str, name: str) -> bool:
    if id_ and parts.id:
        return id_ != parts.id
    return bool(name and parts.name and parts.complete())


def _word(value: object) -> str:
    """An id or name as text; "" for what says none, as "null" does."""
    return mended_text(value) if isinstance(value, str) and value != "null" else ""
