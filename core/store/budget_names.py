"""What a limit is called outside: our own numbers in its place become the platform's ids."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, bindparam, select

from core.messages import WorkspaceKey
from core.store import budget_tables, tables
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_person = tables.Person.__table__  # type: ignore[attr-defined]
_setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]

_NAMED = (
    select(_workspace.c.platform, _workspace.c.external_id, _workspace.c.zone, _setting.c.show_people)
    .add_columns(_person.c.external_id.label("person"))
    .select_from(_workspace)
    .outerjoin(_setting, _setting.c.workspace_id == _workspace.c.id)
    .outerjoin(_person, and_(_person.c.workspace_id == _workspace.c.id, _person.c.id == bindparam("person")))
    .where(_workspace.c.id == bindparam("workspace"))
)


@dataclass(frozen=True, slots=True)
class Named:
    """`workspace`: our number of it, None: the whole installation. `zone`: its own, None: it has told none.

    `who`: the platform's id of the channel or the person; empty for others, and for people whose figures are nobody
    else's business.
    """

    workspace: int | None
    key: WorkspaceKey | None
    zone: str | None
    who: str


def named(connection: Connection, place: str) -> Named:
    """The name of a limit's place."""
    scope, _, rest = place.partition(":")
    if not rest:
        return Named(None, None, None, "")
    number, _, which = rest.partition(":")
    workspace = int(number)
    person = int(which) if scope == "person" else None
    row = connection.execute(_NAMED, {"workspace": workspace, "person": person}).one()
    shown = (row.person or "") if row.show_people else ""
    key = WorkspaceKey(row.platform, row.external_id)
    return Named(workspace, key, row.zone, which if scope == "channel" else shown)
