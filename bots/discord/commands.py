"""The slash commands: what Discord is told of them, and the ten lines that each one is."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import discord
import structlog
from discord import app_commands

from bots.discord import budgets, words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.admission import Admission
from bots.discord.budgets import Budgets, add_budget, cost_menu
from bots.discord.choosing import LONGEST_NAME, Choosing, add_choices, admin_group, offers
from bots.discord.errors import converted
from bots.discord.inbound import Self, is_thread, to_question, to_topic, workspace_of
from bots.discord.report_commands import ReportCommands, add_reports
from bots.discord.threads import NoThreadHere, open_thread
from bots.replies import help_text
from core.errors import PlaceForbidden, PlatformError, StoreUnavailable

if TYPE_CHECKING:
    from bots.discord.rest import Rest
    from core.service import Core

LONGEST_PROMPT = 6000  # what Discord lets a person type into an option
T = TypeVar("T")
_log = structlog.get_logger()


class Desk(Protocol):
    """What the commands need of the adapter."""

    core: Core
    rest: Rest
    admission: Admission

    @property
    def bot(self) -> Self: ...

    @property
    def message_content(self) -> bool: ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What people must know before they write here, a sentence each."""
        ...

    async def tracked(self, work: Coroutine[Any, Any, T]) -> T:
        """Does work that a stop must wait for."""
        ...

    def expect(self, interaction: int, acknowledgement: Acknowledgement) -> bool:
        """The answer to this interaction is written behind this acknowledgement; False: it has one already."""
        ...

    def forget(self, interaction: int) -> None:
        """No answer will be written to this interaction."""
        ...


class Commands:
    """What each command does. A sentence is given whatever goes wrong."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.choosing = Choosing(desk, self._tell)
        self.budgets = Budgets(desk, self._tell)
        self.reports = ReportCommands(desk, self._tell)

    async def ask(
        self,
        interaction: discord.Interaction,
        prompt: str,
        *,
        image: discord.Attachment | None,
        assistant: str | None,
        model: str | None,
        private: bool,
    ) -> None:
        """Stores the question, then acknowledges it; the answer is written by its turn."""
        desk = self._desk
        if (problem := self.choosing.problem(assistant, model)) is not None:
            await Acknowledgement(interaction, private=True).say(problem)
            return
        acknowledgement = Acknowledgement(interaction, private=private)
        question = to_question(
            interaction,
            prompt,
            desk.bot,
            image=image,
            private=private,
            assistant=assistant,
            model=model,
            now=datetime.now(UTC),
        )
        if not desk.expect(interaction.id, acknowledgement):
            return  # another delivery of it is being answered: the acknowledgement is that one's
        try:
            accepted = await acknowledgement.within(desk.core.accept(question))
        except StoreUnavailable:
            desk.forget(interaction.id)
            _log.exception("question_not_stored", interaction=interaction.id)
            await acknowledgement.say(words.say("store_unavailable"))
            return
        except PlatformError:  # the question is stored, and its answer tries once more to acknowledge
            raise
        except Exception:
            desk.forget(interaction.id)
            raise
        if accepted.outcome == "turn":
            await acknowledgement.defer()
            return
        desk.forget(interaction.id)
        await acknowledgement.say(words.NOT_ANSWERED[accepted.outcome])

    async def chat(self, interaction: discord.Interaction, topic: str) -> None:
        """Opens a thread and puts the topic to it as the first question."""
        acknowledgement = Acknowledgement(interaction, private=True)
        try:
            said = await acknowledgement.within(self._open_chat(interaction, topic))
        except NoThreadHere:
            said = words.NO_THREADS_HERE
        except StoreUnavailable:
            _log.exception("question_not_stored", interaction=interaction.id)
            said = words.say("store_unavailable")
        except PlaceForbidden:
            said = words.say("thread_failed")
        except PlatformError as error:
            _log.warning("thread_not_opened", interaction=interaction.id, reason=error.reason, code=error.code)
            said = words.say("platform_unavailable")
        await acknowledgement.say(said)

    async def reset(self, interaction: discord.Interaction) -> None:
        await self._tell(interaction, self._reset(interaction))

    async def help(self, interaction: discord.Interaction) -> None:
        notes = (*(() if self._desk.message_content else (words.READS_ONLY_MENTIONS,)), *self._desk.notes)
        assistants = ", ".join(self._desk.core.choices.names.every("assistant"))
        await Acknowledgement(interaction, private=True).say(help_text("discord", assistants=assistants, notes=notes))

    async def _open_chat(self, interaction: discord.Interaction, topic: str) -> str:
        desk = self._desk
        asker = str(interaction.user.id)
        intro = words.chat_begins(topic, asker, message_content=desk.message_content, notes=desk.notes)
        thread = await open_thread(desk.rest, interaction, words.thread_name(topic), intro)
        await desk.core.accept(to_topic(interaction, topic, thread, desk.bot, now=datetime.now(UTC)))
        return words.chat_link(str(thread))

    async def _reset(self, interaction: discord.Interaction) -> str:
        root = str(interaction.channel_id) if is_thread(interaction.channel) else None
        done = await self._desk.core.reset(workspace_of(interaction), str(interaction.channel_id), root)
        return words.say("reset") if done else words.NOTHING_TO_FORGET

    async def _tell(self, interaction: discord.Interaction, sentence: Awaitable[str]) -> None:
        acknowledgement = Acknowledgement(interaction, private=True)
        try:
            said = await acknowledgement.within(sentence)
        except StoreUnavailable:
            _log.exception("command_without_store", interaction=interaction.id)
            said = words.say("store_unavailable")
        await acknowledgement.say(said)


class Tree(app_commands.CommandTree[discord.Client]):
    """The commands as discord.py knows them; what nobody expected is logged and told in one sentence."""

    def __init__(self, client: discord.Client, admission: Admission) -> None:
        super().__init__(client)
        self._admission = admission

    async def interaction_check(self, interaction: discord.Interaction[discord.Client], /) -> bool:
        """In a server that is not allowed no command does anything but say so."""
        return not await self._admission.refuse(interaction)

    async def on_error(
        self, interaction: discord.Interaction[discord.Client], error: app_commands.AppCommandError, /
    ) -> None:
        cause = error.original if isinstance(error, app_commands.CommandInvokeError) else error
        _log.error("command_failed", interaction=interaction.id, error=type(cause).__name__, exc_info=cause)
        if isinstance(cause, PlatformError):
            return  # the answer itself could not be given: another try would fail the same way
        try:
            if not interaction.response.is_done():
                await interaction.response.send_message(words.say("unexpected"), ephemeral=True)
            elif interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
                await interaction.edit_original_response(content=words.say("unexpected"))
        except discord.DiscordException as failed:
            _log.warning("command_failure_not_told", interaction=interaction.id, reason=converted(failed).reason)


def command_tree(client: discord.Client, desk: Desk) -> Tree:
    """All commands of Bise on `client`: for servers and direct messages, installed into servers."""
    tree = Tree(client, desk.admission)
    commands = Commands(desk)
    everywhere = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
    in_guilds = app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)
    in_servers = app_commands.AppInstallationType(guild=True, user=False)

    @app_commands.command(name="ask", description="Ask a question; the answer streams in here")
    @app_commands.describe(
        prompt="What you want to know",
        image="A picture or PDF to read",
        assistant="Who answers in this conversation",
        model="Which model answers in this conversation",
        private="Only you see the answer",
    )
    async def ask(
        interaction: discord.Interaction,
        prompt: app_commands.Range[str, 1, LONGEST_PROMPT],
        image: discord.Attachment | None = None,
        assistant: app_commands.Range[str, 1, LONGEST_NAME] | None = None,
        model: app_commands.Range[str, 1, LONGEST_NAME] | None = None,
        private: bool = False,
    ) -> None:
        asking = commands.ask(interaction, prompt, image=image, assistant=assistant, model=model, private=private)
        await desk.tracked(asking)

    ask.autocomplete("assistant")(offers(desk, "assistant"))
    ask.autocomplete("model")(offers(desk, "model"))

    @app_commands.command(name="chat", description="Open a thread in which every message is answered")
    @app_commands.describe(topic="What to talk about: the first question")
    async def chat(interaction: discord.Interaction, topic: app_commands.Range[str, 1, LONGEST_PROMPT]) -> None:
        await desk.tracked(commands.chat(interaction, topic))

    bise = app_commands.Group(name="bise", description="Usage, budget, assistant, model, reset and help")

    @bise.command(name="reset", description="Forget the conversation here")
    async def reset(interaction: discord.Interaction) -> None:
        await desk.tracked(commands.reset(interaction))

    @bise.command(name="help", description="What I can do")
    async def help_(interaction: discord.Interaction) -> None:
        await desk.tracked(commands.help(interaction))

    add_choices(bise, desk, commands.choosing)
    admin, settings = admin_group(desk, commands.choosing)
    add_budget(bise, admin, desk, commands.budgets)
    budgets.add_choices(settings, desk, commands.budgets)
    add_reports(admin, desk, commands.reports)
    every: tuple[app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu, ...] = (
        ask,
        chat,
        bise,
        admin,
        cost_menu(desk, commands.budgets),
    )
    for command in every:
        command.allowed_contexts = in_guilds if command is admin else everywhere
        command.allowed_installs = in_servers
        tree.add_command(command)
    return tree
