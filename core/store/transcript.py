"""What was said before a question, as it is shown to the model."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from core.messages import ConversationKind
from core.store import tables
from core.store.conversations import Conversation, Line, attachments
from core.store.database import Connection

_message = tables.Message.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]

SHOWN_AT_MOST = 400  # messages read for one history; older ones are beyond any budget of tokens

_until = bindparam("until", type_=_message.c.id.type)
_from_seq = bindparam("from_seq", type_=_message.c.seq.type)
_question = _message.alias("question")
# An answer stands at its question's place, also where another question came while it was written: never after its own.
_place = case((_message.c.role == "assistant", func.coalesce(_question.c.seq, _message.c.seq)), else_=_message.c.seq)
_itself = _message.alias("itself")
_asked = select(_itself.c.seq).where(_itself.c.id == _until).scalar_subquery()
_sayable = and_(_message.c.role != "command", _message.c.deleted_at.is_(None))
# An answer whose question was asked again, and answered: the newer one stands for both.
_given_anew = and_(
    _message.c.role == "assistant",
    exists().where(_turn.c.message_id == _message.c.parent_id, _turn.c.answer_id > _message.c.id),
)


def _query(among: Subquery, shown: ColumnElement[bool]) -> Select[Any]:
    return (
        select(_message.c.id, _message.c.seq, _message.c.role, _message.c.text, _person.c.name)
        .select_from(among)
        .join(_message, _message.c.id == among.c.id)
        .outerjoin(_person, _person.c.id == _message.c.person_id)
        .outerjoin(_question, _question.c.id == _message.c.parent_id)
        .where(
            _message.c.workspace_id == bindparam("workspace"),
            _sayable,
            ~_given_anew,
            or_(_message.c.id == _until, and_(shown, _place >= _from_seq)),
        )
        .order_by(_place.desc(), _message.c.seq.desc())
        .limit(SHOWN_AT_MOST)
    )


# Found by an index, from the end, so that a long conversation costs no more than a short one. As many again as are
# shown: the order of their places is not quite the order in which they were written.
_newest = (
    select(_message.c.id)
    .where(
        _message.c.conversation_id == bindparam("conversation"),
        _message.c.seq >= _from_seq,
        _sayable,
        or_(_message.c.seq < _asked, _message.c.role == "assistant"),
    )
    .order_by(_message.c.seq.desc())
    .limit(2 * SHOWN_AT_MOST)
    .subquery("newest")
)
_of_conversation = union_all(select(_newest.c.id), select(_until.label("id"))).subquery("said")

_chain = (
    select(_message.c.id, _message.c.parent_id, literal(1).label("depth"))
    .where(_message.c.workspace_id == bindparam("workspace"), _message.c.id == _until)
    .cte("chain", recursive=True)
)
_ancestors = _chain.union_all(
    select(_message.c.id, _message.c.parent_id, (_chain.c.depth + 1).label("depth")).where(
        _message.c.id == _chain.c.parent_id, _chain.c.depth < SHOWN_AT_MOST
    )
)
# Built once: to build a statement costs about as much as to run it.
_IN_CONVERSATION = _query(_of_conversation, _place < _asked)
_IN_CHAIN = _query(select(_ancestors.c.id).subquery("said"), literal(value=True))


def lines(connection: Connection, conversation: Conversation, until: int, *, from_seq: int) -> list[Line]:
    """The messages to show for a question, oldest first, the question last: at most SHOWN_AT_MOST.

    `until` is the question's number. In a chain of replies these are the question's ancestors, else everything
    from `from_seq` on that was said before it. The question itself is there in any case.
    """
    values: dict[str, Any] = {"workspace": conversation.workspace, "until": until, "from_seq": from_seq}
    if conversation.kind is ConversationKind.CHAIN:
        found = connection.execute(_IN_CHAIN, values)
    else:
        found = connection.execute(_IN_CONVERSATION, values | {"conversation": conversation.id})
    rows = list(reversed(found.all()))
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
