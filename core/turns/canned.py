"""Answers that need no model: commands in a mention, and what we cannot take."""

from __future__ import annotations

from core.messages import Answer, Notice
from core.settings import Settings
from core.store import ledger
from core.store.conversations import Conversation
from core.store.database import Database
from core.store.turns import Turn
from core.turns import commands


class Canned:
    """One notice for each command; its words are the platform's."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database

    async def answer(self, turn: Turn, conversation: Conversation) -> Answer:
        """The answer to `turn.command`. Raises StoreUnavailable."""
        name = turn.command or "greeting"
        if name == "cost":
            tokens = await self._database.read(
                lambda connection: ledger.total(connection, turn.workspace, conversation=conversation.id)
            )
            values: dict[str, str | int] = {
                "calls": tokens.calls,
                "tokens": tokens.prompt_tokens + tokens.completion_tokens,
                "microusd": tokens.cost_microusd,
                "free": int(self._settings.self_hosted),
            }
            return Answer("", "done", (Notice("cost", values),))
        if name == "empty_prompt":
            return Answer("", "done", (Notice(name, {"example": "/ask What is a bise?"}),))
        if name == "too_long":
            longest = self._settings.history_tokens * commands.CHARACTERS_PER_TOKEN
            return Answer("", "failed", (Notice("too_long", {"longest": longest}),))
        if name == "help":
            return Answer("", "done", (Notice(name, {"training": int(self._settings.mistral_plan == "experiment")}),))
        return Answer("", "done", (Notice(name),))
