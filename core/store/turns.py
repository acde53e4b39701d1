"""Turns: their states change by compare-and-set on (id, state, attempt)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import bindparam, exists, func, insert, select, update

from core.messages import Answer, Notice, Outcome
from core.store import tables
from core.store.database import Connection

_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_message = tables.Message.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]

LEASE = timedelta(seconds=6)  # and a second for skew, and a sweep each second: a dead worker is replaced in time
UNFINISHED = ("queued", "running")


@dataclass(frozen=True, slots=True)
class Turn:
    """A claimed turn with what is needed to run it. `answer` is set when an earlier attempt already had one.

    `stale_from`: when the lease of an earlier owner ended that did not give it back: a write of it may still arrive.
    """

    id: int
    attempt: int
    workspace: int
    platform: str
    workspace_id: str
    zone: str | None
    conversation: int
    message: int
    question: str
    asked: str
    asker: str
    asker_number: int
    command: str | None
    address: dict[str, str]
    stop_requested: bool
    answer_id: int | None
    outcome: str | None
    notices: tuple[Notice, ...]
    created_at: datetime
    stale_from: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """What a turn that is over ended with; without an outcome it has no answer that was kept."""

    answer_id: int | None
    outcome: Outcome | None
    notices: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """The question that a turn answers, as it is asked again. `ordinal`: that of its newest turn."""

    conversation: int
    message: int
    ordinal: int
    address: dict[str, str]


def question(connection: Connection, workspace: int, turn: int) -> Question | None:
    """The question of a turn; None where it is gone."""
    others = _turn.alias("others")
    newest = select(func.max(others.c.ordinal)).where(others.c.message_id == _turn.c.message_id).scalar_subquery()
    query = (
        select(_turn.c.conversation_id, _turn.c.message_id, _turn.c.address, newest.label("newest"))
        .join_from(_turn, _message, _message.c.id == _turn.c.message_id)
        .where(_turn.c.workspace_id == workspace, _turn.c.id == turn, _message.c.deleted_at.is_(None))
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Question(row.conversation_id, row.message_id, row.newest, row.address)


def put(
    connection: Connection,
    workspace: int,
    conversation: int,
    message: int,
    *,
    address: dict[str, str],
    command: str | None,
    now: datetime,
    ordinal: int = 1,
    supersedes: int | None = None,
) -> int:
    """Queues a turn of a message; returns its number.

    `supersedes`: the turn whose question is asked again, `ordinal` then being one that the message has not had yet.
    """
    values = {
        "workspace_id": workspace,
        "conversation_id": conversation,
        "message_id": message,
        "cause": "asked",
        "ordinal": ordinal,
        "supersedes": supersedes,
        "command": command,
        "address": address,
        "created_at": now,
    }
    return int(connection.execute(_PUT, values).scalar_one())


# Built once: to build a statement costs about as much as to run it.
_PUT = insert(_turn).returning(_turn.c.id)
_CHANGE = update(_turn).where(_turn.c.id == bindparam("number"))
_CHANGE_OURS = _CHANGE.where(_turn.c.state == bindparam("before"), _turn.c.attempt == bindparam("ours"))
_LATELY = (
    select(func.count().filter(_message.c.person_id == bindparam("person")), func.count())
    .select_from(_turn.join(_message, _message.c.id == _turn.c.message_id))
    .where(
        _turn.c.workspace_id == bindparam("workspace"),
        _turn.c.created_at > bindparam("made_after"),
        _turn.c.command.is_(None),
        _message.c.sent_at > bindparam("sent_after"),
    )
)
_CLAIMED = (
    select(_turn, _workspace.c.platform, _workspace.c.external_id, _workspace.c.zone)
    .add_columns(_message.c.source_id, _message.c.text, _message.c.person_id, _person.c.external_id.label("asker"))
    .join_from(_turn, _workspace, _workspace.c.id == _turn.c.workspace_id)
    .join(_message, _message.c.id == _turn.c.message_id)
    .join(_person, _person.c.id == _message.c.person_id)
    .where(_turn.c.id == bindparam("id"))
    .with_for_update(of=_turn, key_share=True)  # PostgreSQL: a stop asked for meanwhile is seen or comes after
)


def claim(connection: Connection, turn: int, now: datetime) -> Turn | None:
    """queued → running under a lease from `now` on, one attempt more. None: somebody else has it, or it is over."""
    row = connection.execute(_CLAIMED, {"id": turn}).one_or_none()
    if row is None or row.state != "queued":
        return None
    begun = {"state": "running", "attempt": row.attempt + 1, "lease_until": now + LEASE}
    begun["started_at"] = row.started_at or now
    if not _change(connection, turn, "queued", row.attempt, **begun):
        return None
    return Turn(
        id=row.id,
        attempt=row.attempt + 1,
        workspace=row.workspace_id,
        platform=row.platform,
        workspace_id=row.external_id,
        zone=row.zone,
        conversation=row.conversation_id,
        message=row.message_id,
        question=row.source_id,
        asked=row.text,
        asker=row.asker,
        asker_number=row.person_id,
        command=row.command,
        address=row.address,
        stop_requested=row.stop_requested_at is not None,
        answer_id=row.answer_id,
        outcome=row.outcome,
        notices=_notices(row.notices),
        created_at=row.created_at,
        stale_from=row.lease_until,
    )


def answered(
    connection: Connection,
    turn: Turn,
    answer: Answer,
    on: date,
    *,
    saved_by: Sequence[str] = (),
    refused_by: str | None = None,
) -> bool:
    """Keeps how a running turn ends, before its last write: a later attempt only shows it again.

    `on`: the workspace's date. `saved_by`, `refused_by`: what its table says of them. False: the turn is not ours any
    more, and nothing of its answer may be kept.
    """
    values: dict[str, Any] = {
        "outcome": answer.outcome,
        "notices": [{"name": notice.name, "values": dict(notice.values)} for notice in answer.notices],
        "local_date": on,
        "saved_by": ",".join(saved_by) or None,
        "refused_by": refused_by,
    }
    return _change(connection, turn.id, "running", turn.attempt, **values)


def kept_as(connection: Connection, turn: Turn, answer_id: int) -> None:
    """Which message holds the words of the answer, in the transaction of `answered`."""
    connection.execute(_CHANGE, {"number": turn.id, "answer_id": answer_id})


def asked_lately(
    connection: Connection, workspace: int, person: int, sent_after: datetime, made_after: datetime
) -> tuple[int, int]:
    """How many questions this person, and everybody in the workspace, have lately asked of a model."""
    row = connection.execute(
        _LATELY, {"workspace": workspace, "person": person, "sent_after": sent_after, "made_after": made_after}
    ).one()
    return int(row[0]), int(row[1])


def ended(connection: Connection, workspace: int, turn: int) -> Ended | None:
    """How a turn ended; None while it has not."""
    query = select(_turn.c.state, _turn.c.answer_id, _turn.c.outcome, _turn.c.notices)
    row = connection.execute(query.where(_turn.c.workspace_id == workspace, _turn.c.id == turn)).one_or_none()
    if row is None or row.state in UNFINISHED:
        return None
    return Ended(row.answer_id, cast("Outcome | None", row.outcome), _notices(row.notices))


def is_over(connection: Connection, turn: int) -> bool:
    """Whether a turn neither waits nor runs, or is gone."""
    state = connection.execute(select(_turn.c.state).where(_turn.c.id == turn)).scalar()
    return state not in UNFINISHED


def finish(connection: Connection, turn: Turn, outcome: str, now: datetime) -> bool:
    """running → done, failed or cancelled. False: the turn was not ours any more."""
    values = {"state": outcome, "finished_at": now, "lease_until": None}
    return _change(connection, turn.id, "running", turn.attempt, **values)


def give_back(connection: Connection, turn: Turn) -> bool:
    """running → queued: drained, to be run again."""
    return _change(connection, turn.id, "running", turn.attempt, state="queued", lease_until=None)


def take_up(connection: Connection, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
    """What is unfinished of these platforms as (turn, conversation), oldest first; running → queued.

    Only for the one process that holds the file's lock: nobody else can be running any of them.
    """
    ours = exists().where(_workspace.c.id == _turn.c.workspace_id, _workspace.c.platform.in_(platforms))
    connection.execute(update(_turn).where(_turn.c.state == "running", ours).values(state="queued", lease_until=None))
    return queued(connection, platforms)


def expire(connection: Connection, platform: str, now: datetime) -> int:
    """Fails what a dead process of that platform left running past its lease; returns how many."""
    theirs = exists().where(_workspace.c.id == _turn.c.workspace_id, _workspace.c.platform == platform)
    late = update(_turn).where(_turn.c.state == "running", theirs, _turn.c.lease_until < now)
    result = connection.execute(late.values(state="failed", outcome="failed", finished_at=now))
    return int(result.rowcount)


def request_stop(connection: Connection, workspace: int, turn: int, person: int, now: datetime) -> bool:
    """Asks an unfinished turn to stop. False: it is over."""
    asked = (
        update(_turn)
        .where(_turn.c.workspace_id == workspace, _turn.c.id == turn, _turn.c.state.in_(UNFINISHED))
        .values(stop_requested_at=now, stopped_by=person)
    )
    return connection.execute(asked).rowcount == 1


def unfinished(
    connection: Connection, workspace: int, channel: str, *, conversation: int | None, asker: int | None
) -> list[int]:
    """The turns in a channel that are queued or running and ask a model, oldest first; None: of any."""
    query = (
        select(_turn.c.id)
        .join_from(_turn, _conversation, _conversation.c.id == _turn.c.conversation_id)
        .join(_message, _message.c.id == _turn.c.message_id)
        .where(
            _turn.c.workspace_id == workspace,
            _conversation.c.channel == channel,
            _turn.c.state.in_(UNFINISHED),
            _turn.c.command.is_(None),
        )
    )
    if conversation is not None:
        query = query.where(_turn.c.conversation_id == conversation)
    if asker is not None:
        query = query.where(_message.c.person_id == asker)
    return [int(number) for number in connection.execute(query.order_by(_turn.c.id)).scalars()]


def running(connection: Connection, platforms: tuple[str, ...]) -> list[int]:
    """The running turns of these platforms."""
    ours = exists().where(_workspace.c.id == _turn.c.workspace_id, _workspace.c.platform.in_(platforms))
    query = select(_turn.c.id).where(_turn.c.state == "running", ours)
    return [int(number) for number in connection.execute(query).scalars()]


def take_back(connection: Connection, lost: list[int]) -> None:
    """running → queued for turns that nobody runs any more; only for the holder of the file's lock."""
    mine = update(_turn).where(_turn.c.id.in_(lost), _turn.c.state == "running")
    connection.execute(mine.values(state="queued", lease_until=None))


def queued(connection: Connection, platforms: tuple[str, ...]) -> list[tuple[int, int]]:
    """The queued turns of these platforms as (turn, line), oldest first."""
    ours = exists().where(_workspace.c.id == _turn.c.workspace_id, _workspace.c.platform.in_(platforms))
    query = select(_turn.c.id, _turn.c.conversation_id, _turn.c.command).where(_turn.c.state == "queued", ours)
    rows = connection.execute(query.order_by(_turn.c.id)).all()
    return [(row.id, line(row.id, row.conversation_id, row.command)) for row in rows]


def line(turn: int, conversation: int, command: str | None) -> int:
    """The line in which a turn waits: its conversation's, or one of its own for a command, which waits for nobody."""
    return conversation if command is None else -turn


def counts(connection: Connection) -> dict[str, int]:
    """How many turns are in each unfinished state."""
    query = select(_turn.c.state, func.count()).where(_turn.c.state.in_(UNFINISHED)).group_by(_turn.c.state)
    return {row[0]: row[1] for row in connection.execute(query).all()}


def _change(connection: Connection, turn: int, before: str, ours: int, /, **values: Any) -> bool:
    """Compare-and-set: only where the turn is in the state `before` at the attempt `ours`."""
    whose = {"number": turn, "before": before, "ours": ours}
    return connection.execute(_CHANGE_OURS, whose | values).rowcount == 1


def _notices(stored: list[dict[str, Any]] | None) -> tuple[Notice, ...]:
    return tuple(Notice(item["name"], item["values"]) for item in stored or ())
