"""`/bise assistant|model|settings`: members choose for a channel, admins for the workspace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bots.money_desk import CHOICES, MoneyDesk
from bots.replies import MEMBERSHIP_UNKNOWN, sentence
from bots.slack.api import Json
from bots.slack.inbound import person
from bots.slack.markup import plain
from bots.slack.ports import Core
from bots.slack.workspace import SlackWorkspace
from core.messages import Notice, Person

SETTINGS = ("assistant", "model", "recent-messages", "secrets", *CHOICES)
_SWITCH = {"on": True, "off": False}


@dataclass(frozen=True, slots=True)
class Choose:
    """The channel's default. Without a name: what holds there."""

    what: Literal["assistant", "model"]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Set:
    """The workspace's default. Without a name and a value: what holds there."""

    name: str = ""
    value: str = ""


class Choosing:
    """Carries both out. `admins`: ids of those who count as admins besides Slack's own."""

    def __init__(self, core: Core, money: MoneyDesk, admins: frozenset[str], *, guests_welcome: bool) -> None:
        self._core = core
        self._money = money
        self._admins = admins
        self._guests_welcome = guests_welcome

    async def run(self, workspace: SlackWorkspace, command: Json, order: Choose | Set) -> str:
        """The words for the caller. Raises StoreUnavailable."""
        bot, channel = workspace.bot, str(command["channel_id"])
        key = bot.workspace
        match order:
            case Choose(what, ""):
                return _said(await self._core.choices.told(what, key, channel))
            case Set(name, value) if name in SETTINGS and value:
                caller = await self.caller(workspace, command)
                if caller is None:
                    return MEMBERSHIP_UNKNOWN
                if name in CHOICES:
                    return await self._money.choose(key, name, value, caller)
                return _said(await self._set(workspace, order) if caller.admin else Notice("not_admin"))
            case Set():
                told = _said(await self._core.choices.workspace_told(key))
                return f"{told}\n{await self._money.choices(key)}"
            case Choose(what, name):
                caller = await self.caller(workspace, command)
                if caller is None:
                    return MEMBERSHIP_UNKNOWN
                if caller.external and not self._guests_welcome:
                    return _said(Notice("external"))
                return _said(
                    await self._core.choices.choose_for_channel(what, plain(name, bot.user, {}), key, channel, caller)
                )

    async def _set(self, workspace: SlackWorkspace, order: Set) -> Notice:
        key, choices, value = workspace.bot.workspace, self._core.choices, plain(order.value, workspace.bot.user, {})
        match order.name:
            case "assistant" | "model" as what:
                return await choices.choose_for_workspace(what, value, key)
            case "secrets":
                return await choices.handle_secrets(key, value)
            case _ if (allowed := _SWITCH.get(value.lower())) is not None:
                return await choices.allow_recent_messages(key, allowed=allowed)
            case _:
                return Notice("recent_messages_which")

    async def caller(self, workspace: SlackWorkspace, command: Json) -> Person | None:
        """Who gave the command; None while Slack has not told who that is and it matters."""
        user = str(command["user_id"])
        if user not in self._admins and not await workspace.people.is_settled(user):
            return None
        known = await workspace.people.profiles([user])
        name = str(command.get("user_name") or user)
        return person(user, str(command.get("team_id") or ""), workspace.bot, known, self._admins, name=name)


def _said(notice: Notice) -> str:
    return sentence(notice, platform="slack")
