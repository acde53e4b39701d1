"""`/bise …`: what was typed, and the words that go back with the acknowledgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.money_desk import MoneyDesk
from bots.replies import MEMBERSHIP_UNKNOWN, help_text, privacy_notes, sentence
from bots.report_desk import ReportDesk
from bots.slack import budgets
from bots.slack.api import Json
from bots.slack.budgets import SetLimit, ShowBudget
from bots.slack.choosing import Choose, Choosing, Set
from bots.slack.inbound import command_to_message, people_named
from bots.slack.manifest import COMMAND
from bots.slack.ports import Core
from bots.slack.workspace import SlackWorkspace
from core.messages import Notice
from core.privacy import record
from core.settings import Settings

SUBCOMMANDS = ("ask", "usage", "budget", "report", "assistant", "model", "settings", "help")


@dataclass(frozen=True, slots=True)
class Ask:
    prompt: str


@dataclass(frozen=True, slots=True)
class Usage:
    pass


@dataclass(frozen=True, slots=True)
class Report:
    """What is to hold of the reports, as it was typed, a channel by its bare id; empty: what holds."""

    typed: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """`notice` says first what was wrong with the command; None for a plain `help`."""

    notice: Notice | None = None


def parse(text: str) -> Ask | Usage | Help | Choose | Set | ShowBudget | SetLimit | Report | Notice:
    """What was typed behind `/bise`; a Notice where it makes no sense and help would not help."""
    words = text.split(maxsplit=1)
    name, rest = (words[0] if words else ""), (words[1].strip() if len(words) > 1 else "")
    match name.lower():
        case "":
            return Help()
        case "ask" if not rest:
            return Notice("empty_prompt", {"example": f"{COMMAND} ask What is a quine?"})
        case "ask":
            return Ask(rest)
        case "usage":
            return Usage()
        case "budget":
            return budgets.parse(rest)
        case "report":
            return Report(budgets.CHANNEL.sub(r"\1", rest))
        case "assistant":
            return Choose("assistant", rest)
        case "model":
            return Choose("model", rest)
        case "settings":
            setting, _, value = rest.partition(" ")
            return Set(setting.lower(), value.strip())
        case "help":
            return Help()
        case _:
            return Help(Notice("unknown_subcommand", {"name": name, "known": ", ".join(SUBCOMMANDS)}))


class Commands:
    """What each subcommand does. `now`: the time a question is noted with."""

    def __init__(
        self,
        core: Core,
        admins: frozenset[str],
        settings: Settings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._core = core
        self._admins = admins
        self._guests_welcome = settings.allow_external
        self._notes = privacy_notes(record.where(settings))
        self._money = MoneyDesk(core, "slack")
        self._reports = ReportDesk(core, "slack")
        self._choosing = Choosing(core, self._money, admins, guests_welcome=settings.allow_external)
        self._now = now

    async def run(self, workspace: SlackWorkspace, command: Json) -> str:
        """The words that go back at once, only for the caller; empty where the answer comes by itself.

        Raises StoreUnavailable.
        """
        match parse(str(command.get("text") or "")):
            case Notice() as notice:
                return sentence(notice, platform="slack")
            case Help(notice):
                lines = [sentence(notice, platform="slack")] if notice else []
                assistants = ", ".join(self._core.choices.names.every("assistant"))
                return "\n".join([*lines, help_text("slack", assistants=assistants, notes=self._notes)])
            case Usage():
                return await self._money.usage(workspace.bot.workspace, str(command["user_id"]))
            case ShowBudget() | SetLimit() as wanted:
                return await self._budget(workspace, command, wanted)
            case Report(typed):
                return await self._report(workspace, command, typed)
            case Choose() | Set() as order:
                return await self._choosing.run(workspace, command, order)
            case Ask(prompt):
                return await self._ask(workspace, command, prompt)

    async def _budget(self, workspace: SlackWorkspace, command: Json, wanted: ShowBudget | SetLimit) -> str:
        key, here = workspace.bot.workspace, str(command["channel_id"])
        caller = await self._choosing.caller(workspace, command)
        if caller is None:
            return MEMBERSHIP_UNKNOWN
        match wanted:
            case ShowBudget():
                return await self._money.show(key, caller, here)
            case SetLimit(per, amount, person, channel):
                where = here if wanted.here else channel
                return await self._money.set_limit(key, per, amount, caller, person=person, channel=where)

    async def _report(self, workspace: SlackWorkspace, command: Json, typed: str) -> str:
        caller = await self._choosing.caller(workspace, command)
        if caller is None:
            return MEMBERSHIP_UNKNOWN
        return await self._reports.run(workspace.bot.workspace, typed, caller)

    async def _ask(self, workspace: SlackWorkspace, command: Json, prompt: str) -> str:
        user = str(command["user_id"])
        if not self._guests_welcome and not await workspace.people.is_settled(user):
            return MEMBERSHIP_UNKNOWN
        known = await workspace.people.profiles(people_named(user, prompt, workspace.bot))
        message = command_to_message(command, prompt, workspace.bot, known, self._admins, self._now())
        await self._core.accept(message)
        return ""
