"""Alembic's environment: run by `bise migrate` through `migrations.upgrade`, on the engine that it was given."""

from __future__ import annotations

from alembic import context

from core.store import tables
from core.store.columns import METADATA

assert tables  # importing them fills METADATA  # noqa: S101

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
