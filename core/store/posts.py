"""Posts (our messages on a platform) and controls (our buttons)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select, update

from core.messages import Post
from core.ports import TurnLost
from core.store import tables
from core.store.database import Connection, Database

_post = tables.Post.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_control = tables.Control.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Control:
    """A button. `owner` is the platform's id of the person whom it belongs to."""

    id: str
    turn: int
    kind: str
    owner: str


# Built once: to build a statement costs about as much as to run it.
_THIS_POST = and_(
    _post.c.workspace_id == bindparam("workspace"),
    _post.c.turn_id == bindparam("turn"),
    _post.c.ordinal == bindparam("number"),
)
_ADD_POST = insert(_post)
_CHANGE_POST = update(_post).where(_THIS_POST)
_DROP_POST = delete(_post).where(_THIS_POST)
_ADD_CONTROL = insert(_control)
# Locked, so that nobody takes the turn between the look and the change.
_WHOSE_TURN = (
    select(_turn.c.state, _turn.c.attempt).where(_turn.c.id == bindparam("turn")).with_for_update(key_share=True)
)


class StoredPosts:
    """The posts of one attempt at a turn, in the database: only while the turn is that attempt's, or over.

    All raise StoreUnavailable, and TurnLost when somebody else goes on with the turn.
    """

    def __init__(self, database: Database, workspace: int, turn: int, attempt: int) -> None:
        self._database = database
        self._workspace = workspace
        self._turn = turn
        self._attempt = attempt

    async def add(self, ordinal: int, platform_id: str, start: int) -> None:
        values = {"platform_id": platform_id, "start": start, "closed": False}

        def replace(connection: Connection) -> None:
            if connection.execute(_CHANGE_POST, self._which(ordinal) | values).rowcount == 0:
                its = {"workspace_id": self._workspace, "turn_id": self._turn, "ordinal": ordinal}
                connection.execute(_ADD_POST, its | values)

        await self._write(replace, after_its_end=False)  # a turn that is over has all its posts

    async def close(self, ordinal: int) -> None:
        closed = self._which(ordinal) | {"closed": True}
        await self._write(lambda connection: connection.execute(_CHANGE_POST, closed), after_its_end=True)

    async def drop(self, ordinal: int) -> None:
        which = self._which(ordinal)
        await self._write(lambda connection: connection.execute(_DROP_POST, which), after_its_end=True)

    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        """Those of them that are posts of any turn of this workspace."""
        query = select(_post.c.platform_id).where(
            _post.c.workspace_id == self._workspace, _post.c.platform_id.in_(list(platform_ids))
        )
        return await self._database.read(lambda connection: frozenset(connection.execute(query).scalars()))

    async def _write(self, change: Callable[[Connection], object], *, after_its_end: bool) -> None:
        def fenced(connection: Connection) -> None:
            turn = connection.execute(_WHOSE_TURN, {"turn": self._turn}).one()
            ours = turn.state == "running" and turn.attempt == self._attempt
            if not (ours or (after_its_end and turn.state not in ("queued", "running"))):
                raise TurnLost
            change(connection)

        await self._database.write(fenced)

    def _which(self, ordinal: int) -> dict[str, Any]:
        return {"workspace": self._workspace, "turn": self._turn, "number": ordinal}


def of_turn(connection: Connection, workspace: int, turn: int) -> tuple[Post, ...]:
    """The posts of a turn, in order."""
    query = select(_post).where(_post.c.workspace_id == workspace, _post.c.turn_id == turn).order_by(_post.c.ordinal)
    rows = connection.execute(query).all()
    return tuple(Post(row.ordinal, row.platform_id, row.start, row.closed) for row in rows)


def close(connection: Connection, workspace: int, turn: int, ordinals: Sequence[int]) -> None:
    """Closes posts of a turn, in the transaction that ends it or gives it back."""
    rows = [{"workspace": workspace, "turn": turn, "number": ordinal, "closed": True} for ordinal in ordinals]
    if rows:
        connection.execute(_CHANGE_POST, rows)


def add_control(
    connection: Connection, workspace: int, turn: int, kind: str, person: int, new_id: str, now: datetime
) -> str:
    """Makes a turn's button of that kind; returns its id."""
    row = {"id": new_id, "workspace_id": workspace, "turn_id": turn, "kind": kind, "person_id": person}
    connection.execute(_ADD_CONTROL, row | {"created_at": now})
    return new_id


def control_of(connection: Connection, workspace: int, turn: int, kind: str) -> str | None:
    """The id of a turn's button of that kind, if it has one."""
    query = select(_control.c.id).where(
        _control.c.workspace_id == workspace, _control.c.turn_id == turn, _control.c.kind == kind
    )
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def unused_control(connection: Connection, workspace: int, turn: int, kind: str) -> str | None:
    """The id of a turn's button of that kind that nobody has pressed with effect, if it has one."""
    query = select(_control.c.id).where(
        _control.c.workspace_id == workspace,
        _control.c.turn_id == turn,
        _control.c.kind == kind,
        _control.c.used_at.is_(None),
    )
    found = connection.execute(query).scalar()
    return None if found is None else str(found)


def control(connection: Connection, workspace: int, control_id: str) -> Control | None:
    """A button by its id, within its workspace."""
    query = (
        select(_control, _person.c.external_id)
        .join_from(_control, _person, _person.c.id == _control.c.person_id)
        .where(_control.c.workspace_id == workspace, _control.c.id == control_id)
    )
    row = connection.execute(query).first()
    return Control(row.id, row.turn_id, row.kind, row.external_id) if row else None


def use_control(connection: Connection, control_id: str, now: datetime) -> bool:
    """Marks a button as pressed with effect. False: it was so before, by whomever."""
    fresh = update(_control).where(_control.c.id == control_id, _control.c.used_at.is_(None))
    return connection.execute(fresh.values(used_at=now)).rowcount == 1
