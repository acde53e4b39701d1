"""`/bise-admin report …`: when and where reports come, and what is in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal

import discord
from discord import app_commands

from bots.discord.inbound import asker, workspace_of
from bots.report_desk import ReportDesk

if TYPE_CHECKING:
    from bots.discord.commands import Desk

Tell = Callable[[discord.Interaction, Awaitable[str]], Awaitable[None]]
Place = app_commands.AppCommandChannel | app_commands.AppCommandThread
OnOff = Literal["on", "off"]


class ReportCommands:
    """What these do. `tell` answers an interaction with words that may take a while."""

    def __init__(self, desk: Desk, tell: Tell) -> None:
        self._desk = desk
        self._reports = ReportDesk(desk.core, "discord")
        self._tell = tell

    async def run(self, interaction: discord.Interaction, typed: str) -> None:
        """Does what `typed` says, as it would be typed elsewhere."""
        person = asker(interaction, self._desk.bot)
        await self._tell(interaction, self._reports.run(workspace_of(interaction), typed, person))


def add_reports(admin: app_commands.Group, desk: Desk, reports: ReportCommands) -> None:
    """Adds them to `/bise-admin`."""
    report = app_commands.Group(name="report", description="The usage report of the server", parent=admin)

    async def run(interaction: discord.Interaction, typed: str) -> None:
        await desk.tracked(reports.run(interaction, typed))

    @report.command(name="show", description="When and where reports come")
    async def show(interaction: discord.Interaction) -> None:
        await run(interaction, "")

    @report.command(name="now", description="Post yesterday's report now, unless it was posted")
    async def now(interaction: discord.Interaction) -> None:
        await run(interaction, "now")

    @report.command(name="hour", description="At which hour reports come")
    @app_commands.describe(hour="From 0 to 23, in the server's time zone")
    async def hour(interaction: discord.Interaction, hour: app_commands.Range[int, 0, 23]) -> None:
        await run(interaction, f"hour {hour}")

    @report.command(name="channel", description="Where reports and alerts are posted")
    @app_commands.describe(channel="Leave it out for what was set up, or else privately")
    async def channel(interaction: discord.Interaction, channel: Place | None = None) -> None:
        await run(interaction, f"channel {channel.id if channel is not None else 'default'}")

    @report.command(name="kind", description="Which reports come")
    @app_commands.describe(kind="About a day, a week (on Mondays) or a month (on the 1st)", value="Whether it comes")
    async def kind(interaction: discord.Interaction, kind: Literal["daily", "weekly", "monthly"], value: OnOff) -> None:
        await run(interaction, f"{kind} {value}")

    @report.command(name="with", description="What is in reports, and on which days they come")
    @app_commands.describe(what="Weekdays only; days without use, too; what each person has spent", value="On or off")
    async def with_(
        interaction: discord.Interaction, what: Literal["weekdays", "zero-days", "people"], value: OnOff
    ) -> None:
        await run(interaction, f"{what} {value}")

    @report.command(name="mute", description="No reports for a week")
    @app_commands.describe(value="Off brings them back now")
    async def mute(interaction: discord.Interaction, value: Literal["week", "off"] = "week") -> None:
        await run(interaction, f"mute {value}")

    @report.command(name="off", description="No reports at all")
    async def off(interaction: discord.Interaction) -> None:
        await run(interaction, "off")
