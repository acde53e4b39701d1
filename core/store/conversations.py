"""Conversations and their messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Row, and_, bindparam, case, func, insert, literal, or_, select, update

from core.messages import Attachment, ConversationKind, IncomingMessage
from core.store import tables
from core.store.database import Connection

_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]
_attachment = tables.Attachment.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_post = tables.Post.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]

SHOWN_AT_MOST = 400  # messages read for one history; older ones are beyond any budget of tokens


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
    id: int
    message: int
    file: Attachment
    state: str
    sha256: str | None
    refusal: str | None


# Built once: to build a statement costs about as much as to run it.
_BY_ROOT = select(_conversation).where(
    _conversation.c.workspace_id == bindparam("workspace"),
    _conversation.c.channel == bindparam("channel"),
    _conversation.c.root == bindparam("root"),
)
_BY_ID = select(_conversation).where(
    _conversation.c.workspace_id == bindparam("workspace"), _conversation.c.id == bindparam("id")
)
# PostgreSQL: whoever changes a conversation by what it read of it waits for the one before; rows that only point to it
# may be added meanwhile. SQLite has one writer and leaves the clause out.
_BY_ROOT_LOCKED, _BY_ID_LOCKED = (query.with_for_update(key_share=True) for query in (_BY_ROOT, _BY_ID))
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
    since: datetime | None = None,
    *,
    lock: bool = False,
) -> Conversation | None:
    """The newest conversation of that kind in a channel, spoken in after `since`. `lock`: as in `by_id`."""
    where = [
        _conversation.c.workspace_id == workspace,
        _conversation.c.channel == channel,
        _conversation.c.kind == kind.value,
    ]
    if since is not None:
        where.append(_conversation.c.last_at >= since)
    query = select(_conversation).where(*where).order_by(_conversation.c.last_at.desc(), _conversation.c.id.desc())
    query = query.limit(1)
    return _read(connection.execute(query.with_for_update(key_share=True) if lock else query).first())


def begin(
    connection: Connection, workspace: int, message: IncomingMessage, root: str, *, begun_with_bot: bool, now: datetime
) -> Conversation:
    """Makes a conversation."""
    row = insert(_conversation).values(
        workspace_id=workspace,
        kind=message.kind.value,
        channel=message.channel,
        root=root,
        begun_with_bot=begun_with_bot,
        created_at=now,
        last_at=message.sent_at,
    )
    made = _read(connection.execute(row.returning(_conversation)).first())
    assert made is not None  # noqa: S101 - an insert that returns gives its row
    return made


def change(connection: Connection, conversation: int, **values: Any) -> None:
    """Sets columns of a conversation."""
    connection.execute(update(_conversation).where(_conversation.c.id == conversation).values(**values))


def next_seq(connection: Connection, conversation: int, now: datetime) -> int:
    """Counts one message more; returns its place in the conversation."""
    counted = update(_conversation).where(_conversation.c.id == conversation)
    counted = counted.values(last_seq=_conversation.c.last_seq + 1, last_at=now)
    return int(connection.execute(counted.returning(_conversation.c.last_seq)).scalar_one())


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
    row = insert(_message).values(
        workspace_id=workspace,
        conversation_id=conversation,
        seq=seq,
        role=role,
        source=source,
        source_id=source_id,
        person_id=person,
        parent_id=parent,
        text=text,
        addressed=addressed,
        sent_at=sent_at,
    )
    return int(connection.execute(row.returning(_message.c.id)).scalar_one())


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
        connection.execute(insert(_attachment), rows)


def lines(connection: Connection, conversation: Conversation, until: int, *, from_seq: int) -> list[Line]:
    """The messages to show for a question, oldest first, the question last: at most SHOWN_AT_MOST.

    `until` is the question's number. In a chain of replies these are the question's ancestors, else everything
    from `from_seq` on that was said before it. An answer stands after its question, also where another question came
    while it was written. The question itself is there in any case.
    """
    question = _message.alias("question")
    place = case((_message.c.role == "assistant", func.coalesce(question.c.seq, _message.c.seq)), else_=_message.c.seq)
    columns = (_message.c.id, _message.c.seq, _message.c.role, _message.c.text, _person.c.name)
    if conversation.kind is ConversationKind.CHAIN:
        shown = _message.c.id.in_(_ancestors(connection, conversation.workspace, until))
    else:
        asked = select(_message.c.seq).where(_message.c.id == until).scalar_subquery()
        shown = and_(_message.c.conversation_id == conversation.id, place < asked)
    query = (
        select(*columns)
        .outerjoin_from(_message, _person, _person.c.id == _message.c.person_id)
        .outerjoin(question, question.c.id == _message.c.parent_id)
        .where(
            _message.c.workspace_id == conversation.workspace,
            _message.c.role != "command",
            _message.c.deleted_at.is_(None),
            or_(_message.c.id == until, and_(shown, place >= from_seq)),
        )
        .order_by(place.desc(), _message.c.seq.desc())
        .limit(SHOWN_AT_MOST)
    )
    rows = list(reversed(connection.execute(query).all()))
    files = attachments(connection, conversation.workspace, [row.id for row in rows if row.role == "person"])
    return [
        Line(
            row.id,
            row.seq,
            (row.name or "someone") if row.role == "person" else None,
            row.text,
            tuple(file for file in files if file.message == row.id),
        )
        for row in rows
    ]


def attachments(connection: Connection, workspace: int, messages: list[int]) -> list[StoredAttachment]:
    """The files of messages, in the order in which they were sent."""
    if not messages:
        return []
    query = select(_attachment).where(_attachment.c.workspace_id == workspace, _attachment.c.message_id.in_(messages))
    return [
        StoredAttachment(
            row.id,
            row.message_id,
            Attachment(row.platform_id, row.name, row.mime, row.size, row.url),
            row.state,
            row.sha256,
            row.refusal,
        )
        for row in connection.execute(query.order_by(_attachment.c.id)).all()
    ]


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


def _ancestors(connection: Connection, workspace: int, message: int) -> list[int]:
    """The message and what it replies to, back to the beginning, at most SHOWN_AT_MOST."""
    chain = (
        select(_message.c.id, _message.c.parent_id, literal(1).label("depth"))
        .where(_message.c.workspace_id == workspace, _message.c.id == message)
        .cte("chain", recursive=True)
    )
    older = select(_message.c.id, _message.c.parent_id, (chain.c.depth + 1).label("depth")).where(
        _message.c.id == chain.c.parent_id, chain.c.depth < SHOWN_AT_MOST
    )
    rows = connection.execute(select(chain.union_all(older).c.id))
    return [int(number) for number in rows.scalars()]


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
