"""Messages coming about, changing and going: stored, told to the bot and to the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bots.playground.changes import Changes
from bots.playground.discord import checks, gateway, mentions, page
from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.gateway import Gateway, Session
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.records import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    REPLY,
    SUPPRESS_EMBEDS,
    Channel,
    File,
    Json,
    Message,
)
from bots.playground.discord.refusals import invalid
from bots.playground.discord.world import World

_SETTABLE_FLAGS = SUPPRESS_EMBEDS | EPHEMERAL | COMPONENTS_V2 | 1 << 12


class Posts:
    """Every message goes through here, whoever writes it."""

    def __init__(
        self,
        world: World,
        faults: DiscordFaults,
        payloads: Payloads,
        gate: Gateway,
        changes: Changes,
        prefix: Callable[[], str],
    ) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._gate = gate
        self._changes = changes
        self._prefix = prefix

    def add(self, message: Message) -> None:
        """Stores a message and tells of it; an ephemeral one only to the page."""
        self._world.add_message(message)
        self._tell("MESSAGE_CREATE", message)
        if self._faults.strikes(self._faults.redeliver_share):
            self._tell("MESSAGE_CREATE", message)
        self.show(message)

    def changed(self, message: Message) -> None:
        self._tell("MESSAGE_UPDATE", message)
        self.show(message)

    def reword(self, message: Message, content: str) -> None:
        """A person's edit."""
        now = self._world.now()
        message.content, message.edited_at = content, now
        self.find_mentions(message, None, pings=False)
        message.note_wording(now)
        self.changed(message)

    def remove(self, message: Message) -> None:
        self._world.remove_message(message)
        channel = self._world.channels[message.channel]
        if message.only_for is None:
            data: Json = {"id": message.id, "channel_id": message.channel}
            self._dispatch_in(channel, "MESSAGE_DELETE", data | self._guild_of(channel))
        self._changes.publish({"type": "deleted", "id": message.id, "channel": message.channel})

    def show(self, message: Message) -> None:
        """Tells the page how a message looks now."""
        self._changes.publish({"type": "message", "message": page.message(message, self._world, self._prefix())})

    def draft(self, channel: Channel, author: str, body: Json, files: Sequence[File]) -> Message:
        """A message as a body of the bot's describes it, not yet added. Raises Refused."""
        checks.message(body, files)
        rules = mentions.check(body.get("allowed_mentions"))
        now = self._world.now()
        message = Message(self._world.snowflakes.next(now), channel.id, author, "", now)
        message.flags = int(body.get("flags") or 0) & _SETTABLE_FLAGS
        message.nonce = str(body["nonce"]) if body.get("nonce") is not None else None
        self._fill(message, body, files)
        message.reply_to = self._reply_to(channel, body.get("message_reference"))
        message.type = REPLY if message.reply_to else message.type
        message.allowed_mentions = rules
        self.find_mentions(message, rules, pings=True)
        return message

    def amend(self, message: Message, body: Json, files: Sequence[File]) -> None:
        """A bot's edit: only what the body names changes. Raises Refused and changes nothing then."""
        checks.message(body, files)
        rules = mentions.check(body.get("allowed_mentions")) if "allowed_mentions" in body else message.allowed_mentions
        first = message.thinking
        now = self._world.now()
        self._fill(message, body, files)
        if "flags" in body:
            message.flags = message.flags & ~SUPPRESS_EMBEDS | int(body["flags"] or 0) & SUPPRESS_EMBEDS
        message.flags &= ~LOADING
        message.edited_at = None if first else now
        message.allowed_mentions = rules
        self.find_mentions(message, rules, pings=first)
        message.note_wording(now)
        self.changed(message)

    def _fill(self, message: Message, body: Json, files: Sequence[File]) -> None:
        """Discord trims a message's words; what the body does not name stays as it is."""
        content = (body["content"] or "").strip() if "content" in body else message.content
        embeds = body["embeds"] or [] if "embeds" in body else message.embeds
        components = body["components"] or [] if "components" in body else message.components
        listed = body.get("attachments")
        kept = message.attachments
        if listed is not None:
            ids = {str(one.get("id")) for one in listed}
            kept = [one for one in message.attachments if one.id in ids]
        checks.not_empty(content, embeds, components, kept, files)
        channel = self._world.channels[message.channel]
        notes = {str(one.get("id")): one.get("description") for one in listed or []}
        added = [
            self._world.store(channel, file, description=notes.get(str(index)), ephemeral=bool(message.only_for))
            for index, file in enumerate(files)
        ]
        for gone in message.attachments:
            if gone not in kept:
                self._world.attachments.pop(gone.id, None)
        message.content, message.embeds, message.components = content, embeds, components
        message.attachments = [*kept, *added]

    def _reply_to(self, channel: Channel, reference: Json | None) -> str | None:
        if not reference or reference.get("message_id") is None:
            return None
        named = self._world.messages.get(str(reference["message_id"]))
        if named is not None and named.channel == channel.id and named.only_for is None:
            return named.id
        if reference.get("fail_if_not_exists", True):
            raise invalid("message_reference", "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
        return None

    def find_mentions(self, message: Message, rules: Json | None, *, pings: bool) -> None:
        """Fills whom the message names. `pings`: it is new, so that they are notified too."""
        world = self._world
        roles = {world.bot_role, world.manager_role}
        replied = world.messages.get(message.reply_to or "") if message.type == REPLY else None
        author = replied.author if replied is not None and replied.author != message.author else None
        counted = mentions.allowed(mentions.named(message.content, world.people, roles), rules, author)
        message.mentions, message.mention_roles = list(counted.people), list(counted.roles)
        message.mention_everyone = bool(counted.all)
        if pings:
            message.pings = [*counted.people, *(f"role:{id_}" for id_ in counted.roles), *counted.all]

    def shows_content(self, message: Message, session: Session) -> bool:
        """Whether a session gets the message's content: by its intent, or because the message concerns the bot."""
        return session.has(gateway.MESSAGE_CONTENT) or self.concerns_bot(message)

    def concerns_bot(self, message: Message) -> bool:
        bot = self._world.bot_id
        direct = self._world.channels[message.channel].kind == "dm"
        return direct or message.author == bot or bot in message.mentions

    def _tell(self, event: str, message: Message) -> None:
        if message.only_for is not None:
            return

        def data(session: Session) -> Json:
            return self._payloads.referenced(message, lambda one: self.shows_content(one, session), event=True)

        self._dispatch_in(self._world.channels[message.channel], event, data)

    def _dispatch_in(self, channel: Channel, event: str, data: gateway.Data) -> None:
        if self._world.left and channel.kind != "dm":
            return
        if self._faults.forbidden.get(channel.id) == 50001 or self._faults.forbidden.get(channel.parent or "") == 50001:
            return
        direct = channel.kind == "dm"
        intent = gateway.DIRECT_MESSAGES if direct else gateway.GUILD_MESSAGES
        self._gate.dispatch(event, data, intent, guild=not direct)

    def _guild_of(self, channel: Channel) -> Json:
        return {} if channel.kind == "dm" else {"guild_id": self._world.guild_id}
