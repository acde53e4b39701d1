"""The simulated guild: who is there, where they talk and what was said, by id; bounded."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

from bots.playground.discord.records import Attachment, Channel, File, Interaction, Message, Person
from bots.playground.discord.snowflakes import Snowflakes

MESSAGES_MAX = 20_000  # a crowd of 4,000 questions, their answers and what is said beside them
INTERACTIONS_MAX = 5_000

VIEW, SEND, SEND_IN_THREADS, MANAGE_GUILD = 1 << 10, 1 << 11, 1 << 38, 1 << 5
MANAGE_MESSAGES, MANAGE_CHANNELS, MANAGE_ROLES, MANAGE_THREADS = 1 << 13, 1 << 4, 1 << 28, 1 << 34
# View, send, embed, attach, read history, mention everyone, react, slash commands, public threads, send in threads, …
EVERYONE_PERMISSIONS = (
    VIEW | SEND | SEND_IN_THREADS | 1 << 6 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 31 | 1 << 35
)
ALL_PERMISSIONS = EVERYONE_PERMISSIONS | MANAGE_GUILD | MANAGE_MESSAGES | MANAGE_CHANNELS | MANAGE_ROLES
ALL_PERMISSIONS |= MANAGE_THREADS | 1 << 3


class World:
    """Rows by id and the look-ups on them. Look-ups of people's words raise LookupError with a sentence."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.snowflakes = Snowflakes()
        founded = clock() - 30 * 86_400
        self.application_id = self.snowflakes.next(founded)
        self.bot_id = self.snowflakes.next(founded + 1)
        self.guild_id = self.snowflakes.next(founded + 2)
        self.guild_name = "Playground"
        self.bot_name = "Bise"
        self.bot_role = self.snowflakes.next(founded + 3)
        self.manager_role = self.snowflakes.next(founded + 4)
        self.token = f"{base64.b64encode(self.bot_id.encode()).decode().rstrip('=')}.play.ground-{self.guild_id}"
        self.left = False
        self.people: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Message] = {}
        self.attachments: dict[str, Attachment] = {}
        self.interactions: dict[str, Interaction] = {}
        self._by_channel: dict[str, dict[str, Message]] = {}
        self.people[self.bot_id] = Person(self.bot_id, self.bot_name, (self.bot_role,), founded + 5, bot=True)
        self.owner = self.add_person("Ada", manager=True, at=founded + 6).id
        self.add_person("Grace", at=founded + 7)
        for name in ("general", "random"):
            self.add_channel(name, at=founded + 8)

    def now(self) -> float:
        return self._clock()

    def add_person(self, name: str, *, manager: bool = False, at: float | None = None) -> Person:
        """Somebody new in the guild, with direct messages to the bot open."""
        at = self.now() if at is None else at
        person = Person(self.snowflakes.next(at), name, (self.manager_role,) if manager else (), at)
        self.people[person.id] = person
        self._open(Channel(self.snowflakes.next(at), name, "dm", at, recipient=person.id))
        return person

    def add_channel(self, name: str, *, at: float | None = None) -> Channel:
        at = self.now() if at is None else at
        return self._open(Channel(self.snowflakes.next(at), name, "text", at))

    def add_thread(self, parent: Channel, name: str, owner: str, *, source: str | None, private: bool) -> Channel:
        """A thread under a channel; one that begins at a message has that message's id."""
        now = self.now()
        thread = Channel(source or self.snowflakes.next(now), name, "thread", now, parent=parent.id, owner=owner)
        thread.private = private
        return self._open(thread)

    def _open(self, channel: Channel) -> Channel:
        self.channels[channel.id] = channel
        self._by_channel[channel.id] = {}
        return channel

    def close(self, channel: Channel) -> list[Channel]:
        """Forgets a channel, its threads and all that was said there; returns what is gone, the threads first."""
        threads = [other for other in self.channels.values() if other.parent == channel.id]
        for gone in (*threads, channel):
            del self.channels[gone.id]
            for message in self._by_channel.pop(gone.id).values():
                self._forget(message)
        return [*threads, channel]

    def add_message(self, message: Message) -> None:
        self.messages[message.id] = message
        self._by_channel[message.channel][message.id] = message
        channel = self.channels[message.channel]
        channel.last_message = message.id
        channel.message_count += 1
        message.note_wording(message.created_at)
        while len(self.messages) > MESSAGES_MAX:
            self.remove_message(next(iter(self.messages.values())))

    def remove_message(self, message: Message) -> None:
        del self._by_channel[message.channel][message.id]
        self._forget(message)

    def _forget(self, message: Message) -> None:
        del self.messages[message.id]
        for attachment in message.attachments:
            self.attachments.pop(attachment.id, None)

    def add_interaction(self, interaction: Interaction) -> None:
        self.interactions[interaction.token] = interaction
        while len(self.interactions) > INTERACTIONS_MAX:
            del self.interactions[next(iter(self.interactions))]

    def store(
        self, channel: Channel, file: File, *, description: str | None = None, ephemeral: bool = False
    ) -> Attachment:
        id_ = self.snowflakes.next(self.now())
        attachment = Attachment(
            id_, channel.id, file.name, file.mime, file.data, f"{int(id_):x}", description, ephemeral
        )
        self.attachments[id_] = attachment
        return attachment

    def said_in(self, channel: str) -> list[Message]:
        """The channel's messages, oldest first."""
        return list(self._by_channel.get(channel, {}).values())

    @property
    def bot(self) -> Person:
        return self.people[self.bot_id]

    def person(self, named: str) -> Person:
        """By id or name."""
        found = self.people.get(named) or next((one for one in self.people.values() if one.name == named), None)
        if found is None:
            raise LookupError(f"There is no {named} in this Discord.")
        return found

    def channel(self, named: str) -> Channel:
        """By id or name; the bot's direct messages with somebody go by that person's id or name."""
        name = named.removeprefix("#")
        for channel in (self.channels.get(named), *self.channels.values()):
            if channel is not None and (channel.id == named or name in (channel.name, channel.recipient)):
                return channel
        raise LookupError(f"There is no channel {named} in this Discord.")

    def message(self, channel: Channel, id_: str) -> Message:
        found = self._by_channel[channel.id].get(id_)
        if found is None:
            raise LookupError("There is no such message here.")
        return found

    def permissions(self, person: Person) -> int:
        """What somebody may do in the guild, as Discord's bits."""
        if person.id == self.owner:
            return ALL_PERMISSIONS
        return EVERYONE_PERMISSIONS | (MANAGE_GUILD if self.manager_role in person.roles else 0)
