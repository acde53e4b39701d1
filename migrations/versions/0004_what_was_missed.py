"""what was missed: how far each channel was heard, and notices of questions that came too long ago"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import BigInt, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "channel_mark",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("mark", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_channel_mark_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "channel", name=op.f("pk_channel_mark")),
    )
    op.create_table(
        "missed_notice",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("control_id", sa.String(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("platform_id", sa.String(), nullable=True),
        sa.Column("posted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["control_id"], ["control.id"], name=op.f("fk_missed_notice_control_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_missed_notice_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_notice")),
        sa.UniqueConstraint("control_id", name=op.f("uq_missed_notice_control_id")),
    )
    op.create_index("ix_missed_notice_channel", "missed_notice", ["workspace_id", "channel"])
    op.create_table(
        "missed_question",
        sa.Column("turn_id", BigInt, nullable=False),
        sa.Column("notice_id", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["missed_notice.id"], name=op.f("fk_missed_question_notice_id")),
        sa.ForeignKeyConstraint(["turn_id"], ["turn.id"], name=op.f("fk_missed_question_turn_id")),
        sa.PrimaryKeyConstraint("turn_id", name=op.f("pk_missed_question")),
    )
    op.create_index(op.f("ix_missed_question_notice_id"), "missed_question", ["notice_id"])


def downgrade() -> None:
    for table in ("missed_question", "missed_notice", "channel_mark"):
        op.drop_table(table)
