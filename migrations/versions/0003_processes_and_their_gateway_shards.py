"""processes and their gateway shards"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_door",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("opens_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_gateway_door")),
    )
    op.create_table(
        "gateway_shard",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("process", sa.String(), nullable=True),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_gateway_shard")),
    )
    op.create_table(
        "process",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("roles", sa.String(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("gateway_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process")),
    )


def downgrade() -> None:
    op.drop_table("process")
    op.drop_table("gateway_shard")
    op.drop_table("gateway_door")
