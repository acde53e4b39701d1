"""Questions that came too long ago to be answered by themselves, and the one notice that a channel gets of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update

from core.messages import WorkspaceKey
from core.store import conversations, posts, tables, turns
from core.store.database import Connection

_notice = tables.MissedNotice.__table__  # type: ignore[attr-defined]
_question = tables.MissedQuestion.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]

ANSWER_NOW = "answer_now"  # the kind of the notice's control
HELD = "held"  # the state of a turn that waits for it
PREFIX = "now."  # of such a control's id; other ids have no dot in them
_CLAIM = timedelta(seconds=30)  # longer than the calls that post a notice can take


@dataclass(frozen=True, slots=True)
class MissedNotice:
    """A notice to be posted. `sought`: an earlier try may have posted it: look first. `since`: when it was begun."""

    id: int
    workspace: WorkspaceKey
    channel: str
    control: str
    since: datetime
    sought: bool


def hold(connection: Connection, turn: int, now: datetime) -> bool:
    """queued → held, on the open notice of the turn's channel, which is begun if need be.

    False: it is a command, whose late answer would help nobody; the turn is cancelled.
    """
    query = (
        select(_turn.c.workspace_id, _turn.c.command, _conversation.c.channel, _message.c.person_id)
        .join_from(_turn, _conversation, _conversation.c.id == _turn.c.conversation_id)
        .join(_message, _message.c.id == _turn.c.message_id)
        .where(_turn.c.id == turn)
    )
    row = connection.execute(query).one()
    if row.command is not None:
        _change(connection, [turn], "queued", "cancelled", finished_at=now, outcome="cancelled")
        return False
    _change(connection, [turn], "queued", HELD)
    notice = _open(connection, row.workspace_id, row.channel)
    if notice is None:
        notice = _begin(connection, row.workspace_id, row.channel, turn, row.person_id, now)
    connection.execute(insert(_question).values(turn_id=turn, notice_id=notice))
    return True


def to_post(connection: Connection, platform: str) -> list[int]:
    """The notices of a platform that are still to be posted, oldest first."""
    query = (
        select(_notice.c.id)
        .join_from(_notice, _workspace, _workspace.c.id == _notice.c.workspace_id)
        .where(_workspace.c.platform == platform, _notice.c.posted_at.is_(None))
    )
    return [int(number) for number in connection.execute(query.order_by(_notice.c.id)).scalars()]


def claim(connection: Connection, notice: int, now: datetime, *, alone: bool) -> MissedNotice | None:
    """The notice, if it is to be posted and nobody else is at it. `alone`: there is nobody else."""
    query = (
        select(_notice, _workspace.c.platform, _workspace.c.external_id)
        .join_from(_notice, _workspace, _workspace.c.id == _notice.c.workspace_id)
        .where(_notice.c.id == notice, _notice.c.posted_at.is_(None))
        .with_for_update(of=_notice)
    )
    row = connection.execute(query).one_or_none()
    if row is None or (not alone and row.claimed_until is not None and row.claimed_until > now):
        return None
    connection.execute(update(_notice).where(_notice.c.id == notice).values(claimed_until=now + _CLAIM))
    key = WorkspaceKey(row.platform, row.external_id)
    return MissedNotice(row.id, key, row.channel, row.control_id, row.created_at, row.claimed_until is not None)


def leave(connection: Connection, notice: int, now: datetime) -> None:
    """Nobody is at it any more, and it may have been posted: anybody may claim it."""
    mine = update(_notice).where(_notice.c.id == notice, _notice.c.posted_at.is_(None))
    connection.execute(mine.values(claimed_until=now))


def posted(connection: Connection, notice: int, platform_id: str | None, now: datetime) -> None:
    """It stands there now. None: its channel does not take it."""
    done = update(_notice).where(_notice.c.id == notice)
    connection.execute(done.values(platform_id=platform_id, posted_at=now))


def askers(connection: Connection, workspace: int, control: str) -> frozenset[str] | None:
    """The platform's ids of those whose questions a control's notice speaks of; None where there is none."""
    query = (
        select(_person.c.external_id)
        .join_from(_notice, _question, _question.c.notice_id == _notice.c.id)
        .join(_turn, _turn.c.id == _question.c.turn_id)
        .join(_message, _message.c.id == _turn.c.message_id)
        .join(_person, _person.c.id == _message.c.person_id)
        .where(_notice.c.workspace_id == workspace, _notice.c.control_id == control)
    )
    return frozenset(connection.execute(query).scalars()) or None


def answer(connection: Connection, control: str, now: datetime) -> list[tuple[int, int]] | None:
    """held → queued for the questions of a notice, as (turn, line) in order. None: its control was used before."""
    query = (
        select(_turn.c.id, _turn.c.conversation_id, _turn.c.workspace_id)
        .join_from(_question, _notice, _notice.c.id == _question.c.notice_id)
        .join(_turn, _turn.c.id == _question.c.turn_id)
        .where(_notice.c.control_id == control, _turn.c.state == HELD)
        .order_by(_turn.c.id)
    )
    rows = connection.execute(query).all()
    # Conversations are locked before their turns, in one order, as by those who accept messages: no deadlock.
    for conversation, workspace in sorted({(row.conversation_id, row.workspace_id) for row in rows}):
        conversations.by_id(connection, workspace, conversation, lock=True)
    if not posts.use_control(connection, control, now):
        return None
    _change(connection, [row.id for row in rows], HELD, "queued")
    return [(row.id, turns.line(row.id, row.conversation_id, None)) for row in rows]


def _open(connection: Connection, workspace: int, channel: str) -> int | None:
    # PostgreSQL: two processes that hold the first question of a channel at once must not begin two notices.
    connection.execute(select(_workspace.c.id).where(_workspace.c.id == workspace).with_for_update())
    query = select(_notice.c.id).where(
        _notice.c.workspace_id == workspace, _notice.c.channel == channel, _notice.c.posted_at.is_(None)
    )
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def _begin(connection: Connection, workspace: int, channel: str, turn: int, person: int, now: datetime) -> int:
    new_id = f"{PREFIX}{secrets.token_urlsafe(12)}"
    control = posts.add_control(connection, workspace, turn, ANSWER_NOW, person, new_id, now)
    row = insert(_notice).values(workspace_id=workspace, channel=channel, control_id=control, created_at=now)
    return int(connection.execute(row.returning(_notice.c.id)).scalar_one())


def _change(connection: Connection, numbers: list[int], before: str, after: str, **values: object) -> None:
    mine = update(_turn).where(_turn.c.id.in_(numbers), _turn.c.state == before)
    connection.execute(mine.values(state=after, **values))
