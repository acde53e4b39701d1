"""What the simulated Discord keeps: people, channels, messages, files and interactions, as its own mutable rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Json = dict[str, Any]

EPHEMERAL = 1 << 6
LOADING = 1 << 7
HAS_THREAD = 1 << 5
SUPPRESS_EMBEDS = 1 << 2
COMPONENTS_V2 = 1 << 15

DEFAULT, THREAD_CREATED, REPLY, CHAT_INPUT_COMMAND, THREAD_STARTER = 0, 18, 19, 20, 21
HISTORY_MAX = 500


class File(Protocol):
    """A file as somebody hands it over: its name, its content type and its bytes."""

    @property
    def name(self) -> str: ...

    @property
    def mime(self) -> str: ...

    @property
    def data(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as a person attaches it."""

    name: str
    data: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored file. `signature` must be in the address, as on Discord's CDN."""

    id: str
    channel: str
    name: str
    mime: str
    data: bytes
    signature: str
    description: str | None = None
    ephemeral: bool = False


@dataclass(slots=True)
class Person:
    """Somebody in the guild, the bot included. `joined_at`: epoch seconds."""

    id: str
    name: str
    roles: tuple[str, ...]
    joined_at: float
    bot: bool = False


@dataclass(slots=True)
class Channel:
    """A text channel, a thread (then `parent` and `owner`) or the bot's direct messages with `recipient`."""

    id: str
    name: str
    kind: Literal["text", "dm", "thread"]
    created_at: float
    parent: str | None = None
    owner: str | None = None
    recipient: str | None = None
    private: bool = False
    archived: bool = False
    locked: bool = False
    auto_archive_minutes: int = 1440
    last_message: str | None = None
    message_count: int = 0
    topic: str | None = None


@dataclass(slots=True)
class Message:
    """One message. `history` is every wording with its instant, the first one included; `pings` whom it notified."""

    id: str
    channel: str
    author: str
    content: str
    created_at: float
    type: int = DEFAULT
    flags: int = 0
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    mentions: list[str] = field(default_factory=list)
    mention_roles: list[str] = field(default_factory=list)
    mention_everyone: bool = False
    pings: list[str] = field(default_factory=list)
    allowed_mentions: Json | None = None
    reply_to: str | None = None
    nonce: str | None = None
    edited_at: float | None = None
    interaction: Interaction | None = None
    only_for: str | None = None
    thread: str | None = None
    reactions: dict[str, set[str]] = field(default_factory=dict)
    history: list[tuple[float, str]] = field(default_factory=list)

    @property
    def thinking(self) -> bool:
        """Deferred, and nothing has come yet."""
        return bool(self.flags & LOADING)

    def note_wording(self, at: float) -> None:
        if len(self.history) < HISTORY_MAX:
            self.history.append((at, self.content))


@dataclass(slots=True)
class Interaction:
    """A command given, a button pressed or an option half typed. Instants in epoch seconds.

    `type`: 2 command, 3 component, 4 autocomplete. `original`: the message that `@original` names.
    `posts`: every message that answers it.
    """

    id: str
    token: str
    type: int
    user: str
    channel: str
    name: str
    created_at: float
    source: str | None = None
    acknowledged_at: float | None = None
    callback: int | None = None
    ephemeral: bool = False
    original: str | None = None
    posts: list[str] = field(default_factory=list)
    choices: list[Json] | None = None
    modal: Json | None = None
