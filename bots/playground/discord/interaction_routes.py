"""REST: answering an interaction, by its callback once and then through its webhook for as long as its token lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.posts import Posts
from bots.playground.discord.records import (
    CHAT_INPUT_COMMAND,
    DEFAULT,
    EPHEMERAL,
    LOADING,
    REPLY,
    File,
    Interaction,
    Json,
    Message,
)
from bots.playground.discord.refusals import (
    Refused,
    invalid,
    unknown_channel,
    unknown_interaction,
    unknown_message,
    unknown_webhook,
)
from bots.playground.discord.rest import Answer, Request, Route
from bots.playground.discord.world import World

MESSAGE, DEFER, DEFER_UPDATE, UPDATE, CHOICES, MODAL = 4, 5, 6, 7, 8, 9
_CALLBACKS: Final = {2: {MESSAGE, DEFER, MODAL}, 3: {MESSAGE, DEFER, DEFER_UPDATE, UPDATE, MODAL}, 4: {CHOICES}}


class InteractionRoutes:
    """What the bot does with an interaction's token. `answered` is told which channel got something."""

    def __init__(
        self, world: World, faults: DiscordFaults, payloads: Payloads, posts: Posts, answered: Callable[[str], None]
    ) -> None:
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._posts = posts
        self._answered = answered

    def routes(self) -> list[Route]:
        hook = "/webhooks/{application}/{token}"
        message = hook + "/messages/{message}"

        def route(method: str, path: str, answer: Callable[[Request], Answer], *, commits: bool = False) -> Route:
            return Route(method, path, answer, limit="webhook", bucket="webhook", by_token=True, commits=commits)

        callback = "/interactions/{interaction}/{token}/callback"
        return [
            Route("POST", callback, self._callback, by_token=True, commits=True),
            route("POST", hook, self._follow_up, commits=True),
            route("GET", message, lambda asked: (200, self._shown(self._message(asked)))),
            route("PATCH", message, self._edit, commits=True),
            route("DELETE", message, self._remove),
        ]

    def _callback(self, asked: Request) -> Answer:
        interaction = self._world.interactions.get(asked["token"])
        now = self._world.now()
        if interaction is None or interaction.id != asked["interaction"]:
            raise unknown_interaction()
        if interaction.acknowledged_at is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        if now - interaction.created_at > self._faults.acknowledge_within:
            raise unknown_interaction()
        kind, data = asked.fields.get("type"), asked.fields.get("data") or {}
        if kind not in _CALLBACKS[interaction.type]:
            raise invalid("type", "INTERACTION_CALLBACK_INVALID_TYPE", "This callback type is not valid here.")
        self._carry_out(interaction, kind, data, asked.files)
        interaction.acknowledged_at = now
        interaction.callback = kind
        if asked.query.get("with_response", "0").lower() not in ("1", "true"):
            return 204, None
        return 200, self._outcome(interaction, kind)

    def _carry_out(self, interaction: Interaction, kind: int, data: Json, files: Sequence[File]) -> None:
        if kind in (MESSAGE, DEFER):
            interaction.ephemeral = bool(int(data.get("flags") or 0) & EPHEMERAL)
            if kind == MESSAGE:
                self._answer(interaction, data, files, first=True)
            else:
                self._promise(interaction)
        elif kind in (DEFER_UPDATE, UPDATE):
            interaction.original = interaction.source
            source = self._world.messages.get(interaction.source or "")
            if kind == UPDATE and source is None:
                raise unknown_message()
            if kind == UPDATE and source is not None:
                self._posts.amend(source, data, files)
        elif kind == CHOICES:
            choices = data.get("choices") or []
            if len(choices) > 25:
                raise invalid("data.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
            interaction.choices = choices
        else:
            interaction.modal = data

    def _outcome(self, interaction: Interaction, kind: int) -> Json:
        answer: Json = {"interaction": {"id": interaction.id, "type": interaction.type}}
        message = self._world.messages.get(interaction.original or "")
        if message is not None and kind != DEFER_UPDATE:
            answer["interaction"] |= {
                "response_message_id": message.id,
                "response_message_loading": message.thinking,
                "response_message_ephemeral": bool(message.flags & EPHEMERAL),
            }
            answer["resource"] = {"type": kind, "message": self._shown(message)}
        return answer

    def _promise(self, interaction: Interaction) -> None:
        """The placeholder of a deferral, "Bise is thinking…"."""
        now = self._world.now()
        self._place(interaction)
        message = Message(self._world.snowflakes.next(now), interaction.channel, self._world.bot_id, "", now)
        message.flags = LOADING
        self._attribute(message, interaction, first=True)
        self._posts.add(message)

    def _answer(self, interaction: Interaction, body: Json, files: Sequence[File], *, first: bool) -> Message:
        """A new message: the response itself, or a follow-up to it."""
        self._place(interaction)
        channel = self._world.channels[interaction.channel]
        plain = {name: value for name, value in body.items() if name not in ("nonce", "message_reference")}
        message = self._posts.draft(channel, self._world.bot_id, plain, files)
        self._attribute(message, interaction, first=first)
        self._posts.add(message)
        self._answered(channel.id)
        return message

    def _attribute(self, message: Message, interaction: Interaction, *, first: bool) -> None:
        message.interaction = interaction
        # Whether the first answer is private was said with the acknowledgement; each follow-up says it for itself.
        private = interaction.ephemeral if first else bool(message.flags & EPHEMERAL)
        message.flags = message.flags & ~EPHEMERAL | (EPHEMERAL if private else 0)
        message.only_for = interaction.user if private else None
        if first:
            message.type = CHAT_INPUT_COMMAND if interaction.type == 2 else DEFAULT
            message.reply_to = interaction.source
            message.type = REPLY if interaction.source is not None else message.type
            interaction.original = message.id
        else:
            message.type, message.reply_to = REPLY, interaction.original
        interaction.posts.append(message.id)

    def _place(self, interaction: Interaction) -> None:
        if interaction.channel not in self._world.channels:
            raise unknown_channel()

    def _interaction(self, asked: Request) -> Interaction:
        """The acknowledged interaction of a webhook's token. Raises Refused where there is none (any more)."""
        interaction = self._world.interactions.get(asked["token"])
        if interaction is None or interaction.acknowledged_at is None:
            raise unknown_webhook()
        now = self._world.now()
        if asked["application"] != self._world.application_id:
            raise unknown_webhook()
        if now - interaction.acknowledged_at < self._faults.webhook_unknown_for:
            raise unknown_webhook()
        if now - interaction.created_at > self._faults.token_life:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return interaction

    def _message(self, asked: Request) -> Message:
        interaction = self._interaction(asked)
        id_ = interaction.original if asked["message"] == "@original" else asked["message"]
        message = self._world.messages.get(id_ or "")
        if message is None or (message.id not in interaction.posts and message.id != interaction.original):
            raise unknown_message()
        return message

    def _follow_up(self, asked: Request) -> Answer:
        interaction = self._interaction(asked)
        self._place(interaction)
        original = self._world.messages.get(interaction.original or "")
        if interaction.callback == DEFER and original is not None and original.thinking:
            self._amend(original, asked)
            return 200, self._shown(original)
        message = self._answer(interaction, asked.fields, asked.files, first=False)
        return 200, self._shown(message)

    def _edit(self, asked: Request) -> Answer:
        message = self._message(asked)
        self._amend(message, asked)
        return 200, self._shown(message)

    def _amend(self, message: Message, asked: Request) -> None:
        self._posts.amend(message, asked.fields, asked.files)
        self._answered(message.channel)

    def _remove(self, asked: Request) -> Answer:
        self._posts.remove(self._message(asked))
        return 204, None

    def _shown(self, message: Message) -> Json:
        return self._payloads.referenced(message, lambda _: True)
