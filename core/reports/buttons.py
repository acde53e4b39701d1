"""The buttons below a report: its figures as a table, another limit for the month, silence for a week."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from core.announcing.authority import Authority
from core.budgets import money
from core.budgets.limits import Budgets
from core.errors import WrongUse
from core.messages import Given, Notice, Press, Pressed
from core.ports import ChatPlatform
from core.reports import rows
from core.reports.choices import ReportChoices
from core.settings import Settings
from core.store import admin_controls
from core.store.admin_controls import AdminControl
from core.store.database import Database
from core.store.limits import DEFAULT

_KINDS = ("csv", "budget", "mute")


class ReportButtons:
    """Their door. `platforms` by name."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        platforms: Mapping[str, ChatPlatform],
        budgets: Budgets,
        choices: ReportChoices,
    ) -> None:
        self._database = database
        self._authority = Authority(settings, platforms)
        self._budgets = budgets
        self._choices = choices

    def owns(self, control: str) -> bool:
        """Whether a control is one of these."""
        return control.partition(".")[0] in _KINDS

    async def press(self, press: Press) -> Pressed:
        """What a press does. Raises StoreUnavailable, PlatformError."""
        control = await self._database.read(lambda connection: admin_controls.find(connection, press.control))
        if control is None or control.workspace is None or control.key is None or control.kind not in _KINDS:
            return Pressed(False, Notice("control_gone"))
        if not await self._may(press, control):
            return Pressed(False, Notice("report_not_yours"))
        match control.kind:
            case "csv":
                return await self._table(control)
            case "budget":
                return await self._budget(press, control)
            case _:
                holding = await self._choices.mute(control.key)
                until = holding.chosen.muted_until
                return Pressed(True, Notice("report_muted", {"until": until.isoformat() if until else ""}))

    async def _may(self, press: Press, control: AdminControl) -> bool:
        """The table shows no more than the report, which whoever is of the workspace has before them."""
        assert control.key is not None  # noqa: S101 - seen before
        if control.kind == "csv" and press.workspace == control.key and not press.person.external:
            return True
        return await self._authority.administrates(press, control.key)

    async def _table(self, control: AdminControl) -> Pressed:
        workspace, key = control.workspace, control.key
        assert workspace is not None  # noqa: S101 - seen before
        assert key is not None  # noqa: S101
        first, last = (date.fromisoformat(str(control.values[end])) for end in ("first", "last"))
        table = await self._database.read(lambda connection: rows.csv(connection, workspace, key, first, last))
        days = f"{first}" if first == last else f"{first}-{last}"
        name = f"bise-{days}.csv"
        return Pressed(True, Notice("report_table", {"name": name}), given=Given(name, table.encode()))

    async def _budget(self, press: Press, control: AdminControl) -> Pressed:
        if press.typed is None:
            return Pressed(True, asks=control.id)
        try:
            limit = DEFAULT if press.typed.strip().lower() == DEFAULT else money.amount(press.typed)
            change = await self._budgets.set_limit(control.key, "month", limit, by=press.person)
        except WrongUse as wrong:
            return Pressed(False, Notice("wrong_use", {"why": str(wrong)}))
        values: dict[str, str | int] = {"spent": change.spent, "none": int(change.after is None)}
        return Pressed(True, Notice("report_limit_set", values | {"limit": change.after or 0}))
