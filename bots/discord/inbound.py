"""Discord's messages and interactions as the core's: pure translation, nothing is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import discord

from core.messages import (
    DISCORD_DM,
    Attachment,
    ConversationKind,
    IncomingMessage,
    Person,
    Quoted,
    WorkspaceKey,
)

# An interaction's token is good for 15 minutes; the last half minute is not counted on.
TOKEN_LIFE = timedelta(minutes=14, seconds=30)
_MARKUP = re.compile(
    r"<@!?(?P<user>\d+)>|<@&(?P<role>\d+)>|<#(?P<channel>\d+)>|<a?:(?P<emoji>\w+):\d+>|</(?P<command>[^:>]+):\d+>"
)
_SPOKEN = (discord.MessageType.default, discord.MessageType.reply)
_THREADS = (discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread)


@dataclass(frozen=True, slots=True)
class Self:
    """Who the bot is: its user's id, and the ids of the people whom BISE_ADMINS names."""

    id: int
    admins: frozenset[str] = frozenset()


def to_message(message: discord.Message, bot: Self) -> IncomingMessage | None:
    """What a person wrote within the bot's hearing; None for what concerns it not at all.

    That is: bots, webhooks and system messages, messages without anything that may be read, and in ordinary channels
    everything that does not address it.
    """
    if message.author.bot or message.webhook_id is not None or message.type not in _SPOKEN:
        return None
    answered = _answered(message)
    to_bot = answered is not None and answered.author.id == bot.id
    mentioned = to_bot or _mentions(message, bot)
    if not mentioned and not (message.content or message.attachments):
        return None
    kind, workspace, root = _place(message.guild.id if message.guild else None, message.channel)
    if kind is ConversationKind.CHAIN and not mentioned:
        return None
    quoted = None if to_bot or answered is None else _quoted(answered, bot)
    return IncomingMessage(
        workspace=workspace,
        source="message",
        source_id=str(message.id),
        kind=kind,
        channel=str(message.channel.id),
        author=_person(message.author, bot),
        text=_text(message, bot),
        sent_at=message.created_at,
        root=root,
        reply_to=_reference(message),
        mentioned=mentioned,
        names_others=_names_others(message, bot, answered),
        attachments=_attachments(message) + (_attachments(answered) if answered and quoted else ()),
        quoted=quoted,
        address={"via": "message", "message": str(message.id)},
        parent_channel=_parent(message.channel),
    )


def to_question(
    interaction: discord.Interaction,
    prompt: str,
    bot: Self,
    *,
    image: discord.Attachment | None = None,
    private: bool = False,
    assistant: str | None = None,
    model: str | None = None,
    now: datetime,
) -> IncomingMessage:
    """What `/ask` asks. A private answer belongs to no other conversation."""
    kind, workspace, root = _place(interaction.guild_id, interaction.channel)
    if private:
        kind, root = ConversationKind.PRIVATE, None
    return IncomingMessage(
        workspace=workspace,
        source="interaction",
        source_id=str(interaction.id),
        kind=kind,
        channel=str(interaction.channel_id),
        author=asker(interaction, bot),
        text=prompt.strip(),
        sent_at=now,
        root=root,
        mentioned=True,
        attachments=(_attachment(image),) if image else (),
        address={
            "via": "interaction",
            "interaction": str(interaction.id),
            "application": str(interaction.application_id),
            "token": interaction.token,
            "until": str(int((now + TOKEN_LIFE).timestamp())),
            "private": "yes" if private else "no",
        },
        assistant=assistant,
        model=model,
        parent_channel=_parent(interaction.channel),
    )


def to_topic(interaction: discord.Interaction, topic: str, thread: int, bot: Self, *, now: datetime) -> IncomingMessage:
    """The first question of a thread that `/chat` opened; it is answered in that thread."""
    return IncomingMessage(
        workspace=workspace_of(interaction),
        source="interaction",
        source_id=str(interaction.id),
        kind=ConversationKind.CHAT,
        channel=str(thread),
        author=asker(interaction, bot),
        text=topic.strip(),
        sent_at=now,
        root=str(thread),
        mentioned=True,
        address={"via": "channel"},
        parent_channel=str(interaction.channel_id),
    )


def workspace_of(interaction: discord.Interaction) -> WorkspaceKey:
    return WorkspaceKey("discord", str(interaction.guild_id)) if interaction.guild_id else DISCORD_DM


def channel_of(interaction: discord.Interaction) -> str:
    """The channel whose choices hold where a command was given: in a thread, that in which it hangs."""
    return _parent(interaction.channel) or str(interaction.channel_id)


def asker(interaction: discord.Interaction, bot: Self) -> Person:
    """Who used a command or pressed a button; Discord tells their rights with it."""
    admin = interaction.guild_id is not None and interaction.permissions.manage_guild
    return _as_person(interaction.user, bot, admin)


def is_thread(channel: object) -> bool:
    return getattr(channel, "type", None) in _THREADS


def _parent(channel: object) -> str | None:
    parent = getattr(channel, "parent_id", None) if is_thread(channel) else None
    return str(parent) if parent else None


def _place(guild: int | None, channel: object) -> tuple[ConversationKind, WorkspaceKey, str | None]:
    if guild is None:
        return ConversationKind.DM, DISCORD_DM, "dm"
    workspace = WorkspaceKey("discord", str(guild))
    if is_thread(channel):
        return ConversationKind.THREAD, workspace, str(getattr(channel, "id", ""))
    return ConversationKind.CHAIN, workspace, None


def _reference(message: discord.Message) -> str | None:
    if message.type is not discord.MessageType.reply or message.reference is None:
        return None
    return str(message.reference.message_id) if message.reference.message_id else None


def _answered(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to, where Discord sent it along."""
    if _reference(message) is None or message.reference is None:
        return None
    resolved = message.reference.resolved
    return resolved if isinstance(resolved, discord.Message) else None


def _mentions(message: discord.Message, bot: Self) -> bool:
    if any(user.id == bot.id for user in message.mentions):
        return True
    role = message.guild.self_role if message.guild else None
    return role is not None and role.id in message.raw_role_mentions


def _names_others(message: discord.Message, bot: Self, answered: discord.Message | None) -> bool:
    own_role = message.guild.self_role if message.guild else None
    others = any(user.id != bot.id for user in message.mentions)
    roles = any(own_role is None or role != own_role.id for role in message.raw_role_mentions)
    another = answered is not None and answered.author.id not in {bot.id, message.author.id}
    return others or roles or another or message.mention_everyone


def _quoted(answered: discord.Message, bot: Self) -> Quoted | None:
    text = _text(answered, bot)
    if not text and not answered.attachments:
        return None
    return Quoted(str(answered.id), _person(answered.author, bot), text, answered.created_at)


def _person(author: discord.User | discord.Member, bot: Self) -> Person:
    admin = isinstance(author, discord.Member) and author.guild_permissions.manage_guild
    return _as_person(author, bot, admin)


def _as_person(user: discord.User | discord.Member, bot: Self, admin: bool) -> Person:
    return Person(id=str(user.id), name=user.display_name, admin=admin or str(user.id) in bot.admins)


def _attachments(message: discord.Message) -> tuple[Attachment, ...]:
    return tuple(_attachment(file) for file in message.attachments)


def _attachment(file: discord.Attachment) -> Attachment:
    return Attachment(str(file.id), file.filename, file.content_type or "", file.size, file.url)


def _text(message: discord.Message, bot: Self) -> str:
    """The words with the bot's own mention taken out and other markup by name."""
    guild = message.guild
    people = {user.id: user.display_name for user in message.mentions}
    own_role = guild.self_role if guild else None

    def role(id_: int) -> str:
        found = guild.get_role(id_) if guild else None
        return f"@{found.name if found else 'role'}"

    def channel(id_: int) -> str:
        found = guild.get_channel_or_thread(id_) if guild else None
        return f"#{found.name if found else 'channel'}"

    def person(id_: int) -> str:
        return f"@{people.get(id_, 'someone')}"

    named: dict[str, Callable[[int], str]] = {"user": person, "role": role, "channel": channel}

    def name(match: re.Match[str]) -> str:
        what = match.lastgroup or ""
        if what in named:
            return named[what](int(match[what]))
        return f":{match['emoji']}:" if what == "emoji" else f"/{match['command']}"

    own = rf"<@(?:!?{bot.id}{f'|&{own_role.id}' if own_role else ''})>[ \t]*"
    return _MARKUP.sub(name, re.sub(own, "", message.content)).strip()
