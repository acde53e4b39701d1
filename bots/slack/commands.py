"""`/bise …`: what was typed, and the words that go back with the acknowledgement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from bots.replies import MEMBERSHIP_UNKNOWN, TRAINING_NOTE, help_text, sentence, usage_text
from bots.slack.api import Json
from bots.slack.choosing import Choose, Choosing, Set
from bots.slack.inbound import command_to_message, people_named
from bots.slack.manifest import COMMAND
from bots.slack.ports import Core
from bots.slack.workspace import SlackWorkspace
from core.messages import Notice
from core.settings import Settings

SUBCOMMANDS = ("ask", "usage", "assistant", "model", "settings", "help")


@dataclass(frozen=True, slots=True)
class Ask:
    prompt: str


@dataclass(frozen=True, slots=True)
class Usage:
    pass


@dataclass(frozen=True, slots=True)
class Help:
    """`notice` says first what was wrong with the command; None for a plain `help`."""

    notice: Notice | None = None


def parse(text: str) -> Ask | Usage | Help | Choose | Set | Notice:
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
        self._notes = (TRAINING_NOTE,) if settings.words_may_train else ()
        self._choosing = Choosing(core, admins, guests_welcome=settings.allow_external)
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
                person = str(command["user_id"])
                return usage_text(await self._core.usage_today_and_month(workspace.bot.workspace, person))
            case Choose() | Set() as order:
                return await self._choosing.run(workspace, command, order)
            case Ask(prompt):
                return await self._ask(workspace, command, prompt)

    async def _ask(self, workspace: SlackWorkspace, command: Json, prompt: str) -> str:
        user = str(command["user_id"])
        if not self._guests_welcome and not await workspace.people.is_settled(user):
            return MEMBERSHIP_UNKNOWN
        known = await workspace.people.profiles(people_named(user, prompt, workspace.bot))
        message = command_to_message(command, prompt, workspace.bot, known, self._admins, self._now())
        await self._core.accept(message)
        return ""
