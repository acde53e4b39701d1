"""Announcements: made once by their name, then brought to each of their places once, whoever dies in between.

An announcement has no place. Where it is to be posted it has a copy for each place, under its name and the place's.
Whoever delivers it claims the announcement; its copies say what became of it in each place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import and_, bindparam, insert, or_, select, update

from core.messages import Action, Announcement, Notice, WorkspaceKey
from core.store import budget_tables, tables
from core.store.database import Connection

UNCLEAR = "unclear"  # why a copy is over of which nobody can tell whether it stands there
CLAIM = timedelta(minutes=1)  # longer than a delivery is let take
_announcement = budget_tables.Announcement.__table__  # type: ignore[attr-defined]
_setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_NAMED = select(_announcement.c.id).where(_announcement.c.name == bindparam("name"))
_ADD = insert(_announcement)
_OPEN = and_(_announcement.c.ended_at.is_(None), _announcement.c.place.is_(None))

State = Literal["new", "begun", "posted", "failed"]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An announcement to deliver. `workspace` None: for those who run the installation. `tries`: this one included.

    `channel`: where the workspace wants to be told, as the platform's id.
    """

    id: int
    workspace: WorkspaceKey | None
    kind: str
    announcement: Announcement
    since: datetime
    tries: int
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """An announcement in one place. "begun": an earlier try may have posted it: look first."""

    id: int
    state: State


def put(
    connection: Connection,
    workspace: int | None,
    name: str,
    kind: str,
    notice: Notice,
    actions: Sequence[Action] = (),
    *,
    now: datetime,
) -> bool:
    """Announces something in the transaction of what it is about, unless that name was announced before (False)."""
    if exists(connection, name):
        return False
    row = {
        "workspace_id": workspace,
        "name": name,
        "kind": kind,
        "notice": {"name": notice.name, "values": dict(notice.values)},
        "actions": [{"kind": action.kind, "control": action.control} for action in actions],
        "created_at": now,
        "tries": 0,
    }
    connection.execute(_ADD, row)
    return True


def exists(connection: Connection, name: str) -> bool:
    """Whether that was announced before."""
    return connection.execute(_NAMED, {"name": name}).first() is not None


def waiting(connection: Connection, platforms: Sequence[str], now: datetime, most: int) -> list[int]:
    """Those that are to be delivered now, oldest first: of workspaces on these platforms, and of the installation."""
    query = (
        select(_announcement.c.id)
        .join_from(_announcement, _workspace, _workspace.c.id == _announcement.c.workspace_id, isouter=True)
        .where(
            _OPEN,
            or_(_announcement.c.claimed_until.is_(None), _announcement.c.claimed_until <= now),
            or_(_announcement.c.workspace_id.is_(None), _workspace.c.platform.in_([*platforms, "local"])),
        )
        .order_by(_announcement.c.created_at, _announcement.c.id)
        .limit(most)
    )
    return [int(number) for number in connection.execute(query).scalars()]


def claim(connection: Connection, number: int, now: datetime) -> Claimed | None:
    """The announcement, if it is still to be delivered and nobody else is at it."""
    free = or_(_announcement.c.claimed_until.is_(None), _announcement.c.claimed_until <= now)
    mine = update(_announcement).where(_announcement.c.id == number, _OPEN, free)
    taken = mine.values(claimed_until=now + CLAIM, tries=_announcement.c.tries + 1)
    if connection.execute(taken).rowcount != 1:
        return None
    query = (
        select(_announcement, _workspace.c.platform, _workspace.c.external_id, _setting.c.report_channel)
        .join_from(_announcement, _workspace, _workspace.c.id == _announcement.c.workspace_id, isouter=True)
        .join(_setting, _setting.c.workspace_id == _workspace.c.id, isouter=True)
        .where(_announcement.c.id == number)
    )
    row = connection.execute(query).one()
    key = None if row.workspace_id is None else WorkspaceKey(row.platform, row.external_id)
    return Claimed(row.id, key, row.kind, _said(row), row.created_at, row.tries, row.report_channel)


def begin_copy(connection: Connection, claimed: Claimed, place: str, now: datetime) -> Copy:
    """The announcement's copy for a place, as it was found. It counts as begun from now on, unless it is over."""
    name = f"{claimed.announcement.name} > {place}"
    row = connection.execute(select(_announcement).where(_announcement.c.name == name)).first()
    if row is None:
        parent = connection.execute(select(_announcement).where(_announcement.c.id == claimed.id)).one()
        kept: dict[str, Any] = {column: getattr(parent, column) for column in ("workspace_id", "kind", "notice")}
        added = kept | {"name": name, "place": place, "actions": parent.actions, "created_at": now, "tries": 1}
        return Copy(int(connection.execute(_ADD.returning(_announcement.c.id), added).scalar_one()), "new")
    if row.ended_at is not None:
        # One that may stand there counts as posted, or a next try would say it again elsewhere.
        return Copy(row.id, "posted" if row.failure in (None, UNCLEAR) else "failed")
    once_more = update(_announcement).where(_announcement.c.id == row.id)
    connection.execute(once_more.values(tries=_announcement.c.tries + 1))
    return Copy(row.id, "begun")


def copy_ended(
    connection: Connection, copy: int, now: datetime, *, platform_id: str | None = None, failure: str | None = None
) -> None:
    """It stands there, as the message of that id; or it never will, and `failure` says why."""
    ended = update(_announcement).where(_announcement.c.id == copy)
    connection.execute(ended.values(platform_id=platform_id, failure=failure, ended_at=now))


def first_place(connection: Connection, workspace: int, name: str) -> tuple[str, str] | None:
    """The first place where an announcement of a workspace stands, and the message there; None: nowhere."""
    copies = (_announcement.c.workspace_id == workspace, _announcement.c.name.like(f"{name} > %"))
    stands = (*copies, _announcement.c.platform_id.is_not(None))
    query = select(_announcement.c.place, _announcement.c.platform_id).where(*stands).order_by(_announcement.c.id)
    row = connection.execute(query.limit(1)).first()
    return None if row is None else (row.place, row.platform_id)


def later(connection: Connection, number: int, until: datetime) -> None:
    """It is left alone until then."""
    left = update(_announcement).where(_announcement.c.id == number, _OPEN)
    connection.execute(left.values(claimed_until=until))


def end(connection: Connection, number: int, now: datetime, *, failure: str | None = None) -> None:
    """It is over: it was delivered, or `failure` says why nobody could be told."""
    over = update(_announcement).where(_announcement.c.id == number, _OPEN)
    connection.execute(over.values(ended_at=now, failure=failure))


def _said(row: Any) -> Announcement:
    actions = tuple(Action(one["kind"], one["control"]) for one in row.actions)
    return Announcement(row.name, Notice(row.notice["name"], row.notice["values"]), actions)
