"""Slack's own JSON: messages, files, people and channels as its API and its events write them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from bots.playground.slack.posts import SlackPost, StoredFile
from bots.playground.slack.records import Json
from bots.playground.slack.world import Channel, Person, World

_KEPT = re.compile(r"(<@[UW][A-Z0-9]+>|<#C[A-Z0-9]+(?:\|[^<>|]*)?>)")


def escape(text: str) -> str:
    """What a person typed as Slack passes it on: `&`, `<` and `>` escaped, mentions of people and channels kept."""
    return "".join(
        part if place % 2 else part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for place, part in enumerate(_KEPT.split(text))
    )


def message(post: SlackPost, world: World) -> Json:
    """A message as in an event, in `conversations.history` and in a `block_actions` payload."""
    body: Json = {"type": "message", "user": post.user, "ts": post.ts, "text": post.text, "team": world.team_id}
    if post.bot_id is None:
        body["client_msg_id"] = post.client_msg_id
        body["team"] = body["user_team"] = body["source_team"] = world.team_of(post.user)
        body["blocks"] = [_rich_text(post)] if post.text else []
    else:
        body |= {"bot_id": post.bot_id, "app_id": _app_of(post.bot_id, world), "bot_profile": bot(post.bot_id, world)}
        markdown = [{"type": "markdown", "block_id": "m0", "text": post.text}] if post.markdown and post.text else []
        body["blocks"] = [*markdown, *post.blocks]
    if post.thread_ts:
        body["thread_ts"] = post.thread_ts
    if post.edited:
        body["edited"] = {"user": post.user, "ts": post.edited}
    if post.files:
        body |= {"files": [file(stored, world) for stored in post.files], "upload": False, "display_as_bot": False}
    if post.streaming:
        body["streaming_state"] = "in_progress"
    return body


def file(stored: StoredFile, world: World) -> Json:
    name = quote(stored.name, safe="")
    url = f"{world.address}/files/{stored.id}/{name}"
    return {
        "id": stored.id,
        "created": int(stored.created),
        "timestamp": int(stored.created),
        "name": stored.name,
        "title": stored.name,
        "mimetype": stored.mime,
        "filetype": stored.name.rpartition(".")[2].lower(),
        "pretty_type": stored.mime,
        "user": stored.user,
        "user_team": world.team_of(stored.user),
        "size": len(stored.data),
        "mode": "hosted",
        "is_external": False,
        "is_public": True,
        "url_private": url,
        "url_private_download": f"{url}?download=1",
        "permalink": f"{world.address}/preview/{stored.id}/{name}",
        "file_access": "visible",
    }


def person(who: Person, world: World) -> Json:
    stranger = who.team != world.team_id
    return {
        "id": who.id,
        "team_id": who.team,
        "name": who.name.lower(),
        "real_name": who.name,
        "deleted": False,
        "tz": "Etc/UTC",
        "tz_label": "Coordinated Universal Time",
        "tz_offset": 0,
        "profile": {"display_name": who.name, "real_name": who.name, "team": who.team},
        "is_admin": who.admin,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": who.guest,
        "is_ultra_restricted": False,
        "is_stranger": stranger,
        "is_bot": who.bot,
        "is_app_user": False,
    }


def bot(bot_id: str, world: World) -> Json:
    name = world.bots[bot_id].name if bot_id in world.bots else world.bot_name
    return {
        "id": bot_id,
        "deleted": False,
        "name": name,
        "app_id": _app_of(bot_id, world),
        "user_id": world.bots[bot_id].id if bot_id in world.bots else world.bot_user_id,
        "team_id": world.team_id,
        "icons": {},
    }


def channel(place: Channel, world: World, *, member: bool, archived: bool) -> Json:
    strangers = any(world.team_of(user) != world.team_id for user in place.members)
    body: Json = {
        "id": place.id,
        "created": 0,
        "is_archived": archived,
        "is_channel": place.kind == "channel",
        "is_group": place.kind == "private",
        "is_im": place.kind == "dm",
        "is_mpim": False,
        "is_private": place.kind != "channel",
        "is_ext_shared": place.kind != "dm" and strangers,
        "context_team_id": world.team_id,
    }
    if place.kind == "dm":
        return body | {"user": place.person, "is_user_deleted": False}
    return body | {"name": place.name, "name_normalized": place.name, "is_member": member, "is_general": False}


def _app_of(bot_id: str, world: World) -> str:
    return world.app_id if bot_id == world.bot_id else f"A{bot_id[1:]}"


def _rich_text(post: SlackPost) -> Json:
    elements: list[Json] = []
    for place, part in enumerate(re.split(r"<@([UW][A-Z0-9]+)>", post.text)):
        if place % 2:
            elements.append({"type": "user", "user_id": part})
        elif part:
            elements.append({"type": "text", "text": part})
    section: Json = {"type": "rich_text_section", "elements": elements}
    return {"type": "rich_text", "block_id": f"r{post.ts[-3:]}", "elements": [section]}


def mentions(text: str, user: str) -> bool:
    return f"<@{user}>" in text


def event_callback(event: Json, world: World, *, event_id: str, at: float, external: bool) -> Json:
    """The envelope that Slack puts around every event."""
    authorization: dict[str, Any] = {
        "enterprise_id": None,
        "team_id": world.team_id,
        "user_id": world.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": "deprecated",
        "team_id": world.team_id,
        "context_team_id": world.team_id,
        "context_enterprise_id": None,
        "api_app_id": world.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(at),
        "authorizations": [authorization],
        "is_ext_shared_channel": external,
        "event_context": f"4-{event_id}",
    }
