"""The shapes that Mistral's API refuses with a 422: tools, tool calls, formats, parts. Facts: its own description."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Location = tuple[str | int, ...]
MOST_TOOLS = 128
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
_CHOICES = ("auto", "none", "any", "required")
_FORMATS = ("text", "json_object", "json_schema")
_PART_FIELDS = {
    "text": frozenset({"type", "text"}),
    "image_url": frozenset({"type", "image_url"}),
    "document_url": frozenset({"type", "document_url", "document_name"}),
    "input_audio": frozenset({"type", "input_audio"}),
    "thinking": frozenset({"type", "thinking", "closed", "signature"}),
}
_STRING = "Input should be a valid string"
_OBJECT = "Input should be a valid dictionary"


@dataclass(frozen=True, slots=True)
class Misfit:
    """A field that does not fit: one entry of a 422's `detail`."""

    where: Location
    kind: str
    message: str

    def detail(self) -> dict[str, object]:
        return {"type": self.kind, "loc": ["body", *self.where], "msg": self.message}


def unknown(fields: dict[str, Any], known: frozenset[str], where: Location) -> Iterator[Misfit]:
    """A misfit for each field that is not known."""
    for name in fields.keys() - known:
        yield Misfit((*where, name), "extra_forbidden", "Extra inputs are not permitted")


def parameters(body: dict[str, Any], openai: bool) -> Iterator[Misfit]:
    """What does not fit of the fields that are more than a number."""
    yield from _tools(body.get("tools"))
    yield from _tool_choice(body.get("tool_choice"), openai)
    yield from _response_format(body.get("response_format"))
    stop = body.get("stop")
    if stop is not None and not isinstance(stop, str) and not _strings(stop):
        yield Misfit(("stop",), "string_type", _STRING)
    effort = body.get("reasoning_effort")
    if effort is not None and effort not in _EFFORTS:
        yield Misfit(("reasoning_effort",), "enum", f"Input should be {', '.join(_EFFORTS)}")
    key = body.get("prompt_cache_key")
    if key is not None and not isinstance(key, str):
        yield Misfit(("prompt_cache_key",), "string_type", _STRING)
    if (prediction := body.get("prediction")) is not None:
        if not isinstance(prediction, dict):
            yield Misfit(("prediction",), "model_attributes_type", _OBJECT)
        else:
            yield from unknown(prediction, frozenset({"type", "content"}), ("prediction",))


def _tools(tools: Any) -> Iterator[Misfit]:
    if tools is None:
        return
    if not isinstance(tools, list):
        yield Misfit(("tools",), "list_type", "Input should be a valid list")
        return
    if len(tools) > MOST_TOOLS:
        yield Misfit(("tools",), "too_long", f"List should have at most {MOST_TOOLS} items")
    for position, tool in enumerate(tools):
        where: Location = ("tools", position)
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict):
            yield Misfit((*where, "function"), "missing", "Field required")
            continue
        yield from unknown(tool, frozenset({"type", "function"}), where)
        if tool.get("type", "function") != "function":
            yield Misfit((*where, "type"), "enum", "Input should be 'function'")
        known = frozenset({"name", "description", "strict", "parameters"})
        yield from unknown(function, known, (*where, "function"))
        if not isinstance(function.get("name"), str):
            yield Misfit((*where, "function", "name"), "string_type", _STRING)
        if not isinstance(function.get("parameters"), dict):
            yield Misfit((*where, "function", "parameters"), "dict_type", _OBJECT)


def _tool_choice(choice: Any, openai: bool) -> Iterator[Misfit]:
    # OpenAI's own servers know no "any".
    allowed = tuple(word for word in _CHOICES if not (openai and word == "any"))
    if choice is None or (isinstance(choice, str) and choice in allowed):
        return
    function = choice.get("function") if isinstance(choice, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        yield Misfit(("tool_choice",), "enum", f"Input should be {', '.join(allowed)} or a function")


def _response_format(wanted: Any) -> Iterator[Misfit]:
    where: Location = ("response_format",)
    if wanted is None:
        return
    kind = wanted.get("type", "text") if isinstance(wanted, dict) else None
    if kind not in _FORMATS:
        yield Misfit((*where, "type"), "enum", f"Input should be {', '.join(_FORMATS)}")
        return
    yield from unknown(wanted, frozenset({"type", "json_schema"}), where)
    schema = wanted.get("json_schema")
    if kind == "json_schema" and not isinstance(schema, dict):
        yield Misfit((*where, "json_schema"), "missing", "Field required")
    elif isinstance(schema, dict):
        where = (*where, "json_schema")
        yield from unknown(schema, frozenset({"name", "description", "schema", "strict"}), where)
        if not isinstance(schema.get("name"), str):
            yield Misfit((*where, "name"), "string_type", _STRING)
        if not isinstance(schema.get("schema"), dict):
            yield Misfit((*where, "schema"), "dict_type", _OBJECT)


def tool_calls(calls: Any, where: Location) -> Iterator[Misfit]:
    """What does not fit of an assistant message's calls."""
    if calls is None:
        return
    if not isinstance(calls, list):
        yield Misfit(where, "list_type", "Input should be a valid list")
        return
    for position, call in enumerate(calls):
        at = (*where, position)
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            yield Misfit((*at, "function"), "missing", "Field required")
            continue
        yield from unknown(call, frozenset({"id", "type", "function", "index"}), at)
        yield from unknown(function, frozenset({"name", "arguments"}), (*at, "function"))
        if not isinstance(function.get("name"), str):
            yield Misfit((*at, "function", "name"), "string_type", _STRING)
        if not isinstance(function.get("arguments"), str | dict):
            yield Misfit((*at, "function", "arguments"), "string_type", _STRING)


def part(content: Any, where: Location, *, role: str = "user", openai: bool = False) -> Iterator[Misfit]:
    """What does not fit of one content part; a system message takes text and thinking alone."""
    kind = content.get("type") if isinstance(content, dict) else None
    hidden = (openai and kind in ("document_url", "thinking")) or (
        role == "system" and kind not in ("text", "thinking")
    )
    if not isinstance(kind, str) or kind not in _PART_FIELDS or hidden:
        yield Misfit((*where, "type"), "union_tag_invalid", "Input should be a known kind of content")
        return
    yield from unknown(content, _PART_FIELDS[kind], where)
    if kind in ("text", "document_url", "input_audio") and not isinstance(content.get(kind), str):
        yield Misfit((*where, kind), "string_type", _STRING)
    name = content.get("document_name")
    if name is not None and not isinstance(name, str):
        yield Misfit((*where, "document_name"), "string_type", _STRING)
    if kind == "image_url" and image_uri(content) is None:
        yield Misfit((*where, "image_url"), "string_type", _STRING)
    if kind == "thinking":
        thoughts = content.get("thinking")
        if not isinstance(thoughts, list):
            yield Misfit((*where, "thinking"), "list_type", "Input should be a valid list")
        else:
            for position, thought in enumerate(thoughts):
                if not isinstance(thought, dict) or thought.get("type") not in ("text", "reference", "tool_reference"):
                    yield Misfit((*where, "thinking", position), "union_tag_invalid", "Input should be a known kind")


def image_uri(content: dict[str, Any]) -> str | None:
    """The address in an image part, which is a string or an object with `url`."""
    image = content.get("image_url")
    uri = image.get("url") if isinstance(image, dict) and not image.keys() - {"url", "detail"} else image
    return uri if isinstance(uri, str) else None


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
