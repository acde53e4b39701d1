"""What a workspace has chosen: its zone, whether people's figures are shown, when to save, what to do with secrets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from core.messages import WorkspaceKey
from core.privacy.secrets import Handling
from core.store import budget_tables, tables
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
_view = budget_tables.PeopleView.__table__  # type: ignore[attr-defined]

# Built once: to build a statement costs about as much as to run it.
_CHOSEN = (
    select(_workspace.c.zone, _setting.c.show_people, _setting.c.economy_at_percent, _setting.c.secrets)
    .select_from(_workspace.outerjoin(_setting, _setting.c.workspace_id == _workspace.c.id))
    .where(_workspace.c.id == bindparam("workspace"))
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """`zone`, `secrets` None: the settings'. `economy_at_percent` of the month's limit; None: never by itself."""

    zone: str | None = None
    show_people: bool = False
    economy_at_percent: int | None = None
    secrets: Handling | None = None


def chosen(connection: Connection, workspace: int | None) -> Chosen:
    """What a workspace has chosen; one that is not stored has chosen nothing."""
    row = connection.execute(_CHOSEN, {"workspace": workspace or 0}).first()
    if row is None:
        return Chosen()
    return Chosen(row.zone, bool(row.show_people), row.economy_at_percent, row.secrets)


def set_zone(connection: Connection, workspace: int, zone_: str | None) -> None:
    """Chooses a zone; periods that have begun keep theirs."""
    connection.execute(update(_workspace).where(_workspace.c.id == workspace).values(zone=zone_))


def change(connection: Connection, workspace: int, **values: Any) -> None:
    """Sets some columns of a workspace's row, which is made when it is new."""
    # The workspace's row stands for the one that may not exist yet: two first choices at once would both insert.
    connection.execute(select(_workspace.c.id).where(_workspace.c.id == workspace).with_for_update())
    if not connection.execute(update(_setting).where(_setting.c.workspace_id == workspace).values(values)).rowcount:
        connection.execute(insert(_setting).values(workspace_id=workspace, **values))


def every(connection: Connection) -> list[tuple[int, WorkspaceKey, str | None]]:
    """All workspaces by their names: number, key, zone."""
    query = select(_workspace).order_by(_workspace.c.platform, _workspace.c.external_id)
    return [(int(row.id), WorkspaceKey(row.platform, row.external_id), row.zone) for row in connection.execute(query)]


def external_id(connection: Connection, workspace: int, person: int) -> str:
    """What the platform calls a person."""
    query = select(_person.c.external_id).where(_person.c.workspace_id == workspace, _person.c.id == person)
    return str(connection.execute(query).scalar_one())


def record_view(connection: Connection, workspace: int, what: str, *, by: int | None, now: datetime) -> None:
    """Writes down that somebody looked at figures of single people; `by` None: on the command line, or in a report."""
    connection.execute(insert(_view).values(workspace_id=workspace, viewed_by=by, what=what, at=now))
