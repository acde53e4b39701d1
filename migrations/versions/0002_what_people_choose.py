"""what people choose: assistants and models of channels and workspaces"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import BigInt, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_choice",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("assistant", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("set_by", BigInt, nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["person.id"], name=op.f("fk_channel_choice_set_by")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_channel_choice_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "channel", name=op.f("pk_channel_choice")),
    )
    # Without a batch: SQLite adds such columns in place, and does not copy the table.
    op.add_column("conversation", sa.Column("parent_channel", sa.String(), nullable=True))
    op.add_column("workspace", sa.Column("assistant", sa.String(), nullable=True))
    op.add_column("workspace", sa.Column("model", sa.String(), nullable=True))
    op.add_column("workspace", sa.Column("recent_messages", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    for table, column in (
        ("workspace", "recent_messages"),
        ("workspace", "model"),
        ("workspace", "assistant"),
        ("conversation", "parent_channel"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
    op.drop_table("channel_choice")
