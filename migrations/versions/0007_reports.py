"""reports: what is due, and what became of each"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import BigInt, Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "report_run",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("figures", Json, nullable=True),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("platform_id", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("posted_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_report_run_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "kind", "local_date", name=op.f("pk_report_run")),
    )
    op.create_index("ix_report_run_open", "report_run", ["ended_at", "claimed_until"], unique=False)
    op.create_table(
        "report_schedule",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("next_date", sa.Date(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_report_schedule_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", "kind", name=op.f("pk_report_schedule")),
    )
    op.create_index("ix_report_schedule_due", "report_schedule", ["next_at"], unique=False)


def downgrade() -> None:
    for table in ("report_schedule", "report_run"):
        op.drop_table(table)
