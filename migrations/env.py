"""Alembic's environment: run by `bise migrate` through `migrations.upgrade`, on the engine that it was given."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from core.store import tables
from core.store.columns import METADATA, UtcDateTime


def _rendered(kind: str, thing: Any, _: AutogenContext) -> str | Literal[False]:
    """A new migration names our own column types by the names that its template imports."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "UtcDateTime()"
    if kind == "type" and isinstance(thing, AutoString):
        return "sa.String()"
    return False


assert tables  # importing them fills METADATA  # noqa: S101

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    render_item=_rendered,
)
with context.begin_transaction():
    context.run_migrations()
