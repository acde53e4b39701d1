"""Accepting a message: one transaction, whatever the number of its deliveries and twins, before the acknowledgement."""

from __future__ import annotations

from core.messages import Accepted, ConversationKind, IncomingMessage, Quoted
from core.ports import Clock, TurnQueue
from core.settings import Settings
from core.store import conversations, turns, workspaces
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.turns import commands
from core.turns.addressing import Decision, Standing, decide
from core.turns.controls import Controls

_ALONE = (ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL)


class Acceptance:
    """Stores what people say, and puts a turn into the queue where the bot was asked."""

    def __init__(
        self, settings: Settings, database: Database, queue: TurnQueue, controls: Controls, clock: Clock
    ) -> None:
        self._settings = settings
        self._database = database
        self._queue = queue
        self._controls = controls
        self._clock = clock
        self._longest = settings.history_tokens * commands.CHARACTERS_PER_TOKEN

    async def accept(self, message: IncomingMessage) -> Accepted:
        """Stores the message and its turn. A duplicate is a normal return. Raises StoreUnavailable."""
        if not self._may_concern_us(message) and not await self._known_place(message):
            return Accepted("ignored")
        stopping: list[int] = []
        async with self._database.write() as connection:
            accepted, conversation = await self._store(connection, message, stopping)
        if accepted.turn is not None and conversation is not None:
            self._queue.put(accepted.turn, conversation)
        for turn in stopping:
            self._controls.interrupt(turn)
        return accepted

    def _may_concern_us(self, message: IncomingMessage) -> bool:
        return message.mentioned or message.kind in _ALONE

    async def _known_place(self, message: IncomingMessage) -> bool:
        """Busy channels are full of what is none of our business: find that out without waiting for the writer."""
        if message.root is None:
            return False
        async with self._database.read() as connection:
            workspace = await workspaces.find(connection, message.workspace)
            if workspace is None:
                return False
            return await conversations.by_root(connection, workspace, message.channel, message.root) is not None

    async def _store(
        self, connection: Connection, message: IncomingMessage, stopping: list[int]
    ) -> tuple[Accepted, int | None]:
        now = self._clock.now()
        workspace = await workspaces.ensure(connection, message.workspace, now)
        known = await conversations.known(connection, workspace, message.source, message.source_id)
        if known is not None and (known.addressed or not message.mentioned):
            return Accepted("duplicate"), None
        person = await workspaces.ensure_person(connection, workspace, message.author)
        found, parent = await self._find(connection, workspace, message)
        decision = decide(message, _standing(found, person), self._settings.follow_ups)
        if decision == "ignore":
            return Accepted("ignored"), None
        command = self._command(message) if decision == "ask" else None
        bare = found is not None and found.asker == person and command is None and commands.is_bare_stop(message)
        if command == "stop" or bare:
            stopping += await self._stoppable(connection, workspace, message, found, person)
            for turn in stopping:
                await turns.request_stop(connection, workspace, turn, person, now)
            command = None if stopping or decision == "context" else "nothing_to_stop"
            decision = "context" if stopping else decision
        conversation = found or await self._begin(connection, workspace, message)
        number, seq = (known.id, conversation.last_seq) if known else (None, conversation.last_seq)
        if message.quoted is not None and number is None:
            parent, seq = await self._quote(connection, conversation, message.quoted, seq)
        role = "command" if command or stopping else "person"
        if number is None:
            seq += 1
            number = await conversations.append(
                connection,
                conversation,
                seq=seq,
                role=role,
                source=message.source,
                source_id=message.source_id,
                person=person,
                parent=parent,
                text="" if command == "too_long" else message.text,
                addressed=decision == "ask" or bool(stopping),
                sent_at=message.sent_at,
            )
            if role == "person":
                await conversations.attach(connection, workspace, number, message.attachments)
        else:
            await conversations.mark_addressed(connection, number, role)
        await conversations.change(
            connection, conversation.id, **self._changes(conversation, command, decision, person, seq, message)
        )
        if stopping:
            return Accepted("stopped"), None
        if decision != "ask":
            return Accepted("context"), None
        turn = await turns.put(
            connection, workspace, conversation.id, number, address=dict(message.address), command=command, now=now
        )
        return Accepted("turn", turn), conversation.id

    async def _find(
        self, connection: Connection, workspace: int, message: IncomingMessage
    ) -> tuple[Conversation | None, int | None]:
        """The conversation that a message belongs to, and the stored message that it replies to."""
        if message.root is not None:
            return await conversations.by_root(connection, workspace, message.channel, message.root), None
        if message.reply_to is not None:
            found = await conversations.by_message(connection, workspace, message.reply_to)
            if found is not None or message.kind is ConversationKind.CHAIN:
                return found or (None, None)
        if message.kind is ConversationKind.DM:
            since = conversations.recently(self._clock.now())
            return await conversations.latest(connection, workspace, message.channel, message.kind, since), None
        return None, None

    async def _begin(self, connection: Connection, workspace: int, message: IncomingMessage) -> Conversation:
        root = message.root or message.source_id
        begun = root == message.source_id
        return await conversations.begin(
            connection, workspace, message, root, begun_with_bot=begun, now=self._clock.now()
        )

    async def _quote(
        self, connection: Connection, conversation: Conversation, quoted: Quoted, seq: int
    ) -> tuple[int, int]:
        """Keeps the message that was replied to as context; returns its number and the last seq."""
        known = await conversations.known(connection, conversation.workspace, "message", quoted.source_id)
        if known is not None:
            return known.id, seq
        person = await workspaces.ensure_person(connection, conversation.workspace, quoted.author)
        number = await conversations.append(
            connection,
            conversation,
            seq=seq + 1,
            role="person",
            source="message",
            source_id=quoted.source_id,
            person=person,
            parent=None,
            text=quoted.text[: self._longest],
            addressed=False,
            sent_at=quoted.sent_at,
        )
        return number, seq + 1

    async def _stoppable(
        self, connection: Connection, workspace: int, message: IncomingMessage, found: Conversation | None, person: int
    ) -> list[int]:
        """An admin stops everybody's answers in a conversation, others their own. Without one: their own there."""
        return await turns.unfinished(
            connection,
            workspace,
            message.channel,
            conversation=found.id if found else None,
            asker=None if message.author.admin and found else person,
        )

    def _command(self, message: IncomingMessage) -> str | None:
        allowed = self._settings.allowed_workspaces
        if allowed and message.workspace.id not in ("dm", "cli") and str(message.workspace) not in allowed:
            return "workspace_not_allowed"
        if message.author.external and not self._settings.allow_external:
            return "external"
        return commands.parse(message, longest=self._longest)

    def _changes(
        self,
        conversation: Conversation,
        command: str | None,
        decision: Decision,
        person: int,
        seq: int,
        message: IncomingMessage,
    ) -> dict[str, object]:
        """What the message changes about its conversation."""
        changes: dict[str, object] = {"last_seq": seq, "last_at": max(message.sent_at, self._clock.now())}
        if decision == "ask":
            changes |= {"asker_id": person, "others_since": False, "left": command == "leave"}
        elif conversation.asker != person:
            changes["others_since"] = True
        if command == "reset":
            changes |= {"history_from_seq": seq + 1, "trimmed_to_seq": 0}
        return changes


def _standing(conversation: Conversation | None, person: int) -> Standing | None:
    if conversation is None:
        return None
    return Standing(
        kind=conversation.kind,
        begun_with_bot=conversation.begun_with_bot,
        left=conversation.left,
        by_asker=conversation.asker == person,
        others_since=conversation.others_since,
    )
