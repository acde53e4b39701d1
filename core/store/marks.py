"""How far each channel was heard, as stored; and which channels and threads were spoken in lately."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, case, insert, select, update

from core.messages import ConversationKind, WorkspaceKey
from core.store import tables, workspaces
from core.store.database import Connection

_mark = tables.ChannelMark.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]

Place = tuple[WorkspaceKey, str]  # a channel of a workspace
EVERYWHERE = ""  # the channel of a mark that holds for all channels of a workspace that have none


@dataclass(frozen=True, slots=True)
class LiveThread:
    """A conversation that was spoken in lately; `root` as the platform's adapter named it."""

    channel: str
    root: str


# Built once: to build a statement costs about as much as to run it.
_FORWARD = (
    update(_mark)
    .where(_mark.c.workspace_id == bindparam("workspace"), _mark.c.channel == bindparam("place"))
    .values(mark=case((_mark.c.mark < bindparam("number"), bindparam("number")), else_=_mark.c.mark))
)


def forward(connection: Connection, marks: Mapping[Place, int], now: datetime) -> None:
    """Moves marks on, never back; in one order, so that two processes that do it do not wait for each other."""
    for (key, channel), number in sorted(marks.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        workspace = workspaces.ensure(connection, key, now)
        values = {"workspace": workspace, "place": channel, "number": number}
        if connection.execute(_FORWARD, values).rowcount == 0:
            connection.execute(insert(_mark).values(workspace_id=workspace, channel=channel, mark=number))


def of_platform(connection: Connection, platform: str) -> dict[Place, int]:
    """Every mark of a platform's workspaces."""
    query = (
        select(_workspace.c.external_id, _mark.c.channel, _mark.c.mark)
        .join_from(_mark, _workspace, _workspace.c.id == _mark.c.workspace_id)
        .where(_workspace.c.platform == platform)
    )
    rows = connection.execute(query).all()
    return {(WorkspaceKey(platform, row.external_id), row.channel): row.mark for row in rows}


def live_threads(connection: Connection, key: WorkspaceKey, since: datetime, limit: int) -> list[LiveThread]:
    """The conversations of a workspace that everybody in the channel sees, spoken in since then, newest first."""
    query = (
        select(_conversation.c.channel, _conversation.c.root)
        .join_from(_conversation, _workspace, _workspace.c.id == _conversation.c.workspace_id)
        .where(
            _workspace.c.platform == key.platform,
            _workspace.c.external_id == key.id,
            _conversation.c.kind != ConversationKind.PRIVATE.value,
            _conversation.c.last_at >= since,
        )
        .order_by(_conversation.c.last_at.desc())
        .limit(limit)
    )
    return [LiveThread(row.channel, row.root) for row in connection.execute(query).all()]
