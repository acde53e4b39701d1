"""Alembic's environment: run by `bise migrate` through `migrations.upgrade`, on the engine that it was given."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from core.store import budget_tables, report_tables, tables
from core.store.columns import METADATA, UtcDateTime
from migrations.queue_schema import PREFIX


def _rendered(kind: str, thing: Any, _: AutogenContext) -> str | Literal[False]:
    """A new migration names our own column types by the names that its template imports."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "UtcDateTime()"
    if kind == "type" and isinstance(thing, AutoString):
        return "sa.String()"
    return False


def _is_ours(name: str | None, kind: str, _: Any) -> bool:
    """What autogenerate compares: not the tables of the queue."""
    return kind != "table" or not (name or "").startswith(PREFIX)


FILLED_BY = (tables, budget_tables, report_tables)  # importing them fills METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
    render_item=_rendered,
    include_name=_is_ours,
)
with context.begin_transaction():
    context.run_migrations()
