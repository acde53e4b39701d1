"""The JSON that the playground's page reads: one snapshot, then changes (`bots/playground/world.py` has the shape)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote

from bots.playground.discord.records import Channel, Json, Message
from bots.playground.discord.world import World

STYLES: Final = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "premium"}
OPTION_TYPES: Final = {
    3: "string",
    4: "integer",
    5: "boolean",
    6: "user",
    7: "channel",
    8: "role",
    9: "mentionable",
    10: "number",
    11: "attachment",
}
_SUBCOMMANDS: Final = (1, 2)


def snapshot(world: World, prefix: str, commands: Iterable[Json], typing: Iterable[str]) -> Json:
    return {
        "workspace": {"id": world.guild_id, "name": world.guild_name},
        "bot": {"id": world.bot_id, "name": world.bot_name},
        "people": [{"id": one.id, "name": one.name} for one in world.people.values() if not one.bot],
        "channels": [channel(one) for one in world.channels.values()],
        "messages": [message(one, world, prefix) for one in world.messages.values()],
        "statuses": [status(world, one, typing=True) for one in typing],
        "commands": [flat for command in commands if command["type"] == 1 for flat in flattened(command)],
    }


def channel(row: Channel) -> Json:
    kind = "channel" if row.kind == "text" else row.kind
    shown: Json = {"id": row.id, "name": row.name, "kind": kind, "parent": row.parent}
    return {**shown, "with": row.recipient} if row.kind == "dm" else shown


def status(world: World, channel_id: str, *, typing: bool) -> Json:
    text = f"{world.bot_name} is typing…" if typing else ""
    return {"channel": channel_id, "thread": None, "text": text}


def message(row: Message, world: World, prefix: str) -> Json:
    author = world.people[row.author]
    via = row.interaction
    return {
        "id": row.id,
        "channel": row.channel,
        "thread": None,
        "author": {"id": author.id, "name": author.name, "bot": author.bot},
        "text": row.content,
        "at": row.created_at,
        "edited": row.edited_at is not None,
        "streaming": False,
        "thinking": row.thinking,
        "files": [
            {"name": one.name, "url": f"{prefix}/cdn/{path(one.channel, one.id, one.name)}?hm={one.signature}"}
            | {"mime": one.mime}
            for one in row.attachments
        ],
        "buttons": list(buttons(row.components)),
        "notes": [text for embed in row.embeds if (text := words(embed))],
        "reply_to": row.reply_to,
        "only_for": row.only_for,
        "via": {"user": via.user, "command": f"/{via.name}"} if via is not None and via.type == 2 else None,
    }


def path(channel_id: str, attachment: str, name: str) -> str:
    return f"attachments/{channel_id}/{attachment}/{quote(name)}"


def buttons(rows: Iterable[Json]) -> Iterator[Json]:
    """Every button, in reading order."""
    for row in rows:
        for one in row.get("components") or []:
            if one.get("type") == 2:
                yield {
                    "id": one.get("custom_id") or one.get("url"),
                    "value": None,
                    "label": one.get("label") or (one.get("emoji") or {}).get("name") or "",
                    "style": STYLES.get(one.get("style", 2), "secondary"),
                    "disabled": bool(one.get("disabled")),
                }


def words(embed: Json) -> str:
    parts = [embed.get("title"), embed.get("description")]
    parts += [f"{field.get('name')}: {field.get('value')}" for field in embed.get("fields") or []]
    parts.append((embed.get("footer") or {}).get("text"))
    return "\n".join(part for part in parts if part)


def flattened(command: Json, before: str = "/") -> Iterator[Json]:
    """A slash command, or each of its subcommands as "/name subcommand"."""
    name = before + command["name"]
    options = command.get("options") or []
    if any(option["type"] in _SUBCOMMANDS for option in options):
        for option in options:
            yield from flattened(option, f"{name} ")
        return
    yield {
        "name": name,
        "description": command.get("description", ""),
        "options": [
            {
                "name": option["name"],
                "description": option["description"],
                "type": OPTION_TYPES.get(option["type"], "string"),
                "required": bool(option.get("required")),
                "choices": [{"name": one["name"], "value": one["value"]} for one in option.get("choices") or []],
            }
            for option in options
        ],
    }
