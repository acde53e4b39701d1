"""`/bise budget` and `/bise-admin budget …`, and the menu that tells what an answer has cost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal

import discord
from discord import app_commands

from bots.discord.inbound import asker, workspace_of
from bots.money_desk import MoneyDesk

if TYPE_CHECKING:
    from bots.discord.commands import Desk

Tell = Callable[[discord.Interaction, Awaitable[str]], Awaitable[None]]
Place = app_commands.AppCommandChannel | app_commands.AppCommandThread
COST_MENU = "What did this cost?"
_LONGEST_AMOUNT = 30


class Budgets:
    """What these do. `tell` answers an interaction with words that may take a while."""

    def __init__(self, desk: Desk, tell: Tell) -> None:
        self._desk = desk
        self._money = MoneyDesk(desk.core, "discord")
        self._tell = tell

    async def usage(self, interaction: discord.Interaction) -> None:
        await self._tell(interaction, self._money.usage(workspace_of(interaction), str(interaction.user.id)))

    async def show(self, interaction: discord.Interaction) -> None:
        person, channel = asker(interaction, self._desk.bot), str(interaction.channel_id)
        await self._tell(interaction, self._money.show(workspace_of(interaction), person, channel))

    async def set_limit(
        self,
        interaction: discord.Interaction,
        per: Literal["day", "month"],
        limit: str,
        *,
        user: discord.User | discord.Member | None,
        channel: Place | None,
    ) -> None:
        change = self._money.set_limit(
            workspace_of(interaction),
            per,
            limit,
            asker(interaction, self._desk.bot),
            person=str(user.id) if user else None,
            channel=str(channel.id) if channel else None,
        )
        await self._tell(interaction, change)

    async def choose(self, interaction: discord.Interaction, name: str, value: str | None) -> None:
        """What the server chooses about its money; without a value only what holds."""
        key = workspace_of(interaction)
        if value is None:
            await self._tell(interaction, self._money.choices(key))
        else:
            by = asker(interaction, self._desk.bot)
            await self._tell(interaction, self._money.choose(key, name, value, by))

    async def cost(self, interaction: discord.Interaction, message: discord.Message) -> None:
        await self._tell(interaction, self._money.cost_of_post(workspace_of(interaction), str(message.id)))


def add_budget(bise: app_commands.Group, admin: app_commands.Group, desk: Desk, budgets: Budgets) -> None:
    """`/bise usage` and `/bise budget` for everybody, `/bise-admin budget show|set` for those who manage the server."""

    @bise.command(name="usage", description="What was used today and this month")
    async def usage(interaction: discord.Interaction) -> None:
        await desk.tracked(budgets.usage(interaction))

    @bise.command(name="budget", description="What is spent and what is left, for you and for all")
    async def budget(interaction: discord.Interaction) -> None:
        await desk.tracked(budgets.show(interaction))

    limits = app_commands.Group(name="budget", description="What may be spent in the server", parent=admin)

    @limits.command(name="show", description="What is spent and what is left")
    async def show(interaction: discord.Interaction) -> None:
        await desk.tracked(budgets.show(interaction))

    @limits.command(name="set", description="Set a limit: for the whole server, or for one channel or person")
    @app_commands.describe(
        per="A day or a calendar month",
        limit="US dollars such as 25 or 0.50; none; or default for what was set up",
        user="Only for this person",
        channel="Only for this channel",
    )
    async def set_(
        interaction: discord.Interaction,
        per: Literal["day", "month"],
        limit: app_commands.Range[str, 1, _LONGEST_AMOUNT],
        user: discord.User | None = None,
        channel: Place | None = None,
    ) -> None:
        await desk.tracked(budgets.set_limit(interaction, per, limit, user=user, channel=channel))


def add_choices(settings: app_commands.Group, desk: Desk, budgets: Budgets) -> None:
    """`/bise-admin settings zone|people|economy`."""

    @settings.command(name="zone", description="Where the server's days begin and end")
    @app_commands.describe(name="A time zone such as Europe/Paris; leave it out to see what holds")
    async def zone(interaction: discord.Interaction, name: app_commands.Range[str, 1, 64] | None = None) -> None:
        await desk.tracked(budgets.choose(interaction, "zone", name))

    @settings.command(name="people", description="Whether admins may look at the figures of single people")
    @app_commands.describe(value="On: each such look is written down")
    async def people(interaction: discord.Interaction, value: Literal["on", "off"]) -> None:
        await desk.tracked(budgets.choose(interaction, "people", value))

    @settings.command(name="economy", description="From which part of the month's budget the economy model answers")
    @app_commands.describe(value="A percentage from 1 to 100, or off")
    async def economy(interaction: discord.Interaction, value: app_commands.Range[str, 1, 8]) -> None:
        await desk.tracked(budgets.choose(interaction, "economy", value))


def cost_menu(desk: Desk, budgets: Budgets) -> app_commands.ContextMenu:
    """The entry in the menu of every message."""

    async def cost(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await desk.tracked(budgets.cost(interaction, message))

    return app_commands.ContextMenu(name=COST_MENU, callback=cost)
