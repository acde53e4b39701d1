"""Answers that need no model: commands in a mention, and what we cannot take."""

from __future__ import annotations

from core.messages import Answer, Notice, WorkspaceKey
from core.privacy import record
from core.settings import Settings
from core.store import ledger
from core.store.choices import Level, What
from core.store.conversations import Conversation
from core.store.database import Database
from core.store.turns import Turn
from core.turns import commands, rates
from core.turns.choices import Choices


class Canned:
    """One notice for each command; its words are the platform's."""

    def __init__(self, settings: Settings, database: Database, choices: Choices, *, free: bool) -> None:
        """`free`: nobody bills for the model, so that a cost need not be told."""
        self._settings = settings
        self._database = database
        self._choices = choices
        self._free = free

    async def answer(self, turn: Turn, conversation: Conversation) -> Answer:
        """The answer to `turn.command`. Raises StoreUnavailable."""
        name, key = turn.command or "greeting", WorkspaceKey(turn.platform, turn.workspace_id)
        if name == "cost":
            tokens = await self._database.read(
                lambda connection: ledger.total(connection, turn.workspace, conversation=conversation.id)
            )
            cost = {
                "calls": tokens.calls,
                "tokens": tokens.prompt_tokens + tokens.completion_tokens,
                "microusd": tokens.cost_microusd,
                "free": int(self._free),
            }
            return Answer("", "done", (Notice("cost", cost),))
        if (choosing := commands.choosing(turn.asked)) is not None and name == choosing[0]:
            return Answer("", "done", (await self._choosing(turn, conversation, *choosing),))
        for whose, command in rates.COMMANDS.items():
            if name == command:
                return Answer("", "failed", (rates.Rates(self._settings).told(whose, key),), only_asker=True)
        if name == "empty_prompt":
            return Answer("", "done", (Notice(name, {"example": "/ask What is a bise?"}),))
        if name == "too_long":
            longest = self._settings.history_tokens * commands.CHARACTERS_PER_TOKEN
            return Answer("", "failed", (Notice("too_long", {"longest": longest}),))
        where = record.where(self._settings)
        if name == "help":
            values: dict[str, str | int] = {
                **where,
                "assistants": ", ".join(self._choices.names.every("assistant")),
            }
            return Answer("", "done", (Notice(name, values),))
        if name == "greeting":
            return Answer("", "done", (Notice(name, where),))
        return Answer("", "done", (Notice(name),))

    async def _choosing(self, turn: Turn, conversation: Conversation, what: What, written: str) -> Notice:
        """What holds in the conversation. A name was stored when the message was accepted, if it is known."""
        if written and (problem := self._choices.names.problem(what, written)) is not None:
            return problem
        key = WorkspaceKey(turn.platform, turn.workspace_id)
        chosen_for: Level | None = "conversation" if written else None
        return await self._choices.told(what, key, conversation.channel, conversation.id, chosen_for=chosen_for)
