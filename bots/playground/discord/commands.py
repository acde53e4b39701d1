"""The slash commands that the bot registered: Discord's checks on them, and what a person's call of one becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bots.playground.discord.records import Json
from bots.playground.discord.refusals import Refused, bad_length, invalid, too_long, unknown_command

COMMANDS_MAX: Final = 100
CREATES_A_DAY: Final = 200
OPTIONS_MAX: Final = 25
CHARACTERS_MAX: Final = 8000
STRING_MAX: Final = 6000
_NAME: Final = re.compile(r"[-_'\w]{1,32}")
SUBCOMMAND, GROUP, STRING, INTEGER, BOOLEAN, NUMBER, ATTACHMENT = 1, 2, 3, 4, 5, 10, 11
CHAT_INPUT: Final = 1
MESSAGE_MENU: Final = 3


class PersonCannot(ValueError):
    """The Discord app would not let a person do that; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Called:
    """A registered command and the (sub)command in it that a person's words name. `path`: names below the command."""

    command: Json
    path: tuple[Json, ...]

    @property
    def options(self) -> list[Json]:
        return (self.path[-1] if self.path else self.command).get("options") or []

    def data(self, values: list[Json], resolved: Json) -> Json:
        """The interaction's `data`: the values, wrapped in their subcommand and its group."""
        for level in reversed(self.path):
            values = [{"name": level["name"], "type": level["type"], "options": values}]
        data: Json = {"id": self.command["id"], "name": self.command["name"], "type": CHAT_INPUT, "options": values}
        if self.command.get("guild_id") is not None:
            data["guild_id"] = self.command["guild_id"]
        return {**data, "resolved": resolved} if resolved else data


class Commands:
    """Commands by scope: "" is global, else a guild's id. `creates`: how many new ones today's limit has counted."""

    def __init__(self) -> None:
        self.creates = 0
        self._scopes: dict[str, dict[str, Json]] = {}

    def of(self, scope: str) -> list[Json]:
        return list(self._scopes.get(scope, {}).values())

    def all(self) -> list[Json]:
        return [command for scope in self._scopes for command in self.of(scope)]

    def get(self, scope: str, id_: str) -> Json:
        found = self._scopes.get(scope, {}).get(id_)
        if found is None:
            raise unknown_command()
        return found

    def replace(self, scope: str, bodies: list[Json], ids: Iterator[str], application: str) -> list[Json]:
        """PUT: these and no others. Commands of the same name keep their ids."""
        if len(bodies) > COMMANDS_MAX:
            raise Refused(400, 30032, f"Maximum number of application commands reached ({COMMANDS_MAX})")
        for number, body in enumerate(bodies):
            check(body, str(number))
        old = {(one["name"], one["type"]): one for one in self.of(scope)}
        rows = [self._row(scope, body, old, ids, application) for body in bodies]
        self._scopes[scope] = {row["id"]: row for row in rows}
        return rows

    def put(self, scope: str, body: Json, ids: Iterator[str], application: str) -> Json:
        """POST: a new one, or the one of that name anew."""
        check(body, "")
        old = {(one["name"], one["type"]): one for one in self.of(scope)}
        row = self._row(scope, body, old, ids, application)
        self._scopes.setdefault(scope, {})[row["id"]] = row
        return row

    def delete(self, scope: str, id_: str) -> None:
        self.get(scope, id_)
        del self._scopes[scope][id_]

    def _row(
        self, scope: str, body: Json, old: Mapping[tuple[str, int], Json], ids: Iterator[str], application: str
    ) -> Json:
        before = old.get((body["name"], body.get("type", CHAT_INPUT)))
        if before is None:
            self.creates += 1
            if self.creates > CREATES_A_DAY:
                raise Refused(400, 30034, "Max number of daily application command creates has been reached (200)")
        row = {
            "type": CHAT_INPUT,
            "description": "",
            "options": [],
            "default_member_permissions": None,
            "dm_permission": True,
            "nsfw": False,
            **body,
            "id": next(ids) if before is None else before["id"],
            "application_id": application,
        }
        if row["default_member_permissions"] is not None:
            row["default_member_permissions"] = str(row["default_member_permissions"])
        unchanged = before is not None and all(before.get(name) == value for name, value in row.items())
        version = before["version"] if before is not None and unchanged else next(ids)
        return {**row, "version": version, **({"guild_id": scope} if scope else {})}

    def menu(self, name: str) -> Json:
        """The entry of that name in every message's menu. Raises PersonCannot where there is none."""
        command = next((one for one in self.all() if one["name"] == name and one["type"] == MESSAGE_MENU), None)
        if command is None:
            raise PersonCannot(f"No message has “{name}” in its menu.")
        return command

    def find(self, words: str) -> Called:
        """The command that "bise usage" or "ask" names. Raises PersonCannot where there is none."""
        first, *rest = words.removeprefix("/").split()
        command = next((one for one in self.all() if one["name"] == first and one["type"] == CHAT_INPUT), None)
        if command is None:
            raise PersonCannot(f"There is no command /{first}.")
        level, path = command, []
        for name in rest:
            found = next(
                (one for one in level.get("options") or [] if one["name"] == name and one["type"] <= GROUP), None
            )
            if found is None:
                raise PersonCannot(f"/{first} has no subcommand {name}.")
            path.append(found)
            level = found
        if any(one["type"] in (SUBCOMMAND, GROUP) for one in level.get("options") or []):
            raise PersonCannot(f"/{' '.join((first, *rest))} needs a subcommand.")
        return Called(command, tuple(path))


def check(body: Json, place: str) -> None:
    """Raises Refused for a command that Discord would not register."""
    prefix = f"{place}." if place else ""
    _check_name(body, prefix)
    if body.get("type", CHAT_INPUT) == CHAT_INPUT:
        _check_level(body, prefix)
    if _characters(body) > CHARACTERS_MAX:
        raise invalid(f"{prefix}options", "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")


def _check_name(body: Json, prefix: str) -> None:
    name = body.get("name")
    chat = body.get("type", CHAT_INPUT) == CHAT_INPUT
    if not isinstance(name, str) or (chat and (not _NAME.fullmatch(name) or name != name.lower())):
        raise invalid(f"{prefix}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")


def _check_level(level: Json, prefix: str) -> None:
    if not 1 <= len(level.get("description") or "") <= 100:
        raise bad_length(f"{prefix}description", 1, 100)
    options = level.get("options") or []
    if len(options) > OPTIONS_MAX:
        raise too_long(f"{prefix}options", OPTIONS_MAX)
    optional = False
    for number, option in enumerate(options):
        inner = f"{prefix}options.{number}."
        _check_name({**option, "type": CHAT_INPUT}, inner)
        _check_level(option, inner)
        if option.get("required") and optional:
            words = "Required options must be placed before non-required options"
            raise invalid(f"{prefix}options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", words)
        optional = optional or not option.get("required")
        if len(option.get("choices") or []) > 25:
            raise too_long(f"{inner}choices", 25)


def _characters(level: Json) -> int:
    own = len(level.get("name", "")) + len(level.get("description") or "")
    choices = sum(len(one["name"]) + len(str(one["value"])) for one in level.get("choices") or [])
    return own + choices + sum(_characters(option) for option in level.get("options") or [])


def check_value(option: Json, value: Any) -> None:
    """Raises PersonCannot for a value that the Discord app would not send for that option."""
    name, kind = option["name"], option["type"]
    fits: dict[int, type | tuple[type, ...]] = {STRING: str, INTEGER: int, BOOLEAN: bool, NUMBER: (int, float)}
    if not isinstance(value, fits.get(kind, str)) or (isinstance(value, bool) and kind != BOOLEAN):
        raise PersonCannot(f"“{name}” does not take such a value.")
    choices = option.get("choices") or []
    if choices and value not in [one["value"] for one in choices]:
        raise PersonCannot(f"“{name}” must be one of {', '.join(one['name'] for one in choices)}.")
    size = len(value) if isinstance(value, str) else value
    suffix = "length" if isinstance(value, str) else "value"
    most = option.get(f"max_{suffix}", STRING_MAX if kind == STRING else None)
    least = option.get(f"min_{suffix}")
    if (most is not None and size > most) or (least is not None and size < least):
        raise PersonCannot(f"“{name}” is too long or too short, or out of its range.")
