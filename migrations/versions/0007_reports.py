"""reports: what is due, and what became of each"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import BigInt, Json, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
_USAGE = [
    *("workspace_id", "local_date", "model", "home", "price_from", "channel", "turn_id", "corrects"),
    *("person_id", "first_text_ms", "prompt_tokens", "completion_tokens", "cached_tokens"),
    *("cost_microusd", "estimated_microusd"),
]


def upgrade() -> None:
    op.create_table(
        "report_run",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), server_default=sa.text("0"), nullable=False),
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
    # These begin as the ones before did, and hold all that a report asks for.
    op.drop_index("ix_usage_workspace_date", "usage")
    op.create_index("ix_usage_report", "usage", _USAGE)
    op.create_index(
        "ix_usage_correction",
        "usage",
        ["workspace_id", "at"],
        sqlite_where=sa.text("corrects IS NOT NULL"),
        postgresql_where=sa.text("corrects IS NOT NULL"),
    )
    op.drop_index("ix_turn_workspace_date", "turn")
    op.create_index(
        "ix_turn_report",
        "turn",
        ["workspace_id", "local_date", "state", "refused_by", "saved_by"],
        sqlite_where=sa.text("local_date IS NOT NULL"),
        postgresql_where=sa.text("local_date IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_turn_report", "turn")
    op.create_index("ix_turn_workspace_date", "turn", ["workspace_id", "local_date"])
    op.drop_index("ix_usage_correction", "usage")
    op.drop_index("ix_usage_report", "usage")
    op.create_index("ix_usage_workspace_date", "usage", ["workspace_id", "local_date"])
    for table in ("report_schedule", "report_run"):
        op.drop_table(table)
