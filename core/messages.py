"""The frozen values that cross the boundary between a chat platform and the core."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from core.errors import WrongUse
from core.reports.report import Report

_WORKSPACE = re.compile(r"(slack|discord|local):([A-Za-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True)
class WorkspaceKey:
    """A Slack team, a Discord guild, `discord:dm` or `local:cli`. Written `PLATFORM:ID`."""

    platform: str
    id: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> WorkspaceKey:
        """Reads `slack:T0123`. Raises WrongUse with an example."""
        match = _WORKSPACE.fullmatch(text.strip())
        if match is None:
            raise WrongUse(f"{text!r} is not a workspace. Write PLATFORM:ID, for example slack:T0123 or discord:1000.")
        return cls(match[1], match[2])


DISCORD_DM = WorkspaceKey("discord", "dm")
LOCAL = WorkspaceKey("local", "cli")


class ConversationKind(StrEnum):
    """How the messages of a conversation belong together."""

    THREAD = "thread"  # a Slack thread, a Discord thread: one line of messages, known by its root
    CHAT = "chat"  # a Discord thread opened by /chat: every message in it is addressed
    CHAIN = "chain"  # Discord replies: a tree, found by any of its messages
    DM = "dm"
    PRIVATE = "private"  # answers that only the asker sees
    TERMINAL = "terminal"


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote. `external`: a guest, or of another organisation."""

    id: str
    name: str
    external: bool = False
    admin: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as the platform announced it; nothing of it is believed before it was read. `size` in bytes."""

    id: str
    name: str
    mime: str
    size: int
    url: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """The message of somebody else that the asker replied to, kept as context."""

    source_id: str
    author: Person
    text: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One thing that a person said to the bot, or within its hearing.

    `source` and `source_id` name it within its workspace, whatever the number of deliveries
    (Slack: "C1:1700000000.000100"; Discord: the message's or the interaction's id).
    `root` is the thread's own root where the platform knows it; None lets the core find the conversation by
    `reply_to` (a message's or a post's id), by a direct message's age, or begin one at this message.
    `text` has the bot's own mention removed and the platform's escapes undone.
    `mentioned`: addressed by the text itself: a mention, a command, a reply to the bot.
    `names_others`: it names somebody who is not the bot.
    `address`: what the adapter needs to answer here, kept with the turn (short strings only).
    `assistant`, `model`: chosen with the question, for its conversation; "default" takes a choice back.
    `parent_channel`: the channel that a Discord thread hangs in.
    """

    workspace: WorkspaceKey
    source: Literal["message", "interaction", "command"]
    source_id: str
    kind: ConversationKind
    channel: str
    author: Person
    text: str
    sent_at: datetime
    root: str | None = None
    reply_to: str | None = None
    mentioned: bool = False
    names_others: bool = False
    attachments: tuple[Attachment, ...] = ()
    quoted: Quoted | None = None
    address: Mapping[str, str] = field(default_factory=dict)
    assistant: str | None = None
    model: str | None = None
    parent_channel: str | None = None


Outcome = Literal["done", "failed", "cancelled"]
AcceptOutcome = Literal["turn", "context", "stopped", "ignored", "duplicate"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a message. `turn` is set for "turn" alone."""

    outcome: AcceptOutcome
    turn: int | None = None


def storable(message: IncomingMessage) -> IncomingMessage:
    """The same message with what no database takes (half of a surrogate pair, NUL) replaced."""
    quoted = message.quoted
    return replace(
        message,
        text=_storable(message.text),
        author=replace(message.author, name=_storable(message.author.name)),
        attachments=tuple(
            replace(file, name=_storable(file.name), mime=_storable(file.mime), url=_storable(file.url))
            for file in message.attachments
        ),
        quoted=quoted
        and replace(
            quoted,
            text=_storable(quoted.text),
            author=replace(quoted.author, name=_storable(quoted.author.name)),
        ),
    )


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for people, by name; `bots/replies.py` has its words. `values` fill them."""

    name: str
    values: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a turn ended with: the model's own text (maybe none) and what people must be told besides.

    `again` is the id of its "Ask again" control, to be put on a button; empty where asking again would not help.
    `ask_admin`: likewise that of "Ask an admin", where money was short. `only_asker`: it is nobody else's business, and
    shown to the asker alone where the platform can do that.
    """

    text: str
    outcome: Outcome = "done"
    notices: tuple[Notice, ...] = ()
    again: str = ""
    ask_admin: str = ""
    only_asker: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """A button for admins below an announcement: `kind` names its words, `control` is given back to `Core.press`."""

    kind: str
    control: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something said once, outside of any turn. `name` tells it from all others, so that it can be found again.

    `report`: what is said at length, in place of `notice`, with a PNG as its `picture` where there is one.
    """

    name: str
    notice: Notice
    actions: tuple[Action, ...] = ()
    report: Report | None = None
    picture: bytes | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """A message of ours that shows a part of an answer, from character `start` of its rendered text."""

    ordinal: int
    platform_id: str
    start: int
    closed: bool


@dataclass(frozen=True, slots=True)
class ReplyOrder:
    """What an adapter is told about the answer to show.

    `question` is the id of the message that asks, `asked` its words.
    `posts` are those of earlier attempts: go on in them, never beside them.
    `stop` is the id of the Stop control, to be put on a button (and given back to `Core.press`).
    """

    turn: int
    attempt: int
    workspace: WorkspaceKey
    kind: ConversationKind
    channel: str
    root: str
    asker: str
    question: str
    address: Mapping[str, str]
    stop: str
    posts: tuple[Post, ...] = ()
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Press:
    """A person pressed a button of ours.

    `address`: what the adapter needs to answer where the button stands, and what no longer holds of the question's own
    address (its token may be spent); empty where that still leads there. `typed`: what they wrote when the button asked
    for something.
    """

    workspace: WorkspaceKey
    control: str
    person: Person
    address: Mapping[str, str] = field(default_factory=dict)
    typed: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A file for one person."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a press did, as a sentence for the one who pressed (None: nothing needs saying).

    `turn`: the new turn that it made. `shown`: what everybody reads below the message from then on, in place of its
    buttons. `given`: a file for the one who pressed. `asks`: they are to be asked for an amount; what they type comes
    with another press of this control.
    """

    done: bool
    notice: Notice | None = None
    turn: int | None = None
    shown: Notice | None = None
    given: Given | None = None
    asks: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sums over model calls; costs in integer micro-dollars, `estimated_microusd` being part of `cost_microusd`."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_microusd: int = 0
    estimated_microusd: int = 0
