"""Which assistant and model were chosen: for a conversation, for a channel, for a workspace."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import and_, bindparam, func, insert, select, update

from core.store import tables
from core.store.database import Connection

_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]
_conversation = tables.Conversation.__table__  # type: ignore[attr-defined]
_channel = tables.ChannelChoice.__table__  # type: ignore[attr-defined]

What = Literal["assistant", "model"]
Level = Literal["conversation", "channel", "workspace"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen, each on its own; None: nobody chose. `…_by`: the level whose choice it is."""

    assistant: str | None = None
    model: str | None = None
    recent_messages: bool = False
    assistant_by: Level | None = None
    model_by: Level | None = None


# Built once: to build a statement costs about as much as to run it.
_CHOSEN = (
    select(
        _conversation.c.assistant.label("conversation_assistant"),
        _conversation.c.model.label("conversation_model"),
        _channel.c.assistant.label("channel_assistant"),
        _channel.c.model.label("channel_model"),
        _workspace.c.assistant.label("workspace_assistant"),
        _workspace.c.model.label("workspace_model"),
        _workspace.c.recent_messages,
    )
    .select_from(_workspace)
    .outerjoin(
        _conversation,
        and_(_conversation.c.workspace_id == _workspace.c.id, _conversation.c.id == bindparam("conversation")),
    )
    .outerjoin(
        _channel,
        and_(
            _channel.c.workspace_id == _workspace.c.id,
            _channel.c.channel == func.coalesce(_conversation.c.parent_channel, bindparam("channel")),
        ),
    )
    .where(_workspace.c.id == bindparam("workspace"))
)


def chosen(connection: Connection, workspace: int, channel: str, conversation: int | None) -> Chosen:
    """What holds in a conversation: its own choice, else its channel's, else its workspace's.

    A conversation in a Discord thread follows the channel that the thread hangs in. Without a conversation: what
    holds for those of the channel that chose nothing.
    """
    values = {"workspace": workspace, "channel": channel, "conversation": conversation}
    row = connection.execute(_CHOSEN, values).first()
    if row is None:
        return Chosen()
    assistant, assistant_by = _first(
        ("conversation", row.conversation_assistant),
        ("channel", row.channel_assistant),
        ("workspace", row.workspace_assistant),
    )
    model, model_by = _first(
        ("conversation", row.conversation_model), ("channel", row.channel_model), ("workspace", row.workspace_model)
    )
    return Chosen(assistant, model, row.recent_messages, assistant_by, model_by)


def set_for_channel(
    connection: Connection, workspace: int, channel: str, what: What, name: str | None, person: int, now: datetime
) -> None:
    """Chooses what a channel's conversations have that chose nothing themselves; None takes it back."""
    # The workspace's row stands for the choice that may not exist yet: two first choices at once would both insert.
    connection.execute(select(_workspace.c.id).where(_workspace.c.id == workspace).with_for_update())
    values = {what: name, "set_by": person, "set_at": now}
    where = and_(_channel.c.workspace_id == workspace, _channel.c.channel == channel)
    if connection.execute(update(_channel).where(where).values(values)).rowcount == 0:
        connection.execute(insert(_channel).values(workspace_id=workspace, channel=channel, **values))


def _first(*levels: tuple[Level, str | None]) -> tuple[str | None, Level | None]:
    return next(((name, level) for level, name in levels if name is not None), (None, None))
