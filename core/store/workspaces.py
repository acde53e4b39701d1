"""Workspaces and the people in them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import bindparam, insert, select, update

from core.messages import Person, WorkspaceKey
from core.store import tables
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]

# Built once: to build a statement costs about as much as to run it.
_FIND = select(_workspace.c.id).where(
    _workspace.c.platform == bindparam("platform"), _workspace.c.external_id == bindparam("id")
)
_FIND_PERSON = select(_person.c.id, _person.c.name).where(
    _person.c.workspace_id == bindparam("workspace"), _person.c.external_id == bindparam("id")
)
_FIND_PERSON_LOCKED = _FIND_PERSON.with_for_update(key_share=True)


def find(connection: Connection, key: WorkspaceKey) -> int | None:
    """The workspace's own number, or None when nothing of it is stored."""
    return connection.execute(_FIND, {"platform": key.platform, "id": key.id}).scalar()


def ensure(connection: Connection, key: WorkspaceKey, now: datetime) -> int:
    """The workspace's own number; it is made when new."""
    if (known := find(connection, key)) is not None:
        return known
    row = insert(_workspace).values(platform=key.platform, external_id=key.id, created_at=now)
    return int(connection.execute(row.returning(_workspace.c.id)).scalar_one())


def ensure_person(connection: Connection, workspace: int, person: Person, *, lock: bool = False) -> int:
    """The person's own number; made when new, renamed when the name has changed.

    `lock`: what else they say at this moment waits until the transaction ends (PostgreSQL; SQLite has one writer).
    """
    query = _FIND_PERSON_LOCKED if lock else _FIND_PERSON
    known = connection.execute(query, {"workspace": workspace, "id": person.id}).first()
    if known is None:
        row = insert(_person).values(workspace_id=workspace, external_id=person.id, name=person.name)
        return int(connection.execute(row.returning(_person.c.id)).scalar_one())
    if person.name not in (known.name, person.id):
        connection.execute(update(_person).where(_person.c.id == known.id).values(name=person.name))
    return int(known.id)


def find_person(connection: Connection, workspace: int, external_id: str) -> int | None:
    """The person's own number, or None."""
    return connection.execute(_FIND_PERSON, {"workspace": workspace, "id": external_id}).scalar()


def choose(connection: Connection, workspace: int, what: Literal["assistant", "model"], name: str | None) -> None:
    """Sets what holds in the whole workspace where nothing nearer was chosen; None takes it back."""
    connection.execute(update(_workspace).where(_workspace.c.id == workspace).values({what: name}))


def allow_recent_messages(connection: Connection, workspace: int, *, allowed: bool) -> None:
    """Whether the model may look up what was said lately in the channel that it is asked in."""
    connection.execute(update(_workspace).where(_workspace.c.id == workspace).values(recent_messages=allowed))
