"""What was said lately in a channel, over its conversations, for a model that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, func, select

from core.messages import ConversationKind
from core.store import tables
from core.store.database import Connection

_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]

TEXT_SHOWN = 2000  # characters of one message
_LOOKED_AT = TEXT_SHOWN + 5000  # characters of one message in which secrets are looked for: none is cut in two first
_CONVERSATIONS = 200  # the newest of a channel that are looked through
_OPEN = (ConversationKind.THREAD, ConversationKind.CHAT, ConversationKind.CHAIN)
# Slack's direct messages and its older private channels and group messages, known by their ids until more is stored.
_CLOSED_CHANNELS = ("D", "G")


@dataclass(frozen=True, slots=True)
class RecentMessage:
    """A message, at most TEXT_SHOWN characters of it. `author` is None for the bot's own; `sent_at` is UTC."""

    author: str | None
    text: str
    sent_at: datetime


# Built once: to build a statement costs about as much as to run it.
_newest = (
    select(_conversation.c.id, _conversation.c.history_from_seq)
    .where(
        _conversation.c.workspace_id == bindparam("workspace"),
        _conversation.c.channel == bindparam("channel"),
        _conversation.c.kind.in_([kind.value for kind in _OPEN]),
        _conversation.c.id != bindparam("besides"),
    )
    .order_by(_conversation.c.last_at.desc(), _conversation.c.id.desc())
    .limit(_CONVERSATIONS)
    .subquery("newest")
)
_RECENT = (
    select(
        _message.c.role,
        func.substr(_message.c.text, 1, _LOOKED_AT).label("text"),
        _message.c.sent_at,
        _person.c.name,
    )
    .join_from(_message, _newest, _newest.c.id == _message.c.conversation_id)
    .outerjoin(_person, _person.c.id == _message.c.person_id)
    .where(
        _message.c.workspace_id == bindparam("workspace"),
        _message.c.role.in_(["person", "assistant"]),
        _message.c.deleted_at.is_(None),
        _message.c.seq >= _newest.c.history_from_seq,
        _message.c.text != "",
    )
    .order_by(_message.c.sent_at.desc(), _message.c.id.desc())
    .limit(bindparam("limit"))
)


def recent_in_channel(
    connection: Connection,
    workspace: int,
    channel: str,
    *,
    limit: int,
    besides: int | None = None,
    conceal: Callable[[str], str] = str,
) -> list[RecentMessage]:
    """The newest messages of a channel's open conversations, oldest first, `limit` at most.

    Never of direct messages, private answers or the terminal, nor what was deleted or lies before a reset.
    `besides`: a conversation to leave out, since the model sees it anyway. `conceal`: takes out what nobody may see.
    """
    if channel.startswith(_CLOSED_CHANNELS):
        return []
    values = {"workspace": workspace, "channel": channel, "limit": limit, "besides": besides or 0}
    return [
        RecentMessage(
            None if row.role == "assistant" else row.name or "someone", conceal(row.text)[:TEXT_SHOWN], row.sent_at
        )
        for row in reversed(connection.execute(_RECENT, values).all())
    ]
