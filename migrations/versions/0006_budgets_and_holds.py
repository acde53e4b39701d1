"""budgets: limits, periods, holds, changes of limits, what admins are told, what workspaces choose"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.store.columns import BigInt, Json, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_epoch")),
    )
    op.create_table(
        "model_margin",
        sa.Column("home", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("per_mille", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("home", "model", name=op.f("pk_model_margin")),
    )
    op.create_table(
        "announcement",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("notice", Json, nullable=False),
        sa.Column("actions", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("platform_id", sa.String(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_announcement_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcement")),
        sa.UniqueConstraint("name", name=op.f("uq_announcement_name")),
    )
    op.create_index(
        "ix_announcement_waiting",
        "announcement",
        ["created_at"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(op.f("ix_announcement_workspace_id"), "announcement", ["workspace_id"], unique=False)
    op.create_table(
        "budget",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("resets_at", UtcDateTime(), nullable=False),
        sa.Column("extra_microusd", BigInt, nullable=False),
        sa.Column("reserved_microusd", BigInt, nullable=False),
        sa.Column("spent_microusd", BigInt, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_budget_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget")),
        sa.UniqueConstraint("place", "kind", "period", name=op.f("uq_budget_place_kind_period")),
    )
    op.create_index("ix_budget_current", "budget", ["place", "resets_at"], unique=False)
    op.create_index(op.f("ix_budget_workspace_id"), "budget", ["workspace_id"], unique=False)
    op.create_table(
        "workspace_setting",
        "admin_control",
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("economy_at_percent", sa.Integer(), nullable=True),
        sa.Column("show_people", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("report_hour", sa.Integer(), nullable=True),
        sa.Column("report_channel", sa.String(), nullable=True),
        sa.Column("report_kinds", sa.String(), server_default=sa.text("'daily'"), nullable=False),
        sa.Column("report_weekdays_only", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("report_zero_days", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("report_people", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("report_muted_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_workspace_setting_workspace_id")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_workspace_setting")),
    )
    op.create_table(
        "admin_control",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("workspace_id", BigInt, nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("values", Json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("used_by", BigInt, nullable=True),
        sa.ForeignKeyConstraint(["used_by"], ["person.id"], name=op.f("fk_admin_control_used_by")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_admin_control_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admin_control")),
    )
    op.create_index(op.f("ix_admin_control_workspace_id"), "admin_control", ["workspace_id"])
    op.create_table(
        "budget_change",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=True),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("before_microusd", BigInt, nullable=True),
        sa.Column("after_microusd", BigInt, nullable=True),
        sa.Column("changed_by", BigInt, nullable=True),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["changed_by"], ["person.id"], name=op.f("fk_budget_change_changed_by")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_budget_change_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_change")),
    )
    op.create_index(op.f("ix_budget_change_workspace_id"), "budget_change", ["workspace_id"], unique=False)
    op.create_table(
        "budget_limit",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("workspace_id", BigInt, nullable=True),
        sa.Column("limit_microusd", BigInt, nullable=True),
        sa.Column("set_by", BigInt, nullable=True),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["set_by"], ["person.id"], name=op.f("fk_budget_limit_set_by")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_budget_limit_workspace_id")),
        sa.PrimaryKeyConstraint("place", "kind", name=op.f("pk_budget_limit")),
    )
    op.create_index(op.f("ix_budget_limit_workspace_id"), "budget_limit", ["workspace_id"], unique=False)
    op.create_table(
        "people_view",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("viewed_by", BigInt, nullable=True),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["viewed_by"], ["person.id"], name=op.f("fk_people_view_viewed_by")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_people_view_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_view")),
    )
    op.create_index(op.f("ix_people_view_workspace_id"), "people_view", ["workspace_id"], unique=False)
    op.create_table(
        "reservation",
        sa.Column("id", BigInt, nullable=False),
        sa.Column("workspace_id", BigInt, nullable=False),
        sa.Column("conversation_id", BigInt, nullable=False),
        sa.Column("turn_id", BigInt, nullable=False),
        sa.Column("person_id", BigInt, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("home", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("price_from", sa.Date(), nullable=True),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False),
        sa.Column("max_tokens", sa.Integer(), nullable=False),
        sa.Column("bound_microusd", BigInt, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("local_date", sa.Date(), nullable=False),
        sa.Column("day_period", sa.String(), nullable=False),
        sa.Column("month_period", sa.String(), nullable=False),
        sa.Column("installation_day", sa.String(), nullable=False),
        sa.Column("installation_month", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_reservation_conversation_id")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_reservation_person_id")),
        sa.ForeignKeyConstraint(["turn_id"], ["turn.id"], name=op.f("fk_reservation_turn_id")),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspace.id"], name=op.f("fk_reservation_workspace_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservation")),
    )
    op.create_index(
        "ix_reservation_held",
        "reservation",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'held'"),
        postgresql_where=sa.text("state = 'held'"),
    )
    op.create_index("ix_reservation_turn", "reservation", ["turn_id"], unique=False)
    op.add_column("turn", sa.Column("local_date", sa.Date(), nullable=True))
    op.add_column("turn", sa.Column("refused_by", sa.String(), nullable=True))
    op.add_column("turn", sa.Column("saved_by", sa.String(), nullable=True))
    op.create_index("ix_turn_workspace_created", "turn", ["workspace_id", "created_at"], unique=False)
    op.create_index("ix_turn_workspace_date", "turn", ["workspace_id", "local_date"], unique=False)
    op.add_column("usage", sa.Column("estimated_microusd", BigInt, server_default=sa.text("0"), nullable=False))
    op.add_column("usage", sa.Column("installation_day", sa.String(), nullable=True))
    op.add_column("usage", sa.Column("installation_month", sa.String(), nullable=True))
    op.add_column("usage", sa.Column("reservation_id", BigInt, nullable=True))
    op.create_index(
        "ix_usage_reservation",
        "usage",
        ["reservation_id"],
        unique=True,
        sqlite_where=sa.text("reservation_id IS NOT NULL AND corrects IS NULL"),
        postgresql_where=sa.text("reservation_id IS NOT NULL AND corrects IS NULL"),
    )
    op.execute("UPDATE usage SET estimated_microusd = cost_microusd WHERE estimated")
    op.execute("INSERT INTO budget_epoch (id, at) VALUES (1, CURRENT_TIMESTAMP)")


def downgrade() -> None:
    op.drop_index("ix_usage_reservation", "usage")
    op.drop_index("ix_turn_workspace_date", "turn")
    op.drop_index("ix_turn_workspace_created", "turn")
    for table, column in (
        ("usage", "reservation_id"),
        ("usage", "installation_month"),
        ("usage", "installation_day"),
        ("usage", "estimated_microusd"),
        ("turn", "saved_by"),
        ("turn", "refused_by"),
        ("turn", "local_date"),
    ):
        with op.batch_alter_table(table) as batch:
            batch.drop_column(column)
    for table in (
        "reservation",
        "people_view",
        "budget_limit",
        "budget_change",
        "workspace_setting",
        "admin_control",
        "budget",
        "announcement",
        "model_margin",
        "budget_epoch",
    ):
        op.drop_table(table)
