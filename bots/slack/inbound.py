"""Slack's payloads as messages of the core: pure functions, nothing is looked up here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.slack.api import Json
from bots.slack.markup import plain
from core.messages import Attachment, ConversationKind, IncomingMessage, Person, Press, WorkspaceKey

_ACCEPTED_SUBTYPES = (None, "file_share", "thread_broadcast", "me_message")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
_GROUP_MENTION = re.compile(r"<!(?:subteam\^|here|channel|everyone)")
MENTIONS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Bot:
    """Who the bot is in one workspace. `team`, `enterprise`: of the installation."""

    workspace: WorkspaceKey
    user: str
    bot_id: str
    team: str
    enterprise: str | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """What `users.info` said about a person. `team`, `enterprise`: the person's own."""

    name: str
    team: str
    enterprise: str | None = None
    guest: bool = False
    admin: bool = False


def is_for_bot(event: Json, bot: Bot) -> bool:
    """A message that a person wrote: not our own, another bot's, an edit, a deletion, or news of a channel."""
    return (
        event.get("type") in {"message", "app_mention"}
        and event.get("subtype") in _ACCEPTED_SUBTYPES
        and not event.get("bot_id")
        and not event.get("hidden")
        and event.get("user") not in {None, "", "USLACKBOT", bot.user}
        and bool(event.get("channel") and event.get("ts"))
    )


def is_direct(event: Json) -> bool:
    return event.get("channel_type") == "im" or str(event.get("channel", "")).startswith("D")


def is_mentioned(event: Json, bot: Bot) -> bool:
    return bot.user in _MENTION.findall(str(event.get("text") or ""))


def root_of(event: Json) -> str:
    """The thread's root, "C1:1700000000.000100"; a message outside of threads is its own."""
    return f"{event['channel']}:{event.get('thread_ts') or event['ts']}"


def people_in(event: Json, bot: Bot) -> tuple[str, ...]:
    """Who must be known by name: the author, then those whom the text mentions, a few of them."""
    return people_named(str(event["user"]), str(event.get("text") or ""), bot)


def people_named(author: str, text: str, bot: Bot) -> tuple[str, ...]:
    mentioned = [user for user in _MENTION.findall(text) if user != bot.user]
    return tuple(dict.fromkeys([author, *mentioned[:MENTIONS_NAMED]]))


def to_message(
    payload: Json, bot: Bot, profiles: Mapping[str, Profile], admins: frozenset[str] = frozenset()
) -> IncomingMessage | None:
    """An `event_callback` with a person's message in it, as a message; None for everything else.

    `profiles`: those who are known, by user id; others are called by their id. `admins`: user ids.
    """
    event: Json = payload.get("event") or {}
    if not is_for_bot(event, bot):
        return None
    channel, stamp, thread = str(event["channel"]), str(event["ts"]), event.get("thread_ts")
    text = str(event.get("text") or "")
    direct = is_direct(event)
    user = str(event["user"])
    team = _author_team(event)
    return IncomingMessage(
        workspace=bot.workspace,
        source="message",
        source_id=f"{channel}:{stamp}",
        kind=ConversationKind.DM if direct else ConversationKind.THREAD,
        channel=channel,
        author=person(user, team, bot, profiles, admins),
        text=plain(text, bot.user, {who: profile.name for who, profile in profiles.items()}),
        sent_at=datetime.fromtimestamp(float(stamp), UTC),
        root=None if direct else root_of(event),
        reply_to=f"{channel}:{thread}" if direct and thread else None,
        mentioned=is_mentioned(event, bot),
        names_others=_names_others(text, bot),
        attachments=tuple(_attachment(file) for file in event.get("files") or ()),
        address={
            "channel": channel,
            "thread_ts": str(thread or stamp),
            "team": _recipient_team(user, team, bot, profiles),
            "user": user,
        },
    )


def command_to_message(
    command: Json, prompt: str, bot: Bot, profiles: Mapping[str, Profile], admins: frozenset[str], now: datetime
) -> IncomingMessage:
    """`/bise ask`: a question whose answer only the caller sees. `now`: commands carry no time of their own."""
    user, team = str(command["user_id"]), str(command.get("team_id") or "")
    return IncomingMessage(
        workspace=bot.workspace,
        source="command",
        source_id=str(command["trigger_id"]),
        kind=ConversationKind.PRIVATE,
        channel=str(command["channel_id"]),
        author=person(user, team, bot, profiles, admins, name=str(command.get("user_name") or user)),
        text=plain(prompt, bot.user, {who: profile.name for who, profile in profiles.items()}),
        sent_at=now,
        mentioned=True,
        names_others=_names_others(prompt, bot),
        address={
            "channel": str(command["channel_id"]),
            "team": _recipient_team(user, team, bot, profiles),
            "user": user,
            "response_url": str(command.get("response_url") or ""),
        },
    )


def person(
    user: str, team: str, bot: Bot, profiles: Mapping[str, Profile], admins: frozenset[str], *, name: str | None = None
) -> Person:
    """`team`: what the payload says of the person's team; empty where it says nothing."""
    profile = profiles.get(user)
    return Person(
        id=user,
        name=profile.name if profile else name or user,
        external=_is_external(team, profile, bot),
        admin=user in admins or bool(profile and profile.admin and not _is_external(team, profile, bot)),
    )


def _is_external(team: str, profile: Profile | None, bot: Bot) -> bool:
    # On Enterprise Grid colleagues have other teams than the installation's, or an "E…" in a team's place.
    if profile is not None:
        same_company = bot.enterprise is not None and bot.enterprise in {profile.enterprise, profile.team}
        return profile.guest or (profile.team != bot.team and not same_company)
    return bool(team) and team not in {bot.team, bot.enterprise} and (bot.enterprise is None or team.startswith("E"))


def to_press(payload: Json, bot: Bot, profiles: Mapping[str, Profile], admins: frozenset[str]) -> Press | None:
    """A `block_actions` payload as a press of our control; None where it has no value."""
    control = next((str(action["value"]) for action in payload.get("actions") or () if action.get("value")), "")
    user: Json = payload.get("user") or {}
    if not control or not user.get("id"):
        return None
    name = str(user.get("username") or user.get("name") or user["id"])
    who = person(str(user["id"]), str(user.get("team_id") or ""), bot, profiles, admins, name=name)
    return Press(bot.workspace, control, who)


def _author_team(event: Json) -> str:
    return str(event.get("user_team") or event.get("source_team") or event.get("team") or "")


def _recipient_team(user: str, team: str, bot: Bot, profiles: Mapping[str, Profile]) -> str:
    profile = profiles.get(user)
    return (profile.team if profile else "") or team or bot.team


def _names_others(text: str, bot: Bot) -> bool:
    return any(user != bot.user for user in _MENTION.findall(text)) or bool(_GROUP_MENTION.search(text))


def _attachment(file: Json) -> Attachment:
    """A file without an address is one that `files.info` must be asked for."""
    return Attachment(
        id=str(file.get("id") or ""),
        name=str(file.get("name") or file.get("title") or "file"),
        mime=str(file.get("mimetype") or ""),
        size=int(file.get("size") or 0),
        url=str(file.get("url_private_download") or file.get("url_private") or ""),
    )
