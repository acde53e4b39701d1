"""Buttons on answers: raw components, found again by their id after any restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import discord
import structlog

from bots.discord import words
from bots.discord.acknowledgement import within
from bots.discord.errors import converted
from bots.discord.inbound import Self, asker, workspace_of
from bots.discord.places import Components
from bots.replies import sentence
from core.errors import StoreUnavailable
from core.messages import Press

if TYPE_CHECKING:
    from core.service import Core

PREFIX = "bise:"
_ACTION_ROW, _BUTTON, _GREY = 1, 2, 2
_log = structlog.get_logger()


def stop_row(control: str) -> Components:
    """The Stop button of a running answer."""
    button = {"type": _BUTTON, "style": _GREY, "label": words.STOP, "custom_id": f"{PREFIX}{control}"}
    return [{"type": _ACTION_ROW, "components": [button]}]


def control_of(interaction: discord.Interaction) -> str | None:
    """The control whose button was pressed; None when this is no press of a button of ours."""
    if interaction.type is not discord.InteractionType.component or interaction.data is None:
        return None
    custom_id = str(interaction.data.get("custom_id", ""))
    return custom_id.removeprefix(PREFIX) if custom_id.startswith(PREFIX) else None


async def press(interaction: discord.Interaction, control: str, core: Core, bot: Self) -> None:
    """Hands a press to the core and tells the one who pressed what it says, in time or later. Raises PlatformError."""
    pressed = Press(workspace_of(interaction), control, asker(interaction, bot))
    response, none = interaction.response, discord.AllowedMentions.none()
    try:
        said = await within(_outcome(pressed, core), response.defer)
        if said is None:
            if not response.is_done():
                await response.defer()
        elif response.is_done():
            await interaction.followup.send(said, ephemeral=True, allowed_mentions=none)
        else:
            await response.send_message(said, ephemeral=True, allowed_mentions=none)
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        raise converted(error) from error


async def _outcome(press: Press, core: Core) -> str | None:
    try:
        done = await core.press(press)
    except StoreUnavailable:
        _log.warning("press_not_stored", control=press.control)
        return words.say("store_unavailable")
    return sentence(done.notice, platform="discord") if done.notice else None
