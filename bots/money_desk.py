"""What people do with money from a chat, whatever the platform: words in, words out."""

from __future__ import annotations

from typing import Protocol

from bots.figure_words import budget_text, changed_text, usage_text
from bots.replies import sentence
from core.budgets import money
from core.budgets.limits import Budgets
from core.budgets.periods import Kind
from core.budgets.workspace_settings import WorkspaceSettings
from core.errors import WrongUse
from core.messages import Notice, Person, WorkspaceKey
from core.reports.figures import UsageView
from core.settings import Settings
from core.store.limits import DEFAULT
from core.store.spending import PostCost
from core.store.workspace_settings import Chosen

CHOICES = ("zone", "people", "economy")
_SWITCH = {"on": True, "off": False}


class Core(Protocol):
    """What is needed of the core. Each raises StoreUnavailable."""

    @property
    def settings(self) -> Settings: ...
    @property
    def budgets(self) -> Budgets: ...
    @property
    def workspace_settings(self) -> WorkspaceSettings: ...
    async def usage_today_and_month(self, key: WorkspaceKey, person: str | None, /) -> UsageView: ...
    async def cost_of_post(self, key: WorkspaceKey, platform_id: str, /) -> PostCost | None: ...


class MoneyDesk:
    """One platform's. Each method gives the sentences for the one who asked, and raises StoreUnavailable."""

    def __init__(self, core: Core, platform: str) -> None:
        self._core = core
        self._platform = platform

    async def usage(self, key: WorkspaceKey, person: str) -> str:
        """What was used, and one's own part of it."""
        view = await self._core.usage_today_and_month(key, person)
        return usage_text(view, platform=self._platform, person=person)

    async def show(self, key: WorkspaceKey, person: Person, channel: str) -> str:
        """The limits that count for somebody in a channel, as they stand."""
        view = await self._core.budgets.show(key, person=person.id, channel=channel)
        return budget_text(view, platform=self._platform, person=person.id, admin=person.admin)

    async def set_limit(
        self,
        key: WorkspaceKey,
        per: Kind,
        typed: str,
        by: Person,
        *,
        person: str | None = None,
        channel: str | None = None,
    ) -> str:
        """Sets a limit to what was typed: dollars, none or default. Only for admins."""
        if not by.admin:
            return self._say("budget_not_admin")
        try:
            limit = DEFAULT if typed.strip().lower() == DEFAULT else money.amount(typed)
            change = await self._core.budgets.set_limit(key, per, limit, by=by, person=person, channel=channel)
        except WrongUse as wrong:
            return str(wrong)
        return changed_text(change, platform=self._platform, person=by.id)

    async def choices(self, key: WorkspaceKey) -> str:
        """What a workspace has chosen about its money, and how to choose."""
        return self._say("money_choices", self._values(await self._core.workspace_settings.holding(key)))

    async def choose(self, key: WorkspaceKey, name: str, value: str, by: Person) -> str:
        """Sets one of CHOICES. Only for admins."""
        if not by.admin:
            return self._say("not_admin")
        settings, typed = self._core.workspace_settings, value.strip().lower()
        try:
            match name:
                case "zone":
                    chosen = await settings.choose_zone(key, value)
                case "people" if typed in _SWITCH:
                    chosen = await settings.show_people(key, shown=_SWITCH[typed])
                case "economy" if typed == "off" or typed.rstrip(" %").isdecimal():
                    percent = None if typed == "off" else int(typed.rstrip(" %")[:4])
                    chosen = await settings.save_from(key, percent)
                case _:
                    return self._say("money_choice_which", {"what": name})
        except WrongUse as wrong:
            return str(wrong)
        return self._say("money_choice_made", {"what": name, **self._values(chosen)})

    async def cost_of_post(self, key: WorkspaceKey, post: str) -> str:
        """What the answer in a message has cost."""
        cost = await self._core.cost_of_post(key, post)
        if cost is None:
            return self._say("no_answer_of_mine")
        tokens = cost.tokens
        values: dict[str, str | int] = {
            "calls": tokens.calls,
            "tokens": tokens.prompt_tokens + tokens.completion_tokens,
            "microusd": tokens.cost_microusd,
            "estimated": int(tokens.estimated_microusd > 0),
            "models": ", ".join(cost.models),
        }
        return self._say("post_cost", values)

    def _values(self, chosen: Chosen) -> dict[str, str | int]:
        return {
            "zone": chosen.zone or "",
            "usual": self._core.settings.timezone,
            "people": int(chosen.show_people),
            "economy": chosen.economy_at_percent or 0,
        }

    def _say(self, name: str, values: dict[str, str | int] | None = None) -> str:
        return sentence(Notice(name, values or {}), platform=self._platform)
