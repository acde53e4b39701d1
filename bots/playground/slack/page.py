"""The JSON that the playground's page reads: one snapshot, then changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from bots.playground.slack import blocks as block_kit
from bots.playground.slack.blocks import Block
from bots.playground.slack.posts import SlackPost, StoredFile
from bots.playground.slack.records import Json
from bots.playground.slack.world import World

_BOLD = re.compile(r"(?<![\w*`])\*([^*\n`]+)\*(?![\w*`])")


def snapshot(world: World, posts: Iterable[SlackPost], statuses: Mapping[tuple[str, str], str]) -> Json:
    return {
        "workspace": {"id": world.team_id, "name": world.team_name},
        "bot": {"id": world.bot_user_id, "name": world.bot_name},
        "people": [{"id": person.id, "name": person.name} for person in world.people.values() if not person.bot],
        "channels": [
            {
                "id": channel.id,
                "name": channel.name,
                "kind": "dm" if channel.kind == "dm" else "channel",
                "parent": None,
                "with": channel.person,
            }
            for channel in world.channels.values()
        ],
        "messages": [message(post, world) for post in posts],
        "statuses": [
            {"channel": channel, "thread": thread, "text": text} for (channel, thread), text in statuses.items()
        ],
        "commands": [
            {"name": command.name, "description": command.description, "usage": command.usage}
            for command in world.commands
        ],
    }


def message(post: SlackPost, world: World) -> Json:
    """One message for the page; texts unescaped, mentions left as `<@U…>`."""
    person = world.people.get(post.user) or world.bots.get(post.bot_id or "")
    return {
        "id": post.ts,
        "channel": post.channel,
        "thread": post.thread_ts,
        "author": {
            "id": post.user,
            "name": person.name if person else "Slackbot",
            "bot": post.bot_id is not None or person is None,
        },
        "text": _unescaped(_markdown(post)),
        "at": post.at,
        "edited": post.edited is not None,
        "streaming": post.streaming,
        "files": [{"name": file.name, "url": preview_path(file, world), "mime": file.mime} for file in post.files],
        "buttons": [
            {"id": button.action_id, "value": button.value, "label": button.label, "style": button.style}
            for button in post.buttons
        ],
        "notes": [_unescaped(note) for note in post.notes],
        "reply_to": None,
        "only_for": post.only_for,
        "via": {"user": post.via.user, "command": post.via.command} if post.via else None,
    }


def _markdown(post: SlackPost) -> str:
    """The words a person reads, as the page writes them: Slack's `*bold*` of a section is Markdown's `**bold**`."""
    if post.markdown or not any(block.get("type") in ("header", "section") for block in post.blocks):
        return post.shown
    return "\n".join(filter(None, (_block(block) for block in post.blocks)))


def _block(block: Block) -> str:
    words = block_kit.words([block])
    match block.get("type"):
        case "header":
            return f"### {words}"
        case "section":
            return _BOLD.sub(r"**\1**", words)
        case _:
            return words


def preview_path(file: StoredFile, world: World) -> str:
    """Where the page sees the file without a token, from the server's root."""
    return f"{world.prefix}/preview/{file.id}/{quote(file.name, safe='')}"


def _unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
