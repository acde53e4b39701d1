"""A message that arrives: what is stored of it and around it, found in one statement."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, select

from core.messages import IncomingMessage, WorkspaceKey
from core.store import tables
from core.store.conversations import KnownMessage
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Own numbers, None for what is not stored yet. `person`: the author, if stored under the name of today.

    `thread`: the conversation of the message's root; `message`: what is stored of it when it came before.
    """

    workspace: int | None = None
    person: int | None = None
    thread: int | None = None
    message: KnownMessage | None = None


# Built once: to build a statement costs about as much as to run it.
_HERE = and_(_workspace.c.platform == bindparam("platform"), _workspace.c.external_id == bindparam("id"))
_AUTHOR = and_(_person.c.workspace_id == _workspace.c.id, _person.c.external_id == bindparam("author"))
_THREAD = and_(
    _conversation.c.workspace_id == _workspace.c.id,
    _conversation.c.channel == bindparam("channel"),
    _conversation.c.root == bindparam("root"),
)
_BEFORE = and_(
    _message.c.workspace_id == _workspace.c.id,
    _message.c.source == bindparam("source"),
    _message.c.source_id == bindparam("source_id"),
)
_LOOK = (
    select(
        *(_workspace.c.id.label("workspace"), _person.c.id.label("person"), _person.c.name),
        *(_conversation.c.id.label("thread"), _message.c.id.label("message")),
        *(_message.c.conversation_id, _message.c.addressed),
    )
    .select_from(_workspace)
    .outerjoin(_person, _AUTHOR)
    .outerjoin(_conversation, _THREAD)
    .outerjoin(_message, _BEFORE)
    .where(_HERE)
)
_KNOWN_THREAD = select(_conversation.c.id).join_from(_conversation, _workspace, _THREAD).where(_HERE)


def look(connection: Connection, message: IncomingMessage) -> Arrival:
    """What is stored of a message, its author and its place. Nothing is locked."""
    values = {
        "platform": message.workspace.platform,
        "id": message.workspace.id,
        "author": message.author.id,
        "channel": message.channel,
        "root": message.root,
        "source": message.source,
        "source_id": message.source_id,
    }
    row = connection.execute(_LOOK, values).first()
    if row is None:
        return Arrival()
    named = message.author.name in (row.name, message.author.id)
    known = None if row.message is None else KnownMessage(row.message, row.conversation_id, row.addressed)
    return Arrival(row.workspace, row.person if named else None, row.thread, known)


def is_known_thread(connection: Connection, key: WorkspaceKey, channel: str, root: str) -> bool:
    """Whether there is a conversation with this root."""
    values = {"platform": key.platform, "id": key.id, "channel": channel, "root": root}
    return connection.execute(_KNOWN_THREAD, values).first() is not None
