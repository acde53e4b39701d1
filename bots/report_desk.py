"""What people do with reports from a chat or a terminal: words in, words out, the same on every platform."""

from __future__ import annotations

import re
from typing import Protocol

from bots.replies import sentence
from core.errors import WrongUse
from core.messages import Notice, Person, WorkspaceKey
from core.reports.choices import Holding, ReportChoices, Switch
from core.reports.desk import Reports
from core.reports.report import KINDS

_SWITCHES: dict[str, Switch] = {"weekdays": "weekdays_only", "zero-days": "zero_days", "people": "people"}
_ON = {"on": True, "off": False}
_HOUR = re.compile(r"([0-9]{1,2})(?::00)?")


class Core(Protocol):
    """What is needed of the core. Each raises StoreUnavailable."""

    @property
    def reports(self) -> Reports: ...
    @property
    def report_choices(self) -> ReportChoices: ...


class ReportDesk:
    """One platform's. Each method gives the sentence for the one who asked, and raises StoreUnavailable."""

    def __init__(self, core: Core, platform: str) -> None:
        self._core = core
        self._platform = platform

    async def run(self, key: WorkspaceKey, typed: str, by: Person) -> str:
        """Does what was typed, such as `hour 8`; a channel by its bare id. Only for admins, but for looking."""
        try:
            return await self.do(key, typed, by)
        except WrongUse as wrong:
            return str(wrong)

    async def do(self, key: WorkspaceKey, typed: str, by: Person) -> str:
        """The same. Raises WrongUse, one sentence that says what to write."""
        name, _, value = typed.strip().partition(" ")
        if not name:
            return self._told("report_choices", await self._core.report_choices.holding(key))
        if not by.admin:
            return self._say("report_not_admin")
        if name.lower() == "now":
            return await self._now(key)
        holding = await self._chosen(key, name.lower(), value.strip())
        if holding is None:
            raise WrongUse(self._say("report_choice_how"))
        return self._told("report_choice_made", holding)

    async def _now(self, key: WorkspaceKey) -> str:
        done, _ = await self._core.reports.post_now(key)
        return self._say("report_on_its_way" if done == "announced" else "report_before")

    async def _chosen(self, key: WorkspaceKey, name: str, value: str) -> Holding | None:
        """What holds afterwards; None: that is nothing that can be chosen. Raises WrongUse."""
        choices, typed = self._core.report_choices, value.lower()
        match name:
            case "off" if not value:
                return await choices.turn_off(key)
            case "on" if not value:
                return await choices.turn(key, "daily", on=True)
            case "hour" if typed == "default":
                return await choices.choose_hour(key, None)
            case "hour" if hour := _HOUR.fullmatch(typed):
                return await choices.choose_hour(key, int(hour[1]))
            case "channel" if value:
                return await choices.choose_channel(key, None if typed == "default" else value)
            case "mute" if typed in ("", "week", "on"):
                return await choices.mute(key)
            case "mute" if typed == "off":
                return await choices.mute(key, muted=False)
            case _ if name in KINDS and typed in _ON:
                return await choices.turn(key, next(kind for kind in KINDS if kind == name), on=_ON[typed])
            case _ if name in _SWITCHES and typed in _ON:
                return await choices.switch(key, _SWITCHES[name], on=_ON[typed])
            case _:
                return None

    def _told(self, name: str, holding: Holding) -> str:
        chosen = holding.chosen
        following = holding.following[0][1] if holding.following else None
        values: dict[str, str | int] = {
            "kinds": ",".join(chosen.kinds),
            "hour": holding.hour,
            "zone": holding.zone,
            "channel": chosen.channel or "",
            "next": following.isoformat() if following is not None else "",
            "muted": int(holding.muted),
            "weekdays_only": int(chosen.weekdays_only),
            "zero_days": int(chosen.zero_days),
            "people": int(chosen.people),
        }
        return self._say(name, values)

    def _say(self, name: str, values: dict[str, str | int] | None = None) -> str:
        return sentence(Notice(name, values or {}), platform=self._platform)
