"""Buttons for admins, and for whoever wants to ask one: found by their ids alone, wherever they are pressed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update

from core.messages import Notice, WorkspaceKey
from core.store import budget_tables, tables
from core.store.database import Connection

_control = budget_tables.AdminControl.__table__  # type: ignore[attr-defined]
_turn = tables.Turn.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_asking = tables.Control.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]

Values = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class AdminControl:
    """A button for admins. `workspace`: our number of it; None: only those of BISE_ADMINS may press it."""

    id: str
    workspace: int | None
    key: WorkspaceKey | None
    zone: str | None
    kind: str
    values: Values
    used: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A turn that was refused for want of money: whose it was, where, and what the asker was told.

    `person`: our number of the asker, `asker` the platform's id.
    """

    workspace: int
    key: WorkspaceKey
    zone: str | None
    channel: str
    person: int
    asker: str
    name: str
    told: Notice


def add(connection: Connection, workspace: int | None, kind: str, values: Values, now: datetime) -> str:
    """Makes a button; returns its id, which begins with its kind and a dot: turns' buttons have no dot in theirs."""
    new_id = f"{kind}.{secrets.token_urlsafe(12)}"
    row: dict[str, Any] = {"id": new_id, "workspace_id": workspace, "kind": kind, "values": dict(values)}
    connection.execute(insert(_control), row | {"created_at": now})
    return new_id


def find(connection: Connection, control: str, *, lock: bool = False) -> AdminControl | None:
    """A button by its id. `lock`: nobody else presses it until the transaction ends."""
    query = (
        select(_control, _workspace.c.platform, _workspace.c.external_id, _workspace.c.zone)
        .join_from(_control, _workspace, _workspace.c.id == _control.c.workspace_id, isouter=True)
        .where(_control.c.id == control)
    )
    row = connection.execute(query.with_for_update(of=_control) if lock else query).first()
    if row is None:
        return None
    key = None if row.workspace_id is None else WorkspaceKey(row.platform, row.external_id)
    return AdminControl(row.id, row.workspace_id, key, row.zone, row.kind, row.values, row.used_at is not None)


def use(connection: Connection, control: str, person: int, now: datetime) -> bool:
    """Marks a button as pressed with effect. False: it was so before, by whomever."""
    fresh = update(_control).where(_control.c.id == control, _control.c.used_at.is_(None))
    return connection.execute(fresh.values(used_at=now, used_by=person)).rowcount == 1


def refused(connection: Connection, control: str, notice: str) -> Refused | None:
    """The turn of an asker's button, if its answer told them that `notice`."""
    query = (
        select(_turn.c.workspace_id, _turn.c.notices, _conversation.c.channel, _person.c.id, _person.c.name)
        .add_columns(_person.c.external_id.label("asker"), _workspace.c.platform, _workspace.c.external_id)
        .add_columns(_workspace.c.zone)
        .join_from(_asking, _turn, _turn.c.id == _asking.c.turn_id)
        .join(_conversation, _conversation.c.id == _turn.c.conversation_id)
        .join(_person, _person.c.id == _asking.c.person_id)
        .join(_workspace, _workspace.c.id == _turn.c.workspace_id)
        .where(_asking.c.id == control)
    )
    row = connection.execute(query).first()
    told = next((one for one in (row.notices if row else None) or () if one["name"] == notice), None)
    if row is None or told is None:
        return None
    return Refused(
        row.workspace_id,
        WorkspaceKey(row.platform, row.external_id),
        row.zone,
        row.channel,
        row.id,
        row.asker,
        row.name or row.asker,
        Notice(told["name"], told["values"]),
    )
