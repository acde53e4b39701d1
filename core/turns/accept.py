"""Accepting a message: one transaction, whatever the number of its deliveries and twins, before the acknowledgement."""

from __future__ import annotations

from core.messages import LOCAL, Accepted, ConversationKind, IncomingMessage, Quoted, WorkspaceKey, storable
from core.ports import Clock, TurnQueue
from core.settings import Settings
from core.store import arrivals, conversations, turns, workspaces
from core.store.arrivals import Arrival
from core.store.choices import What
from core.store.conversations import Conversation
from core.store.database import Connection, Database
from core.turns import commands, rates
from core.turns.addressing import Decision, Standing, decide
from core.turns.controls import Controls
from core.turns.names import Names

_NOT_KEPT = ("too_long", "external", "workspace_not_allowed")  # commands whose words are nobody's business
_ON_A_CONVERSATION = ("cost", "reset", "leave", *commands.CHOOSING)
_SEEN_AT_MOST = 10_000  # ids of committed questions that are remembered, to answer their twins at once
_ALONE = (ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL)
Picks = dict[What, str | None]


class Acceptance:
    """Stores what people say, and puts a turn into the queue where the bot was asked."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queue: TurnQueue,
        controls: Controls,
        clock: Clock,
        names: Names,
    ) -> None:
        self._settings = settings
        self._database = database
        self._queue = queue
        self._controls = controls
        self._clock = clock
        self._names = names
        self._rates = rates.Rates(settings)
        self._seen: dict[tuple[WorkspaceKey, str, str], None] = {}
        self._longest = settings.history_tokens * commands.CHARACTERS_PER_TOKEN

    async def accept(self, message: IncomingMessage) -> Accepted:
        """Stores the message and its turn. A duplicate is a normal return.

        Raises StoreUnavailable, and WrongUse for a message that chooses an assistant or model that there is not.
        """
        message = storable(message)
        brought = self._brought(message)
        if not self._may_concern_us(message) and not await self._known_place(message):
            return Accepted("ignored")
        known = (message.workspace, message.source, message.source_id)
        if known in self._seen:  # a twin or a redelivery of what is stored as addressed: nothing can be added to it
            return Accepted("duplicate")
        accepted, line, stopping = await self._database.write(
            lambda connection: self._store(connection, message, brought)
        )
        if accepted.turn is not None and line is not None:
            self._remember(known)
            self._queue.put(accepted.turn, line)
        for turn in stopping:
            self._controls.interrupt(turn)
        return accepted

    def _remember(self, known: tuple[WorkspaceKey, str, str]) -> None:
        self._seen[known] = None
        if len(self._seen) > _SEEN_AT_MOST:
            del self._seen[next(iter(self._seen))]

    def _may_concern_us(self, message: IncomingMessage) -> bool:
        return message.mentioned or message.kind in _ALONE

    async def _known_place(self, message: IncomingMessage) -> bool:
        """Busy channels are full of what is none of our business: find that out without waiting for the writer."""
        if message.root is None:
            return False
        channel, root = message.channel, message.root

        return await self._database.read(
            lambda connection: arrivals.is_known_thread(connection, message.workspace, channel, root)
        )

    def _store(
        self, connection: Connection, message: IncomingMessage, brought: Picks
    ) -> tuple[Accepted, int | None, tuple[int, ...]]:
        """The whole transaction: what became of it, the turn's line, and the turns that it stops."""
        now = self._clock.now()
        arrival = arrivals.look(connection, message)
        known = arrival.message
        if known is not None and (known.addressed or not message.mentioned):
            return Accepted("duplicate"), None, ()
        workspace = arrival.workspace or workspaces.ensure(connection, message.workspace, now)
        person = self._author(connection, workspace, message, arrival)
        found, parent = self._find(connection, workspace, message, arrival.thread)
        decision = decide(message, _standing(found, person), self._settings.follow_ups)
        if decision == "ignore":
            return Accepted("ignored"), None, ()
        asks = decision == "ask"
        command = (self._command(message) or self._too_fast(connection, workspace, person, message)) if asks else None
        if command in _ON_A_CONVERSATION and found is None and message.kind is ConversationKind.CHAIN:
            found = self._own_latest(connection, workspace, message, person)
            # A choice begins a conversation of its own: replies to it go on with what was chosen.
            command = command if found is not None or command in commands.CHOOSING else "which_conversation"
        bare = found is not None and command is None and commands.is_bare_stop(message)
        stopping: tuple[int, ...] = ()
        if command == "stop" or bare:
            stopping = tuple(self._stoppable(connection, workspace, message, found, person))
            for turn in stopping:
                turns.request_stop(connection, workspace, turn, person, now)
            command = None if stopping or decision == "context" else self._no_stop(connection, workspace, found)
            decision = "context" if stopping else decision
        picks = self._picked(message, command) if command else brought if decision == "ask" else {}
        first = int(known is None)
        changes = self._changes(found, command, decision, person, first, message)
        conversation = found or self._begin(connection, workspace, message, **changes, **picks)
        number, seq = (known.id, conversation.last_seq) if known else (None, conversation.last_seq)
        if message.quoted is not None and number is None:
            parent, seq = self._quote(connection, conversation, message.quoted, seq)
        role = "command" if command or stopping else "person"
        if number is None:
            seq += 1
            number = conversations.append(
                connection,
                workspace,
                conversation.id,
                seq=seq,
                role=role,
                source=message.source,
                source_id=message.source_id,
                person=person,
                parent=parent,
                text="" if command in _NOT_KEPT else message.text,
                addressed=decision == "ask" or bool(stopping),
                sent_at=message.sent_at,
            )
            if role == "person":
                conversations.attach(connection, workspace, number, message.attachments)
        else:
            conversations.mark_addressed(connection, number, role)
        if found is not None or seq != first:
            changes = self._changes(found, command, decision, person, seq, message)
            conversations.change(connection, conversation.id, **changes, **picks)
        if stopping:
            return Accepted("stopped"), None, stopping
        if decision != "ask":
            return Accepted("context"), None, ()
        turn = turns.put(
            connection, workspace, conversation.id, number, address=dict(message.address), command=command, now=now
        )
        line = turns.line(turn, conversation.id, command)
        self._queue.defer(connection, message.workspace.platform, turn, line)
        return Accepted("turn", turn), line, ()

    def _author(self, connection: Connection, workspace: int, message: IncomingMessage, arrival: Arrival) -> int:
        if arrival.person is not None and message.root is not None:
            return arrival.person
        # Without a root its conversation is the one that they spoke in last: two first messages must not begin two.
        return workspaces.ensure_person(connection, workspace, message.author, lock=message.root is None)

    def _find(
        self, connection: Connection, workspace: int, message: IncomingMessage, thread: int | None
    ) -> tuple[Conversation | None, int | None]:
        """The conversation that a message belongs to, and the stored message that it replies to."""
        if message.root is not None:
            if thread is None:
                return None, None  # one that is begun at this moment keeps us from beginning it again: we are run anew
            return conversations.by_root(connection, workspace, message.channel, message.root, lock=True), None
        if message.reply_to is not None:
            found = conversations.by_message(connection, workspace, message.reply_to, lock=True)
            if found is not None or message.kind is ConversationKind.CHAIN:
                return found or (None, None)
        if message.kind is ConversationKind.DM:
            since = conversations.recently(self._clock.now())
            return conversations.latest(connection, workspace, message.channel, message.kind, since, lock=True), None
        return None, None

    def _begin(
        self, connection: Connection, workspace: int, message: IncomingMessage, **values: object
    ) -> Conversation:
        root = message.root or message.source_id
        begun, now = root == message.source_id, self._clock.now()
        return conversations.begin(connection, workspace, message, root, begun_with_bot=begun, now=now, **values)

    def _quote(self, connection: Connection, conversation: Conversation, quoted: Quoted, seq: int) -> tuple[int, int]:
        """Keeps the message that was replied to as context; returns its number and the last seq."""
        known = conversations.known(connection, conversation.workspace, "message", quoted.source_id)
        if known is not None:
            return known.id, seq
        person = workspaces.ensure_person(connection, conversation.workspace, quoted.author)
        number = conversations.append(
            connection,
            conversation.workspace,
            conversation.id,
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

    def _stoppable(
        self, connection: Connection, workspace: int, message: IncomingMessage, found: Conversation | None, person: int
    ) -> list[int]:
        """An admin stops everybody's answers in a conversation, others their own. Without one: their own there."""
        return turns.unfinished(
            connection,
            workspace,
            message.channel,
            conversation=found.id if found else None,
            asker=None if message.author.admin and found else person,
        )

    def _own_latest(
        self, connection: Connection, workspace: int, message: IncomingMessage, person: int
    ) -> Conversation | None:
        """The newest chain of replies in a channel, if this person asked in it last."""
        latest = conversations.latest(connection, workspace, message.channel, ConversationKind.CHAIN, lock=True)
        return latest if latest is not None and latest.asker == person else None

    def _no_stop(self, connection: Connection, workspace: int, found: Conversation | None) -> str:
        """Why nothing was stopped: nothing runs, or it is somebody else's."""
        others = found and turns.unfinished(connection, workspace, found.channel, conversation=found.id, asker=None)
        return "stop_not_yours" if others else "nothing_to_stop"

    def _command(self, message: IncomingMessage) -> str | None:
        allowed = self._settings.allowed_workspaces
        if allowed and message.workspace != LOCAL and str(message.workspace) not in allowed:
            return "workspace_not_allowed"
        if message.author.external and not self._settings.allow_external:
            return "external"
        command = commands.parse(message, longest=self._longest)
        return None if command in commands.CHOOSING and self._is_a_sentence(message) else command

    def _too_fast(self, connection: Connection, workspace: int, person: int, message: IncomingMessage) -> str | None:
        key, now = message.workspace, self._clock.now()
        whose = self._rates.exceeded(connection, key, workspace, person, message.sent_at, now)
        return None if whose is None else rates.COMMANDS[whose]

    def _brought(self, message: IncomingMessage) -> Picks:
        """What the message chooses beside its question. Raises WrongUse."""
        named: tuple[tuple[What, str | None], ...] = (("assistant", message.assistant), ("model", message.model))
        return {what: self._names.pick(what, name) for what, name in named if name is not None}

    def _picked(self, message: IncomingMessage, command: str) -> Picks:
        """What the command "assistant NAME" or "model NAME" chooses; nothing for a name that is not known."""
        what, name = commands.choosing(message.text) or ("assistant", "")
        if command != what or not name or self._names.problem(what, name) is not None:
            return {}
        return {what: self._names.pick(what, name)}

    def _is_a_sentence(self, message: IncomingMessage) -> bool:
        """Whether "model trains", said without a mention, names nothing that could be chosen: then it is an answer.

        On servers of one's own any name could be: there a choice needs a mention, or a direct message.
        """
        what, name = commands.choosing(message.text) or ("assistant", "")
        if not name or message.mentioned:
            return False
        if what == "model" and self._settings.self_hosted:
            return message.kind not in _ALONE
        problem = self._names.problem(what, name)
        return problem is not None and not problem.values["near"]

    def _changes(
        self,
        conversation: Conversation | None,
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
        elif conversation is None or conversation.asker != person:
            changes["others_since"] = True
        if message.parent_channel is not None:
            changes["parent_channel"] = message.parent_channel
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
