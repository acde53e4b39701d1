"""Assistants: what the model is told, which tier answers, how freely, how long, with which tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import operator_file
from core.errors import SettingsError

BUILT_IN = Path(__file__).with_name("assistants.toml")
DEFAULT = "default"
EXAMPLE = (  # a whole file in one line, to be pasted
    'assistant = [{ name = "lawyer", description = "Explains contracts", '
    'prompt = "You explain contracts.", tier = "best" }]'
)
Tier = Literal["best", "balanced", "economy", "vision"]
ToolName = Literal["current_time", "calculate", "recent_messages"]
TOOLS: tuple[str, ...] = get_args(ToolName)
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Assistant:
    """A preset. `temperature` None: the model's own. `max_tokens` None: BISE_MAX_TOKENS. `tools`: names, of TOOLS."""

    name: str
    description: str
    prompt: str
    tier: Tier = "balanced"
    temperature: float | None = None
    max_tokens: int | None = None
    tools: tuple[str, ...] = ()


class _Row(BaseModel):
    """One [[assistant]], as written."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    description: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\n\r]+$")]
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)]
    tier: Tier = "balanced"
    temperature: Annotated[float, Field(ge=0, le=1.5, strict=True)] | None = None
    max_tokens: Annotated[int, Field(ge=1, strict=True)] | None = None
    tools: tuple[ToolName, ...] = ()


_MUST_BE = {
    "name": "up to 32 of a-z, 0-9 and -",
    "description": "one line of 1 to 80 characters",
    "prompt": "text of 1 to 20,000 characters",
    "tier": f"one of {', '.join(get_args(Tier))}",
    "temperature": "a number from 0 to 1.5",
    "max_tokens": "a whole number from 1 on",
    "tools": f"a list with any of {', '.join(TOOLS)}",
}


class Assistants(Mapping[str, Assistant]):
    """Assistants by name, in the order in which people are shown them: the built-in ones first."""

    def __init__(self, assistants: Mapping[str, Assistant]) -> None:
        self._by_name = dict(assistants)

    @classmethod
    def load(cls, path: Path | None = None, *, system_prompt: str | None = None) -> Assistants:
        """The built-in ones with the operator's file laid over them. Raises SettingsError, one line.

        `system_prompt`: BISE_SYSTEM_PROMPT, which replaces the default assistant's prompt, whoever wrote that.
        """
        rows = _read(BUILT_IN)
        if path is not None:
            try:
                for name, row in _read(path).items():
                    rows[name] = {**rows.get(name, {}), **row}
                assistants = {name: _assistant(name, row) for name, row in rows.items()}
            except ValueError as error:
                raise SettingsError(f"BISE_ASSISTANTS_FILE: {path}: {error}. Example of a file: {EXAMPLE}") from error
        else:
            assistants = {name: _assistant(name, row) for name, row in rows.items()}
        if system_prompt:
            assistants[DEFAULT] = replace(assistants[DEFAULT], prompt=system_prompt)
        return cls(assistants)

    def __getitem__(self, name: str) -> Assistant:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def or_default(self, name: str | None) -> Assistant:
        """The assistant of that name; the default one for None and for one that the operator has taken away."""
        return self._by_name.get(name or DEFAULT, self._by_name[DEFAULT])


def _read(path: Path) -> Rows:
    """The file's rows by name, as they stand. Raises ValueError."""
    document = operator_file.read(path)
    found = document.pop("assistant", [])
    if document or not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("assistants are written as [[assistant]], and nothing else is in the file")
    rows: Rows = {}
    for row in found:
        name = row.get("name")
        if not isinstance(name, str) or not name or name in rows:
            raise ValueError("each [[assistant]] has a name of its own")
        rows[name] = row
    return rows


def _assistant(name: str, row: Mapping[str, Any]) -> Assistant:
    """A checked row. Raises ValueError that says which row's which field is wrong."""
    try:
        return Assistant(**_Row.model_validate(row).model_dump())
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        field = str(fault["loc"][0]) if fault["loc"] else ""
        raise ValueError(f"the assistant {_named(name)}: {_plainly(field, fault)}") from error


def _named(name: str) -> str:
    """Whatever name somebody wrote, short and on one line."""
    return repr(name[:40])


def _plainly(field: str, fault: Any) -> str:
    """A row's fault without the validator's jargon."""
    if fault["type"] == "missing":
        return f"{field} is missing"
    if field not in _MUST_BE:
        return f"there is no field {_named(field)}; there are {', '.join(_MUST_BE)}"
    return f"{field} must be {_MUST_BE[field]}"
