"""Who and where: the workspace's identity, people, channels and addresses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Literal

ChannelKind = Literal["channel", "private", "dm"]

SCOPES = frozenset(
    {
        "app_mentions:read",
        "assistant:write",
        "channels:history",
        "channels:read",
        "chat:write",
        "commands",
        "files:read",
        "files:write",
        "groups:history",
        "groups:read",
        "im:history",
        "im:read",
        "im:write",
        "mpim:history",
        "reactions:read",
        "team:read",
        "users:read",
    }
)
CHANNEL_TYPES = {"channel": "channel", "private": "group", "dm": "im"}
HISTORY_SCOPES = {"channel": "channels:history", "private": "groups:history", "dm": "im:history"}


@dataclass(frozen=True, slots=True)
class Person:
    id: str
    name: str
    team: str
    admin: bool = False
    guest: bool = False
    bot: bool = False


@dataclass(slots=True)
class Channel:
    """`members` are user ids, the bot's among them. A DM has one person, whose id is in `person`."""

    id: str
    name: str
    kind: ChannelKind = "channel"
    members: set[str] = field(default_factory=set)
    person: str | None = None


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A slash command of the simulated app, as the page lists it."""

    name: str
    description: str
    usage: str


class World:
    """The workspace "Playground" with its one app. `base_url`: where it is served, without the prefix."""

    def __init__(self) -> None:
        self.team_id = "T0PLAY"
        self.team_name = "Playground"
        self.team_domain = "playground"
        self.bot_user_id = "U0BISE"
        self.bot_name = "Bise"
        self.bot_id = "B0BISE"
        self.app_id = "A0BISE"
        self.bot_token = "xoxb-0-playground"  # noqa: S105 - made up, like the next two
        self.app_token = "xapp-1-A0BISE-playground"  # noqa: S105
        self.signing_secret = "playground-signing-secret"  # noqa: S105
        self.granted_scopes: set[str] = set(SCOPES)
        self.base_url = ""
        self.prefix = "/slack"
        self.people: dict[str, Person] = {}
        self.bots: dict[str, Person] = {}
        self.channels: dict[str, Channel] = {}
        usage = "ask|usage|budget|assistant|model|settings|help …"
        self.commands = [SlashCommand("/bise", "Ask, or look at usage and settings", usage)]
        self.shortcuts = {"bise_cost": "What did this cost?"}  # of messages: callback id → name
        self._numbers = itertools.count(1)
        self._settle()

    def _settle(self) -> None:
        self.people[self.bot_user_id] = Person(self.bot_user_id, self.bot_name, self.team_id, bot=True)
        self.add_channel("C0GENERAL", "general")
        self.add_channel("C0RANDOM", "random")
        self.add_person("U0ADA", "Ada", admin=True)
        self.add_person("U0GRACE", "Grace")
        self.add_person("U0GUEST", "Gus", guest=True)
        self.add_person("U0OTHER", "Olga", team="T0OTHER")

    def add_person(
        self, user_id: str, name: str, *, admin: bool = False, team: str | None = None, guest: bool = False
    ) -> Person:
        """A person, in every open channel, with a DM whose id is the person's with D for U."""
        person = self.people[user_id] = Person(user_id, name, team or self.team_id, admin, guest)
        for channel in self.channels.values():
            if channel.kind == "channel":
                channel.members.add(user_id)
        dm = f"D{user_id[1:]}"
        self.channels[dm] = Channel(dm, name, "dm", {user_id, self.bot_user_id}, person=user_id)
        return person

    def add_channel(
        self, channel_id: str, name: str, *, kind: ChannelKind = "channel", members: set[str] | None = None
    ) -> Channel:
        """A channel with the bot in it; `members` default to everybody, and to nobody else in a private one.

        Raises ValueError for a DM without exactly one person.
        """
        everybody = set(self.people) if kind == "channel" else set()
        people = (everybody if members is None else set(members)) - {self.bot_user_id}
        if kind == "dm" and len(people) != 1:
            raise ValueError("a DM has one person")
        person = next(iter(people)) if kind == "dm" else None
        channel = self.channels[channel_id] = Channel(channel_id, name, kind, people | {self.bot_user_id}, person)
        return channel

    def new_id(self, letters: str) -> str:
        """An id in Slack's style that nothing else has: letters, then a number."""
        return f"{letters}0{next(self._numbers):09d}"

    @property
    def address(self) -> str:
        return self.base_url.rstrip("/") + self.prefix

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws", 1) + "/socket"

    def team_of(self, user: str) -> str:
        person = self.people.get(user)
        return person.team if person else self.team_id
