"""Telling Discord our commands, only when they are others than it knows: creates are limited to 200 a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import discord
import structlog
from discord import app_commands

from bots.discord.errors import converted

# What of a command is ours to say; the rest (ids, versions, deprecated twins of these) is Discord's.
_COMMAND = (
    "name", "type", "description", "options", "default_member_permissions", "nsfw", "contexts", "integration_types",
    "name_localizations", "description_localizations",
)  # fmt: skip
_OPTION = (
    "name", "type", "description", "required", "options", "choices", "channel_types", "min_value", "max_value",
    "min_length", "max_length", "autocomplete", "name_localizations", "description_localizations",
)  # fmt: skip
_log = structlog.get_logger()


async def register(client: discord.Client, tree: app_commands.CommandTree[Any]) -> bool:
    """Makes Discord's commands those of `tree`; True if anything had to be told. Raises PlatformError."""
    ours = [command.to_dict(tree) for command in tree.get_commands()]
    application = cast("int", client.application_id)
    try:
        known = await client.http.get_global_commands(application)
        if normalised(known) == normalised(ours):
            return False
        await client.http.bulk_upsert_global_commands(application, payload=ours)
    except Exception as error:
        raise converted(error) from error
    _log.info("discord_commands_registered", commands=len(ours))
    return True


def normalised(commands: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Commands with what we say of them alone, absent and empty being the same, in a fixed order."""
    return sorted((_kept(command, _COMMAND) | {"type": command.get("type", 1)} for command in commands), key=_name)


def _kept(thing: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    kept: dict[str, Any] = {key: thing[key] for key in keys if thing.get(key)}
    if "default_member_permissions" in kept:  # we say a number, Discord says it back as text
        kept["default_member_permissions"] = str(kept["default_member_permissions"])
    if "options" in kept:  # options keep their order: people see it
        kept["options"] = [_kept(option, _OPTION) for option in kept["options"]]
    for key in ("contexts", "integration_types", "channel_types"):  # sets, in whatever order
        if key in kept:
            kept[key] = sorted(kept[key])
    return kept


def _name(command: Mapping[str, Any]) -> tuple[int, str]:
    return command["type"], command["name"]
