"""What people do: write, reply, edit, delete, give commands, press buttons; with what the app would not let them do."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from bots.playground.discord import checks, gateway, page
from bots.playground.discord.commands import ATTACHMENT, MESSAGE_MENU, Called, Commands, PersonCannot, check_value
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.gateway import Gateway
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.posts import Posts
from bots.playground.discord.records import REPLY, Channel, File, Interaction, Json, Message, Person
from bots.playground.discord.refusals import Refused
from bots.playground.discord.threads import Threads
from bots.playground.discord.views import InteractionView
from bots.playground.discord.world import World

_COMMAND, _COMPONENT, _AUTOCOMPLETE = 2, 3, 4
_BUTTON = 2
_RESOLVED = {6: "users", 7: "channels"}


class People:
    """Everybody's hands. Refusals are PersonCannot or LookupError, with a sentence for people."""

    def __init__(
        self,
        world: World,
        faults: DiscordFaults,
        payloads: Payloads,
        posts: Posts,
        threads: Threads,
        commands: Commands,
        gate: Gateway,
    ) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._posts = posts
        self._threads = threads
        self._commands = commands
        self._gate = gate

    def place(self, user: str, channel: str) -> tuple[Person, Channel]:
        """Who and where. Raises PersonCannot for direct messages that are somebody else's."""
        person, place = self._world.person(user), self._world.channel(channel)
        if place.kind == "dm" and place.recipient != person.id:
            raise PersonCannot("These are somebody else's direct messages.")
        return person, place

    def post(self, user: str, channel: str, content: str, reply_to: str | None, files: Sequence[File]) -> Message:
        person, place = self.place(user, channel)
        words = content.strip()
        if not words and not files:
            raise PersonCannot("Write something first.")
        if len(words) > checks.CONTENT_MAX:
            raise PersonCannot(f"A message has at most {checks.CONTENT_MAX} characters.")
        if len(files) > checks.FILES_MAX:
            raise PersonCannot(f"A message takes at most {checks.FILES_MAX} files.")
        now = self._world.now()
        message = Message(self._world.snowflakes.next(now), place.id, person.id, words, now)
        if reply_to is not None:
            message.reply_to, message.type = self._world.message(place, reply_to).id, REPLY
        message.attachments = [self._world.store(place, file) for file in files]
        if place.archived:
            self._threads.change(place, {"archived": False})
        self._posts.find_mentions(message, None, pings=True)
        self._posts.add(message)
        return message

    def own(self, user: str, channel: str, message: str) -> Message:
        """A message of one's own. Raises PersonCannot for another's."""
        person, place = self.place(user, channel)
        found = self._world.message(place, message)
        if found.author != person.id:
            raise PersonCannot("That is somebody else's message.")
        return found

    def command(
        self, user: str, channel: str, name: str, options: Mapping[str, Any], files: Mapping[str, File]
    ) -> InteractionView:
        person, place = self.place(user, channel)
        called = self._commands.find(name)
        self._check_allowed(called.command, person, place)
        values, resolved = self._values(called, place, {**options, **files})
        interaction = self._begin(_COMMAND, person, place, name.removeprefix("/"))
        return self._send(interaction, called.data(values, resolved))

    def autocomplete(
        self, user: str, channel: str, name: str, option: str, text: str, options: Mapping[str, Any]
    ) -> InteractionView:
        person, place = self.place(user, channel)
        called = self._commands.find(name)
        row = next((one for one in called.options if one["name"] == option and one.get("autocomplete")), None)
        if row is None:
            raise PersonCannot(f"/{name} completes no “{option}”.")
        kinds = {one["name"]: one["type"] for one in called.options}
        values = [{"name": key, "type": kinds[key], "value": value} for key, value in options.items()]
        values.append({"name": option, "type": row["type"], "value": text, "focused": True})
        return self._send(self._begin(_AUTOCOMPLETE, person, place, name), called.data(values, {}))

    def press(self, user: str, channel: str, message: str, custom_id: str) -> InteractionView:
        person, place = self.place(user, channel)
        found = self._world.message(place, message)
        if found.only_for not in (None, person.id):
            raise PersonCannot("Only somebody else sees that message.")
        button = next((one for one in page.buttons(found.components) if one["id"] == custom_id), None)
        if button is None or button["disabled"] or button["style"] == "link":
            raise PersonCannot("There is no such button to press.")
        interaction = self._begin(_COMPONENT, person, place, custom_id, source=found.id)
        return self._send(interaction, {"custom_id": custom_id, "component_type": _BUTTON})

    def choose(self, user: str, channel: str, message: str, name: str) -> InteractionView:
        """An entry of a message's menu, which the bot put there."""
        person, place = self.place(user, channel)
        found, command = self._world.message(place, message), self._commands.menu(name)
        self._check_allowed(command, person, place)
        shown = self._payloads.referenced(found, lambda _: True)
        data: Json = {"id": command["id"], "name": name, "type": MESSAGE_MENU, "target_id": found.id}
        data["resolved"] = {"messages": {found.id: shown}}
        return self._send(self._begin(_COMMAND, person, place, name), data)

    def _check_allowed(self, command: Json, person: Person, place: Channel) -> None:
        contexts = command.get("contexts")
        direct = place.kind == "dm"
        here = (1 if direct else 0) in contexts if contexts else not direct or command.get("dm_permission") is not False
        if direct and command.get("guild_id") is not None:
            here = False
        needed = command.get("default_member_permissions")
        if here and not direct and needed is not None:
            rights = self._world.permissions(person)
            here = int(needed) & rights == int(needed) and (int(needed) != 0 or person.id == self._world.owner)
        if not here:
            raise PersonCannot(f"/{command['name']} cannot be used here by {person.name}.")

    def _values(self, called: Called, place: Channel, given: Mapping[str, Any]) -> tuple[list[Json], Json]:
        """The options as the interaction carries them, and what they refer to."""
        unknown = set(given) - {option["name"] for option in called.options}
        if unknown:
            raise PersonCannot(f"/{called.command['name']} has no option “{min(unknown)}”.")
        for option in called.options:
            value = given.get(option["name"])
            if value is None and option.get("required"):
                raise PersonCannot(f"“{option['name']}” is missing.")
            if value is not None and option["type"] == ATTACHMENT and isinstance(value, str):
                raise PersonCannot(f"“{option['name']}” takes a file.")
            if value is not None and option["type"] != ATTACHMENT:
                check_value(option, value)
        values: list[Json] = []
        resolved: Json = {}
        for option in called.options:
            value = given.get(option["name"])
            if value is None:
                continue
            if option["type"] == ATTACHMENT:
                attachment = self._world.store(place, value, ephemeral=True)
                resolved.setdefault("attachments", {})[attachment.id] = self._payloads.attachment(attachment)
                value = attachment.id
            elif option["type"] in _RESOLVED:
                value = self._resolve(option["type"], value, resolved)
            values.append({"name": option["name"], "type": option["type"], "value": value})
        return values, resolved

    def _resolve(self, kind: int, value: str, resolved: Json) -> str:
        if _RESOLVED[kind] == "channels":
            channel = self._world.channel(value)
            everything = str(self._world.permissions(self._world.bot))
            row = {**self._payloads.channel(channel), "permissions": everything}
            resolved.setdefault("channels", {})[channel.id] = row
            return channel.id
        person = self._world.person(value)
        resolved.setdefault("users", {})[person.id] = self._payloads.user(person)
        member = self._payloads.member(person, user=False, permissions=True)
        resolved.setdefault("members", {})[person.id] = member
        return person.id

    def _begin(self, kind: int, person: Person, place: Channel, name: str, *, source: str | None = None) -> Interaction:
        now = self._world.now()
        id_ = self._world.snowflakes.next(now)
        interaction = Interaction(id_, secrets.token_urlsafe(96), kind, person.id, place.id, name, now, source=source)
        self._world.add_interaction(interaction)
        return interaction

    def _send(self, interaction: Interaction, data: Json) -> InteractionView:
        direct = self._world.channels[interaction.channel].kind == "dm"
        payload = self._payloads.interaction(interaction, data)
        self._gate.dispatch("INTERACTION_CREATE", payload, gateway.ALWAYS, guild=not direct)
        return InteractionView(interaction, self._world, self._faults)

    def type(self, user: str, channel: str) -> None:
        """Somebody begins to write."""
        person, place = self.place(user, channel)
        direct = place.kind == "dm"
        data: Json = {"channel_id": place.id, "user_id": person.id, "timestamp": int(self._world.now())}
        if not direct:
            data |= {"guild_id": self._world.guild_id, "member": self._payloads.member(person)}
        intent = gateway.DIRECT_TYPING if direct else gateway.GUILD_TYPING
        self._gate.dispatch("TYPING_START", data, intent, guild=not direct)

    def open_thread(self, user: str, channel: str, name: str, message: str | None) -> Channel:
        person, place = self.place(user, channel)
        if place.kind != "text":
            raise PersonCannot("Threads begin in channels.")
        source = None if message is None else self._world.message(place, message)
        try:
            words = checks.thread_name(name)
        except Refused as refusal:
            raise PersonCannot("A thread's name has 1 to 100 characters.") from refusal
        return self._threads.open(place, words, person.id, source=source)
