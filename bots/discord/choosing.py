"""`/bise assistant|model` and `/bise-admin settings`: members choose for a channel, Manage Server for the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Literal

import discord
from discord import app_commands

from bots.discord.inbound import asker, channel_of, workspace_of
from bots.replies import sentence
from core.messages import Notice

if TYPE_CHECKING:
    from bots.discord.commands import Desk

What = Literal["assistant", "model"]
Tell = Callable[[discord.Interaction, Awaitable[str]], Awaitable[None]]
Offers = Callable[[discord.Interaction[Any], str], Coroutine[Any, Any, list[app_commands.Choice[str]]]]
LONGEST_NAME = 100
_LABEL_LIMIT = 100  # characters of a suggestion's label


class Choosing:
    """What choosing does. `tell` answers an interaction with words that may take a while."""

    def __init__(self, desk: Desk, tell: Tell) -> None:
        self._desk = desk
        self._tell = tell

    def problem(self, assistant: str | None, model: str | None) -> str | None:
        """Why `/ask` cannot be answered by these; None if it can. Typed names need not be those suggested."""
        named: tuple[tuple[What, str | None], ...] = (("assistant", assistant), ("model", model))
        for what, name in named:
            if name is not None and (problem := self._desk.core.choices.names.problem(what, name)) is not None:
                return _said(problem)
        return None

    async def for_channel(self, interaction: discord.Interaction, what: What, name: str | None) -> None:
        """A channel's default; without a name only what holds."""
        choices, key, channel = self._desk.core.choices, workspace_of(interaction), channel_of(interaction)
        if name is None:
            await self._tell(interaction, _words(choices.told(what, key, channel)))
            return
        person = asker(interaction, self._desk.bot)
        await self._tell(interaction, _words(choices.choose_for_channel(what, name, key, channel, person)))

    async def for_server(self, interaction: discord.Interaction, what: What, name: str | None) -> None:
        """A server's default; without a name only what holds."""
        choices, key = self._desk.core.choices, workspace_of(interaction)

        def change() -> Awaitable[Notice]:
            return choices.workspace_told(key) if name is None else choices.choose_for_workspace(what, name, key)

        await self._tell(interaction, self._for_admins(interaction, change))

    async def recent_messages(self, interaction: discord.Interaction, *, allowed: bool) -> None:
        """Turns the look at recent messages on or off in a server."""
        change = self._desk.core.choices.allow_recent_messages
        key = workspace_of(interaction)
        await self._tell(interaction, self._for_admins(interaction, lambda: change(key, allowed=allowed)))

    async def secrets(self, interaction: discord.Interaction, handling: str) -> None:
        """What becomes of secrets in a server's messages."""
        change, key = self._desk.core.choices.handle_secrets, workspace_of(interaction)
        await self._tell(interaction, self._for_admins(interaction, lambda: change(key, handling)))

    async def _for_admins(self, interaction: discord.Interaction, change: Callable[[], Awaitable[Notice]]) -> str:
        """Discord shows the command to admins alone, unless a server has set that otherwise."""
        admin = asker(interaction, self._desk.bot).admin
        return _said(await change() if admin else Notice("not_admin"))


def offers(desk: Desk, what: What) -> Offers:
    """What Discord shows below the field while a name is typed."""

    async def offered(
        interaction: discord.Interaction[Any],  # noqa: ARG001
        typed: str,
    ) -> list[app_commands.Choice[str]]:
        found = desk.core.choices.names.suggestions(what, typed)
        return [
            app_commands.Choice(
                name=f"{one.name}: {one.description}"[:_LABEL_LIMIT] if one.description else one.name, value=one.name
            )
            for one in found
        ]

    return offered


def add_choices(bise: app_commands.Group, desk: Desk, choosing: Choosing) -> None:
    """Adds `assistant` and `model` to `/bise`."""

    @bise.command(name="assistant", description="Who answers in this channel; choose another")
    @app_commands.describe(name="An assistant; leave it out to see who answers")
    async def assistant(
        interaction: discord.Interaction, name: app_commands.Range[str, 1, LONGEST_NAME] | None = None
    ) -> None:
        await desk.tracked(choosing.for_channel(interaction, "assistant", name))

    @bise.command(name="model", description="Which model answers in this channel; choose another")
    @app_commands.describe(name="A model; leave it out to see which one answers")
    async def model(
        interaction: discord.Interaction, name: app_commands.Range[str, 1, LONGEST_NAME] | None = None
    ) -> None:
        await desk.tracked(choosing.for_channel(interaction, "model", name))

    assistant.autocomplete("name")(offers(desk, "assistant"))
    model.autocomplete("name")(offers(desk, "model"))


def admin_group(desk: Desk, choosing: Choosing) -> tuple[app_commands.Group, app_commands.Group]:
    """`/bise-admin`, shown to members with Manage Server, and its `settings`."""
    admin = app_commands.Group(
        name="bise-admin",
        description="What holds for the whole server",
        default_permissions=discord.Permissions(manage_guild=True),
    )
    settings = app_commands.Group(
        name="settings", description="Assistant, model, tools and days of the server", parent=admin
    )

    @settings.command(name="assistant", description="Who answers where no channel has chosen")
    @app_commands.describe(name="An assistant; leave it out to see what holds")
    async def assistant(
        interaction: discord.Interaction, name: app_commands.Range[str, 1, LONGEST_NAME] | None = None
    ) -> None:
        await desk.tracked(choosing.for_server(interaction, "assistant", name))

    @settings.command(name="model", description="Which model answers where no channel has chosen")
    @app_commands.describe(name="A model; leave it out to see what holds")
    async def model(
        interaction: discord.Interaction, name: app_commands.Range[str, 1, LONGEST_NAME] | None = None
    ) -> None:
        await desk.tracked(choosing.for_server(interaction, "model", name))

    @settings.command(name="recent-messages", description="Whether I may look up what was said lately in a channel")
    @app_commands.describe(value="On lets me look up recent messages of the channel I am asked in")
    async def recent_messages(interaction: discord.Interaction, value: Literal["on", "off"]) -> None:
        await desk.tracked(choosing.recent_messages(interaction, allowed=value == "on"))

    @settings.command(name="secrets", description="What becomes of keys, tokens and card numbers in messages")
    @app_commands.describe(value="Mask: the model does not see them. Refuse: I do not answer. Off: nothing.")
    async def secrets(interaction: discord.Interaction, value: Literal["mask", "refuse", "off", "default"]) -> None:
        await desk.tracked(choosing.secrets(interaction, value))

    assistant.autocomplete("name")(offers(desk, "assistant"))
    model.autocomplete("name")(offers(desk, "model"))
    return admin, settings


async def _words(notice: Awaitable[Notice]) -> str:
    return _said(await notice)


def _said(notice: Notice) -> str:
    return sentence(notice, platform="discord")
