"""What tests and benches see of the simulated Discord: frozen copies of messages, calls, and interactions live."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from bots.playground.discord import page
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.records import Attachment, Interaction, Json, Message
from bots.playground.discord.world import World


@dataclass(frozen=True, slots=True)
class Via:
    """The interaction that brought a message about: who gave it, and the command's name or the button's id."""

    user: str
    name: str


@dataclass(frozen=True, slots=True)
class DiscordPost:
    """One message as it is now. Ids are snowflakes; instants are epoch seconds.

    `edited`: every wording with its instant, the first one included. `pings`: whom it notified, as person's ids,
    "role:ID", "everyone" and "here"; `mentions` are people named, notified or not. `only_for`: the one person who
    sees an ephemeral message. `thinking`: deferred, and nothing has come yet.
    """

    id: str
    channel: str
    author: str
    author_name: str
    content: str
    at: float
    type: int
    flags: int
    embeds: tuple[Json, ...]
    components: tuple[Json, ...]
    attachments: tuple[Attachment, ...]
    mentions: tuple[str, ...]
    pings: tuple[str, ...]
    reply_to: str | None
    only_for: str | None
    nonce: str | None
    thinking: bool
    edited: tuple[tuple[float, str], ...]
    reactions: tuple[str, ...]
    thread: str | None
    interaction: Via | None

    @property
    def ephemeral(self) -> bool:
        return self.only_for is not None

    @property
    def buttons(self) -> dict[str, str]:
        """Labels by custom id, in reading order."""
        return {button["id"]: button["label"] for button in page.buttons(self.components)}

    @property
    def notes(self) -> tuple[str, ...]:
        """The words of its embeds."""
        return tuple(text for embed in self.embeds if (text := page.words(embed)))


@dataclass(frozen=True, slots=True)
class RestCall:
    """One REST request. `path` is relative to the API's root; `body` as sent (its JSON part); `status` as answered."""

    method: str
    path: str
    at: float
    status: int
    body: Any = None


def post(message: Message, world: World) -> DiscordPost:
    via = message.interaction
    return DiscordPost(
        id=message.id,
        channel=message.channel,
        author=message.author,
        author_name=world.people[message.author].name,
        content=message.content,
        at=message.created_at,
        type=message.type,
        flags=message.flags,
        embeds=tuple(copy.deepcopy(message.embeds)),
        components=tuple(copy.deepcopy(message.components)),
        attachments=tuple(message.attachments),
        mentions=tuple(message.mentions),
        pings=tuple(message.pings),
        reply_to=message.reply_to,
        only_for=message.only_for,
        nonce=message.nonce,
        thinking=message.thinking,
        edited=tuple(message.history),
        reactions=tuple(message.reactions),
        thread=message.thread,
        interaction=None if via is None else Via(via.user, via.name),
    )


class InteractionView:
    """How an interaction goes, always as it is now."""

    def __init__(self, interaction: Interaction, world: World, faults: DiscordFaults) -> None:
        self._interaction = interaction
        self._world = world
        self._faults = faults

    @property
    def id(self) -> str:
        return self._interaction.id

    @property
    def token(self) -> str:
        return self._interaction.token

    @property
    def acknowledged(self) -> bool:
        return self._interaction.acknowledged_at is not None

    @property
    def latency(self) -> float | None:
        """Seconds from sending to the acknowledgement; None while there is none."""
        at = self._interaction.acknowledged_at
        return None if at is None else at - self._interaction.created_at

    @property
    def failed(self) -> bool:
        """No acknowledgement came in time: the person reads "The application did not respond"."""
        age = self._world.now() - self._interaction.created_at
        return not self.acknowledged and age > self._faults.acknowledge_within

    @property
    def deferred(self) -> bool:
        return self._interaction.callback in (5, 6)

    @property
    def ephemeral(self) -> bool:
        return self._interaction.ephemeral

    @property
    def post(self) -> DiscordPost | None:
        """The original response; for a button that changed its own message, that message."""
        message = self._world.messages.get(self._interaction.original or "")
        return None if message is None else post(message, self._world)

    @property
    def posts(self) -> tuple[DiscordPost, ...]:
        """All messages that answer it and still exist, in order."""
        found = (self._world.messages.get(id_) for id_ in self._interaction.posts)
        return tuple(post(message, self._world) for message in found if message is not None)

    @property
    def choices(self) -> list[Json] | None:
        """What an autocompletion offered."""
        return self._interaction.choices

    @property
    def modal(self) -> Json | None:
        return self._interaction.modal
