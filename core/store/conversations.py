"""Conversations and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, bindparam, func, insert, select, update

from core.messages import Attachment, ConversationKind, IncomingMessage
from core.store import documents, tables
from core.store.database import Connection
from core.store.documents import Page

_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]
_attachment = tables.Attachment.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_post = tables.Post.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as stored. `asker`: the person whose question came last, by own number."""

    id: int
    workspace: int
    kind: ConversationKind
    channel: str
    root: str
    begun_with_bot: bool
    left: bool
    last_seq: int
    history_from_seq: int
    trimmed_to_seq: int
    asker: int | None
    others_since: bool


@dataclass(frozen=True, slots=True)
class KnownMessage:
    """What is stored of a message that came again."""

    id: int
    conversation: int
    addressed: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a history. `author` is None for the bot's own."""

    id: int
    seq: int
    author: str | None
    text: str
    attachments: tuple[StoredAttachment, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A file of a message; `page` is set where it is an image of a document's page."""

    id: int
    message: int
    file: Attachment
    state: str
    sha256: str | None
    refusal: str | None
    page: Page | None = None


# Built once: to build a statement costs about as much as to run it.
_SHOWN: tuple[ColumnElement[Any], ...] = (
    *(_conversation.c.id, _conversation.c.workspace_id, _conversation.c.kind, _conversation.c.channel),
    *(_conversation.c.root, _conversation.c.begun_with_bot, _conversation.c.left, _conversation.c.last_seq),
    *(_conversation.c.history_from_seq, _conversation.c.trimmed_to_seq),
    *(_conversation.c.asker_id, _conversation.c.others_since),
)
_BY_ROOT = select(*_SHOWN).where(
    _conversation.c.workspace_id == bindparam("workspace"),
    _conversation.c.channel == bindparam("channel"),
    _conversation.c.root == bindparam("root"),
)
_BY_ID = select(*_SHOWN).where(
    _conversation.c.workspace_id == bindparam("workspace"), _conversation.c.id == bindparam("id")
)
# PostgreSQL: whoever changes a conversation by what it read of it waits for the one before; rows that only point to it
# may be added meanwhile. SQLite has one writer and leaves the clause out.
_BY_ROOT_LOCKED, _BY_ID_LOCKED = (query.with_for_update(key_share=True) for query in (_BY_ROOT, _BY_ID))
_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = (
    select(*_SHOWN)
    .where(
        _conversation.c.workspace_id == bindparam("workspace"),
        _conversation.c.channel == bindparam("channel"),
        _conversation.c.kind == bindparam("kind"),
        _conversation.c.last_at >= bindparam("since"),
    )
    .order_by(_conversation.c.last_at.desc(), _conversation.c.id.desc())
    .limit(1)
)
_LATEST_LOCKED = _LATEST.with_for_update(key_share=True)
_BEGIN = insert(_conversation).returning(_conversation.c.id)
_CHANGE = update(_conversation).where(_conversation.c.id == bindparam("number"))
_COUNT = _CHANGE.values(last_seq=_conversation.c.last_seq + 1).returning(_conversation.c.last_seq)
_APPEND = insert(_message).returning(_message.c.id)
_ATTACH = insert(_attachment)
_KNOWN = select(_message.c.id, _message.c.conversation_id, _message.c.addressed).where(
    _message.c.workspace_id == bindparam("workspace"),
    _message.c.source == bindparam("source"),
    _message.c.source_id == bindparam("id"),
)


def by_root(
    connection: Connection, workspace: int, channel: str, root: str, *, lock: bool = False
) -> Conversation | None:
    """The conversation of a thread. `lock`: nobody else changes it until the transaction ends."""
    values = {"workspace": workspace, "channel": channel, "root": root}
    return _read(connection.execute(_BY_ROOT_LOCKED if lock else _BY_ROOT, values).first())


def by_id(connection: Connection, workspace: int, conversation: int, *, lock: bool = False) -> Conversation:
    """A conversation that there is. `lock`: nobody else changes it until the transaction ends."""
    query = _BY_ID_LOCKED if lock else _BY_ID
    found = _read(connection.execute(query, {"workspace": workspace, "id": conversation}).first())
    assert found is not None  # noqa: S101 - callers hold an id that a foreign key keeps alive
    return found


def by_message(
    connection: Connection, workspace: int, source_or_post: str, *, lock: bool = False
) -> tuple[Conversation, int] | None:
    """The conversation that holds a message or post of the platform, and the stored message's number.

    A post stands for its answer; while there is none, for the question. `lock`: as in `by_id`.
    """
    said = select(_message.c.conversation_id, _message.c.id).where(
        _message.c.workspace_id == workspace,
        _message.c.source.in_(("message", "interaction")),
        _message.c.source_id == source_or_post,
    )
    found = connection.execute(said).first()
    if found is None:
        shown = (
            select(_turn.c.conversation_id, func.coalesce(_turn.c.answer_id, _turn.c.message_id).label("id"))
            .join(_turn, _turn.c.id == _post.c.turn_id)
            .where(_post.c.workspace_id == workspace, _post.c.platform_id == source_or_post)
            .select_from(_post)
        )
        found = connection.execute(shown).first()
    if found is None:
        return None
    return by_id(connection, workspace, found.conversation_id, lock=lock), found.id


def latest(
    connection: Connection,
    workspace: int,
    channel: str,
    kind: ConversationKind,
    since: datetime = _EVER,
    *,
    lock: bool = False,
) -> Conversation | None:
    """The newest conversation of that kind in a channel, spoken in after `since`. `lock`: as in `by_id`."""
    values = {"workspace": workspace, "channel": channel, "kind": kind.value, "since": since}
    return _read(connection.execute(_LATEST_LOCKED if lock else _LATEST, values).first())


def begin(
    connection: Connection,
    workspace: int,
    message: IncomingMessage,
    root: str,
    *,
    begun_with_bot: bool,
    now: datetime,
    **values: Any,
) -> Conversation:
    """Makes a conversation, `values` being what its first message changes about it; it is told as it was before."""
    begun = {
        "workspace_id": workspace,
        "kind": message.kind.value,
        "channel": message.channel,
        "root": root,
        "begun_with_bot": begun_with_bot,
        "created_at": now,
        "last_at": message.sent_at,
    }
    number = int(connection.execute(_BEGIN, begun | values).scalar_one())
    return Conversation(
        id=number,
        workspace=workspace,
        kind=message.kind,
        channel=message.channel,
        root=root,
        begun_with_bot=begun_with_bot,
        left=False,
        last_seq=0,
        history_from_seq=0,
        trimmed_to_seq=0,
        asker=None,
        others_since=False,
    )


def change(connection: Connection, conversation: int, **values: Any) -> None:
    """Sets columns of a conversation."""
    connection.execute(_CHANGE, {"number": conversation, **values})


def next_seq(connection: Connection, conversation: int, now: datetime, **values: Any) -> int:
    """Counts one message more, and sets other columns with it; returns its place in the conversation."""
    return int(connection.execute(_COUNT, {"number": conversation, "last_at": now, **values}).scalar_one())


def known(connection: Connection, workspace: int, source: str, source_id: str) -> KnownMessage | None:
    """The message, if it was stored before."""
    row = connection.execute(_KNOWN, {"workspace": workspace, "source": source, "id": source_id}).first()
    return KnownMessage(row.id, row.conversation_id, row.addressed) if row else None


def mark_addressed(connection: Connection, message: int, role: str) -> None:
    connection.execute(update(_message).where(_message.c.id == message).values(addressed=True, role=role))


def append(
    connection: Connection,
    workspace: int,
    conversation: int,
    *,
    seq: int,
    role: str,
    source: str,
    source_id: str,
    person: int | None,
    parent: int | None,
    text: str,
    addressed: bool,
    sent_at: datetime,
) -> int:
    """Adds a message; returns its number."""
    values = {
        "workspace_id": workspace,
        "conversation_id": conversation,
        "seq": seq,
        "role": role,
        "source": source,
        "source_id": source_id,
        "person_id": person,
        "parent_id": parent,
        "text": text,
        "addressed": addressed,
        "sent_at": sent_at,
    }
    return int(connection.execute(_APPEND, values).scalar_one())


def attach(connection: Connection, workspace: int, message: int, files: tuple[Attachment, ...]) -> None:
    """Remembers the files of a message, to be fetched when its turn runs."""
    rows = [
        {
            "workspace_id": workspace,
            "message_id": message,
            "platform_id": file.id,
            "name": file.name,
            "mime": file.mime,
            "size": file.size,
            "url": file.url,
        }
        for file in files
    ]
    if rows:
        connection.execute(_ATTACH, rows)


def attachments(connection: Connection, workspace: int, messages: list[int]) -> list[StoredAttachment]:
    """The files of messages, in the order in which they were sent; where a document was read, its pages instead."""
    if not messages:
        return []
    query = select(_attachment).where(_attachment.c.workspace_id == workspace, _attachment.c.message_id.in_(messages))
    rows = connection.execute(query.order_by(_attachment.c.id)).all()
    pages = documents.pages(rows)
    found = [
        StoredAttachment(
            row.id,
            row.message_id,
            Attachment(row.platform_id, row.name, row.mime, row.size, row.url),
            row.state,
            row.sha256,
            row.refusal,
            pages.get(row.id),
        )
        for row in rows
        if row.state != documents.READ
    ]
    return sorted(found, key=lambda file: (file.page.document if file.page else file.id, file.id))


def settle_attachment(
    connection: Connection, attachment: int, *, sha256: str | None = None, refusal: str | None = None
) -> None:
    """Says what became of a file: its blob, or why it is not shown."""
    state = "ready" if sha256 else "refused"
    values = {"state": state, "sha256": sha256, "refusal": refusal}
    connection.execute(update(_attachment).where(_attachment.c.id == attachment).values(**values))


def text_of(connection: Connection, workspace: int, message: int) -> str:
    query = select(_message.c.text).where(_message.c.workspace_id == workspace, _message.c.id == message)
    return str(connection.execute(query).scalar_one())


def _read(row: Row[Any] | None) -> Conversation | None:
    if row is None:
        return None
    return Conversation(
        id=row.id,
        workspace=row.workspace_id,
        kind=ConversationKind(row.kind),
        channel=row.channel,
        root=row.root,
        begun_with_bot=row.begun_with_bot,
        left=row.left,
        last_seq=row.last_seq,
        history_from_seq=row.history_from_seq,
        trimmed_to_seq=row.trimmed_to_seq,
        asker=cast("int | None", row.asker_id),
        others_since=row.others_since,
    )


def recently(now: datetime) -> datetime:
    """Since when a direct message goes on in the same conversation (INTERFACE.md: 15 minutes)."""
    return now - timedelta(minutes=15)
