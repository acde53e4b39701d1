"""Chosen assistants and models: stored for channels and workspaces, told for every place."""

from __future__ import annotations

from dataclasses import dataclass

from core.messages import Notice, Person, WorkspaceKey
from core.ports import Clock
from core.privacy.secrets import HANDLINGS, Handling
from core.store import choices, workspace_settings, workspaces
from core.store.choices import Chosen, Level, What
from core.store.database import Connection, Database
from core.turns.assistants import Assistant
from core.turns.names import Names


@dataclass(frozen=True, slots=True)
class Holding:
    """What holds in a place. `model`: the dated id that answers text, or the name as chosen on a free home.

    `assistant_by`, `model_by`: whose choice it is; None: nobody chose, so it is what is set up.
    """

    assistant: Assistant
    model: str
    assistant_by: Level | None = None
    model_by: Level | None = None
    recent_messages: bool = False


class Choices:
    """Stores choices and tells what holds. What a conversation chose is stored with its message, by `Acceptance`.

    Whatever a person meets comes back as a Notice, also what is wrong with a name.
    """

    def __init__(self, names: Names, database: Database, clock: Clock, *, secrets: Handling = "mask") -> None:
        """`secrets`: what becomes of them where a workspace has not chosen."""
        self.names = names
        self._secrets = secrets
        self._database = database
        self._clock = clock

    async def holding(self, key: WorkspaceKey, channel: str, conversation: int | None = None) -> Holding:
        """What holds in a conversation, or for a channel's new ones. Raises StoreUnavailable."""

        def look(connection: Connection) -> Chosen:
            workspace = workspaces.find(connection, key)
            return Chosen() if workspace is None else choices.chosen(connection, workspace, channel, conversation)

        return self._held(await self._database.read(look))

    async def told(
        self,
        what: What,
        key: WorkspaceKey,
        channel: str,
        conversation: int | None = None,
        *,
        chosen_for: Level | None = None,
    ) -> Notice:
        """What holds, as a sentence. Raises StoreUnavailable.

        `chosen_for`: a person has just chosen that, for this; None: a person asks, and is told the names as well.
        """
        place: Level = "channel" if conversation is None else "conversation"
        return self._notice(what, await self.holding(key, channel, conversation), place, chosen=chosen_for is not None)

    async def workspace_told(self, key: WorkspaceKey) -> Notice:
        """What holds for a whole workspace, as a sentence. Raises StoreUnavailable."""
        held = await self.holding(key, "")
        values: dict[str, str | int] = {
            "assistant": held.assistant.name,
            "model": held.model,
            "recent": int(held.recent_messages),
            "secrets": await self._database.read(lambda connection: self._handling(connection, key)),
        }
        return Notice("workspace_settings", values)

    async def choose_for_channel(
        self, what: What, written: str, key: WorkspaceKey, channel: str, person: Person
    ) -> Notice:
        """Sets a channel's default; says what holds now, or what is wrong with the name. Raises StoreUnavailable."""
        if (problem := self.names.problem(what, written)) is not None:
            return problem
        name, now = self.names.pick(what, written), self._clock.now()

        def choose(connection: Connection) -> Chosen:
            workspace = workspaces.ensure(connection, key, now)
            number = workspaces.ensure_person(connection, workspace, person)
            choices.set_for_channel(connection, workspace, channel, what, name, number, now)
            return choices.chosen(connection, workspace, channel, None)

        return self._notice(what, self._held(await self._database.write(choose)), "channel", chosen=True)

    async def choose_for_workspace(self, what: What, written: str, key: WorkspaceKey) -> Notice:
        """The same for a whole workspace; who may do that is the caller's to check. Raises StoreUnavailable."""
        if (problem := self.names.problem(what, written)) is not None:
            return problem
        name = self.names.pick(what, written)

        def choose(connection: Connection) -> Chosen:
            workspace = workspaces.ensure(connection, key, self._clock.now())
            workspaces.choose(connection, workspace, what, name)
            return choices.chosen(connection, workspace, "", None)

        return self._notice(what, self._held(await self._database.write(choose)), "workspace", chosen=True)

    async def allow_recent_messages(self, key: WorkspaceKey, *, allowed: bool) -> Notice:
        """Turns the look at a channel's recent messages on or off in a workspace. Raises StoreUnavailable."""

        def change(connection: Connection) -> None:
            workspace = workspaces.ensure(connection, key, self._clock.now())
            workspaces.allow_recent_messages(connection, workspace, allowed=allowed)

        await self._database.write(change)
        return Notice("recent_messages_on") if allowed else Notice("recent_messages_off")

    async def handle_secrets(self, key: WorkspaceKey, written: str) -> Notice:
        """Sets what becomes of secrets in a workspace's messages, "default" being as it was set up.

        Says what holds now, or what can be written. Raises StoreUnavailable.
        """
        typed = written.strip().lower()
        handling = next((one for one in HANDLINGS if one == typed), None)
        if handling is None and typed != "default":
            return Notice("secrets_which")

        def change(connection: Connection) -> Handling:
            workspace = workspaces.ensure(connection, key, self._clock.now())
            workspace_settings.change(connection, workspace, secrets=handling)
            return self._handling(connection, key)

        return Notice("secrets_hold", {"handling": await self._database.write(change)})

    def _handling(self, connection: Connection, key: WorkspaceKey) -> Handling:
        return workspace_settings.chosen(connection, workspaces.find(connection, key)).secrets or self._secrets

    def _held(self, chosen: Chosen) -> Holding:
        """A choice whose name the operator has taken away since counts as none."""
        known = chosen.assistant in self.names.assistants
        assistant = self.names.assistants.or_default(chosen.assistant)
        model = self.names.answering(chosen.model) if chosen.model is not None else None
        return Holding(
            assistant=assistant,
            model=model or self.names.of_tier(assistant),
            assistant_by=chosen.assistant_by if known else None,
            model_by=chosen.model_by if model is not None else None,
            recent_messages=chosen.recent_messages,
        )

    def _notice(self, what: What, held: Holding, place: Level, *, chosen: bool) -> Notice:
        by = held.assistant_by if what == "assistant" else held.model_by
        values: dict[str, str | int] = {
            "what": what,
            "name": held.assistant.name if what == "assistant" else held.model,
            "description": held.assistant.description if what == "assistant" else "",
            "by": by or "",
            "place": place,
            "chosen": int(chosen),
            "known": "" if chosen else ", ".join(self.names.every(what)),
        }
        return Notice("choice_holds", values)
