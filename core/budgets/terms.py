"""What the settings say of money: the limits that hold where nobody set another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from core.budgets.periods import Kind
from core.settings import Settings

_PER_DAY = 10  # a day's default is this part of the month's
_PER_PERSON = 20


@dataclass(frozen=True, slots=True)
class Terms:
    """Limits in micro-dollars, None: none. `turn`: of one answer, all its calls together. `timezone`: the settings'."""

    installation_month: int | None
    workspace_month: int | None
    workspace_day: int | None
    person_day: int | None
    turn: int | None
    timezone: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """What is not set follows from the month's limit of a workspace."""
        month, given = settings.monthly_budget, settings.model_fields_set
        return cls(
            installation_month=settings.total_monthly_budget if "total_monthly_budget" in given else month,
            workspace_month=month,
            workspace_day=settings.daily_budget if "daily_budget" in given else _part(month, _PER_DAY),
            person_day=settings.user_daily_budget if "user_daily_budget" in given else _part(month, _PER_PERSON),
            turn=settings.turn_budget,
            timezone=settings.timezone,
        )

    def default(self, scope: str, kind: Kind) -> int | None:
        """The limit of a scope (installation, workspace, channel or person) that nobody has set."""
        return {
            ("installation", "month"): self.installation_month,
            ("workspace", "month"): self.workspace_month,
            ("workspace", "day"): self.workspace_day,
            ("person", "day"): self.person_day,
        }.get((scope, kind))


def _part(month: int | None, share: int) -> int | None:
    return None if month is None else month // share
