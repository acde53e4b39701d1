"""Buttons on answers: raw components, found again by their id after any restart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import discord
import structlog

from bots.discord import words
from bots.discord.acknowledgement import Acknowledgement, within
from bots.discord.errors import converted
from bots.discord.inbound import TOKEN_LIFE, asker, workspace_of
from bots.discord.places import Components
from bots.replies import ASK_AGAIN, STOP, sentence
from bots.writer import RateLimited
from core.errors import PlatformError, StoreUnavailable
from core.messages import Notice, Press, Pressed

if TYPE_CHECKING:
    from bots.discord.commands import Desk

PREFIX = "bise:"
_AGAIN = "again:"  # what comes of such a press must be known before it is acknowledged
_ACTION_ROW, _BUTTON, _GREY = 1, 2, 2
_log = structlog.get_logger()


def stop_row(control: str) -> Components:
    """The Stop button of a running answer."""
    return _row(STOP, control)


def again_row(control: str) -> Components:
    """The "Ask again" button of an answer for which the model could not be had."""
    return _row(ASK_AGAIN, f"{_AGAIN}{control}")


def control_of(interaction: discord.Interaction) -> str | None:
    """What `press` takes of the button that was pressed; None when this is no press of a button of ours."""
    if interaction.type is not discord.InteractionType.component or interaction.data is None:
        return None
    custom_id = str(interaction.data.get("custom_id", ""))
    return custom_id.removeprefix(PREFIX) if custom_id.startswith(PREFIX) else None


async def press(interaction: discord.Interaction, control: str, desk: Desk) -> None:
    """Hands a press to the core and tells the one who pressed what it says, in time or later. Raises PlatformError."""
    pressed = Press(workspace_of(interaction), control.removeprefix(_AGAIN), asker(interaction, desk.bot))
    message = interaction.message
    try:
        if not control.startswith(_AGAIN):
            await _say(interaction, await within(_outcome(pressed, desk), interaction.response.defer))
        elif message is not None and message.interaction_metadata is not None:
            await _ask_again_behind(interaction, message, pressed, desk)
        else:
            await _ask_again_beside(interaction, pressed, desk)
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        raise converted(error) from error


async def _ask_again_behind(
    interaction: discord.Interaction, message: discord.Message, press: Press, desk: Desk
) -> None:
    """The old answer was an interaction's, whose token may be spent: the new one is written behind the press's own."""
    private = message.flags.ephemeral
    address = {
        "via": "interaction",
        "interaction": str(interaction.id),
        "application": str(interaction.application_id),
        "token": interaction.token,
        "until": str(int((datetime.now(UTC) + TOKEN_LIFE).timestamp())),
        "private": "yes" if private else "no",
    }
    acknowledgement = Acknowledgement(interaction, private=private)
    if not desk.expect(interaction.id, acknowledgement):
        return  # another delivery of it is being answered
    try:
        done = await acknowledgement.within(_outcome(replace(press, address=address), desk))
    except PlatformError:  # the press is stored, and its answer tries once more to acknowledge
        raise
    except BaseException:
        desk.forget(interaction.id)
        raise
    if done.turn is None:
        desk.forget(interaction.id)
        await acknowledgement.say(_words(done) or words.say("control_gone"))
        return
    await acknowledgement.defer()
    if not private:  # nobody else's token reaches a private answer
        await _take_away(message, desk)


async def _ask_again_beside(interaction: discord.Interaction, press: Press, desk: Desk) -> None:
    """The new answer goes where the old one went, by the bot's own token: the press only takes the button away."""
    response = interaction.response
    done = await within(_outcome(press, desk), response.defer)
    if done.turn is None:
        await _say(interaction, done)
    elif response.is_done():
        await interaction.edit_original_response(view=None)
    else:
        await response.edit_message(view=None)


async def _take_away(message: discord.Message, desk: Desk) -> None:
    channel = message.channel.id
    path = f"/channels/{channel}/messages/{message.id}"
    try:
        await desk.rest.call("PATCH", path, {"components": []}, bucket=f"edit {channel}")
    except (PlatformError, RateLimited) as error:  # pressed again, it says what has become of it
        _log.info("button_stays", message=message.id, error=type(error).__name__)


async def _say(interaction: discord.Interaction, done: Pressed) -> None:
    response, none = interaction.response, discord.AllowedMentions.none()
    said = _words(done)
    if said is None:
        if not response.is_done():
            await response.defer()
    elif response.is_done():
        await interaction.followup.send(said, ephemeral=True, allowed_mentions=none)
    else:
        await response.send_message(said, ephemeral=True, allowed_mentions=none)


async def _outcome(press: Press, desk: Desk) -> Pressed:
    try:
        return await desk.core.press(press)
    except StoreUnavailable as error:
        _log.warning("press_not_stored", control=press.control)
        return Pressed(False, Notice(error.reason))


def _words(done: Pressed) -> str | None:
    return sentence(done.notice, platform="discord") if done.notice else None


def _row(label: str, control: str) -> Components:
    button = {"type": _BUTTON, "style": _GREY, "label": label, "custom_id": f"{PREFIX}{control}"}
    return [{"type": _ACTION_ROW, "components": [button]}]
