"""Buttons on answers and announcements: raw components, found again by their id after any restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
import structlog

from bots.discord import words
from bots.discord.acknowledgement import Acknowledgement, within
from bots.discord.errors import converted
from bots.discord.inbound import TOKEN_LIFE, asker, workspace_of
from bots.discord.places import Components
from bots.money_words import ASK_ADMIN
from bots.replies import ASK_AGAIN, STOP, sentence
from bots.report_choice_words import ASK_LIMIT, ASK_LIMIT_HINT
from bots.writer import RateLimited
from core.errors import PlatformError, StoreUnavailable
from core.messages import Answer, Given, Notice, Press, Pressed

if TYPE_CHECKING:
    from bots.discord.commands import Desk

PREFIX = "bise:"
_AGAIN = "again:"  # what comes of such a press must be known before it is acknowledged
_ACTION_ROW, _BUTTON, _GREY = 1, 2, 2
_A_ROW = 5
_FORM_SECONDS, _AMOUNT_MAX = 15 * 60.0, 40
_log = structlog.get_logger()


def stop_row(control: str) -> Components:
    """The Stop button of a running answer."""
    return _row(STOP, control)


def again_row(control: str) -> Components:
    """The "Ask again" button of an answer for which the model could not be had."""
    return _row(ASK_AGAIN, f"{_AGAIN}{control}")


def answer_row(answer: Answer) -> Components:
    """The buttons that an answer brings."""
    again = again_row(answer.again) if answer.again else []
    return again + (_row(ASK_ADMIN, answer.ask_admin) if answer.ask_admin else [])


def action_rows(actions: Sequence[tuple[str, str]]) -> Components:
    """The buttons of an announcement, as (label, control): five a row."""
    rows = (actions[start : start + _A_ROW] for start in range(0, len(actions), _A_ROW))
    return [{"type": _ACTION_ROW, "components": [_button(*action) for action in row]} for row in rows]


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
            done = await within(_outcome(pressed, desk), interaction.response.defer)
            if done.asks is not None and not interaction.response.is_done():
                await interaction.response.send_modal(LimitForm(done.asks, desk))
            elif done.given is not None:
                await give(interaction, done.given, _words(done) or "")
            elif done.shown is not None and message is not None:
                await _show(interaction, message, done.shown)
            else:
                await _say(interaction, done)
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


async def _show(interaction: discord.Interaction, message: discord.Message, shown: Notice) -> None:
    """The message goes on to say what a press of its buttons has done, in their place."""
    said, none = sentence(shown, platform="discord"), discord.AllowedMentions.none()
    content = f"{message.content}\n{said}".strip()
    if interaction.response.is_done():
        await interaction.edit_original_response(content=content, view=None, allowed_mentions=none)
    else:
        await interaction.response.edit_message(content=content, view=None, allowed_mentions=none)


async def give(interaction: discord.Interaction, given: Given, said: str) -> None:
    """A file for whoever pressed alone."""
    file, none = discord.File(BytesIO(given.data), filename=given.name), discord.AllowedMentions.none()
    if interaction.response.is_done():
        await interaction.followup.send(said, file=file, ephemeral=True, allowed_mentions=none)
    else:
        await interaction.response.send_message(said, file=file, ephemeral=True, allowed_mentions=none)


class LimitForm(discord.ui.Modal):
    """One amount, given back as another press of the button."""

    def __init__(self, control: str, desk: Desk) -> None:
        super().__init__(title=ASK_LIMIT, timeout=_FORM_SECONDS)
        self._control = control
        self._desk = desk
        self._amount: discord.ui.TextInput[LimitForm] = discord.ui.TextInput(
            label=ASK_LIMIT_HINT, max_length=_AMOUNT_MAX
        )
        self.add_item(self._amount)

    async def on_submit(self, interaction: discord.Interaction[Any], /) -> None:
        """What became of it is told to whoever typed. Raises PlatformError."""
        who = asker(interaction, self._desk.bot)
        press = Press(workspace_of(interaction), self._control, who, typed=self._amount.value)

        async def defer() -> None:
            await interaction.response.defer(ephemeral=True)

        try:
            await _say(interaction, await within(_outcome(press, self._desk), defer))
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise converted(error) from error


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
    except PlatformError as error:  # who somebody is could not be asked
        _log.warning("press_not_judged", control=press.control, error=error.reason, code=error.code)
        return Pressed(False, Notice("unexpected"))


def _words(done: Pressed) -> str | None:
    return sentence(done.notice, platform="discord") if done.notice else None


def _row(label: str, control: str) -> Components:
    return [{"type": _ACTION_ROW, "components": [_button(label, control)]}]


def _button(label: str, control: str) -> dict[str, Any]:
    return {"type": _BUTTON, "style": _GREY, "label": label, "custom_id": f"{PREFIX}{control}"}
