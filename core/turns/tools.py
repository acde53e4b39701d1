"""Functions that a model may call: what it is told of them, and what it is answered. No fault of a call is raised."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import from_json, to_json

from core.chat import ChatMessage, Tool, ToolCall
from core.clock import SystemClock
from core.ports import Clock

_log = structlog.get_logger()
PATIENCE = 10.0  # seconds for one call
LONGEST_ARGUMENTS = 64 * 1024  # bytes
LONGEST_RESULT = 8000  # characters
CALLS_AT_ONCE = 16
_CUT = f"\n[cut: only the first {LONGEST_RESULT:,} characters are shown]"
_FIELDS_NAMED = 10
_NAME_LENGTH = 64

_Outcome = Literal["ok", "unknown", "invalid", "raised", "timeout", "too_many"]


class _Untitled(GenerateJsonSchema):
    """A title repeats the name: the model would read, and we would pay for, each twice."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


class _Refused(Exception):
    """A call that is answered with a sentence instead of a result."""

    def __init__(self, outcome: _Outcome, sentence: str, why: str | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome
        self.why = why


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """An async function that a model may call. `patience`: seconds that one call may take."""

    tool: Tool
    patience: float
    _adapter: TypeAdapter[Any]

    @classmethod
    def of(cls, function: Callable[..., Awaitable[object]], *, patience: float = PATIENCE) -> ToolFunction:
        """Named by the function, described by its docstring, its parameters by its signature.

        It gives text, or what JSON can show. Raises ValueError where it is not async, has no docstring, takes
        arguments that have no names, or takes types that JSON schema can only say by reference.
        """
        name = getattr(function, "__name__", "?")
        if not inspect.iscoroutinefunction(function):
            raise ValueError(f"The tool {name} is not an async function.")
        if not (description := inspect.getdoc(function)):
            raise ValueError(f"The tool {name} has no docstring, so no model could know what it is for.")
        kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
        if not kinds <= {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}:
            raise ValueError(f"The tool {name} takes arguments without names.")
        adapter: TypeAdapter[Any] = TypeAdapter(function)  # type: ignore[arg-type]  # a function is a type to pydantic
        parameters = adapter.json_schema(schema_generator=_Untitled)
        if "$defs" in parameters:
            raise ValueError(f"The tool {name} takes types that need $defs: give it plain types.")
        return cls(Tool(name, " ".join(description.split()), parameters), patience, adapter)

    async def call(self, arguments: str) -> str:
        """The result as text. Raises _Refused for every fault, CancelledError."""
        given = _object(arguments)
        limit = asyncio.timeout(self.patience)
        try:
            work = self._fitting(given)
            async with limit:
                result = await work
            return result if isinstance(result, str) else to_json(result).decode()
        except _Refused:
            raise
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                sentence = f"The tool took longer than {self.patience:g} seconds and was stopped."
                raise _Refused("timeout", sentence) from error
            name = type(error).__name__  # its message may hold people's words, or secrets
            raise _Refused("raised", f"The tool failed: {name}.", name) from error

    def _fitting(self, given: dict[str, Any]) -> Awaitable[object]:
        """The call, not begun yet, with arguments that fit. Raises _Refused."""
        try:
            work: Awaitable[object] = self._adapter.validate_python(given)
        except ValidationError as error:
            raise _Refused("invalid", _complaints(error)) from error
        return work


class Toolbox:
    """The tools of one turn. What is offered never changes, so that the prompt's beginning stays the same."""

    def __init__(self, functions: Iterable[ToolFunction], *, clock: Clock | None = None) -> None:
        """Raises ValueError where two tools have the same name."""
        every = tuple(functions)
        self._functions: Mapping[str, ToolFunction] = {function.tool.name: function for function in every}
        if len(self._functions) < len(every):
            raise ValueError("Two tools have the same name.")
        self._offered = tuple(function.tool for function in every)
        self._clock = clock or SystemClock()

    @property
    def offered(self) -> tuple[Tool, ...]:
        """What a request tells the model, in the order in which they were given."""
        return self._offered

    async def call_all(self, calls: tuple[ToolCall, ...]) -> tuple[ChatMessage, ...]:
        """Runs the calls side by side; one tool message each, in their order. Raises nothing but CancelledError.

        A fault is a message with the JSON {"error": …}.
        """
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(self._answer(call, place)) for place, call in enumerate(calls)]
        # A tool can only have been cancelled by itself here: a cancellation from outside has left the group already.
        return tuple(
            _message(call, _error("The tool was stopped.") if task.cancelled() else task.result())
            for call, task in zip(calls, running, strict=True)
        )

    async def _answer(self, call: ToolCall, place: int) -> str:
        began = self._clock.monotonic()
        function = self._functions.get(call.name)
        outcome: str = "cancelled"
        why = None
        try:
            if place >= CALLS_AT_ONCE:
                raise _Refused("too_many", f"Only {CALLS_AT_ONCE} tools can be called at once: call this one again.")
            if function is None:
                known = ", ".join(self._functions) or "none"
                raise _Refused("unknown", f"There is no tool {call.name[:_NAME_LENGTH]}. There are: {known}.")
            content = await function.call(call.arguments)
            outcome = "ok"
        except _Refused as refused:
            outcome, why, content = refused.outcome, refused.why, _error(str(refused))
        finally:
            milliseconds = int((self._clock.monotonic() - began) * 1000)
            name = call.name if function is not None else "unknown"  # a name that we do not know is the model's words
            _log.info("tool.call", name=name, outcome=outcome, why=why, ms=milliseconds)
        content = content.encode("utf-8", "replace").decode()  # half a surrogate pair could not be sent
        return content if len(content) <= LONGEST_RESULT else content[:LONGEST_RESULT] + _CUT


def written(tools: Iterable[Tool]) -> int:
    """UTF-8 bytes of what a request says of these tools, about as the model is shown them."""
    return sum(
        len(to_json({"name": tool.name, "description": tool.description, "parameters": tool.parameters}))
        for tool in tools
    )


def _object(arguments: str) -> dict[str, Any]:
    """The arguments that a model wrote; none at all where it wrote nothing."""
    try:
        size = len(arguments.encode())
    except UnicodeEncodeError as error:  # half a surrogate pair, which the reader of JSON does not take for text
        raise _Refused("invalid", "The arguments are not JSON.") from error
    if size > LONGEST_ARGUMENTS:
        raise _Refused("invalid", f"The arguments are too large: {LONGEST_ARGUMENTS // 1024} KB are the most.")
    if not arguments.strip():
        return {}
    try:
        given = from_json(arguments)
    except ValueError as error:
        raise _Refused("invalid", "The arguments are not JSON.") from error
    if not isinstance(given, dict):
        raise _Refused("invalid", "The arguments must be a JSON object.")
    return given


def _complaints(error: ValidationError) -> str:
    """One short line for each field that does not fit."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(str(part) for part in one['loc'])[:_NAME_LENGTH]}: {one['msg'][:200]}" for one in found]
    more = [f"and {len(lines) - _FIELDS_NAMED} more"] if len(lines) > _FIELDS_NAMED else []
    return "\n".join([*lines[:_FIELDS_NAMED], *more])


def _error(sentence: str) -> str:
    return json.dumps({"error": sentence}, ensure_ascii=False)


def _message(call: ToolCall, content: str) -> ChatMessage:
    return ChatMessage("tool", content, tool_call_id=call.id, name=call.name)
