"""Opening a thread for `/chat`."""

from __future__ import annotations

import discord
import structlog

from bots.discord.places import NO_PINGS
from bots.discord.rest import Rest
from core.errors import PlaceForbidden, PlatformError

_KINDS = {discord.ChannelType.text: 11, discord.ChannelType.news: 10}  # of channel → of the public thread in it
_A_DAY = 1440  # minutes without a message after which Discord archives it
_log = structlog.get_logger()


class NoThreadHere(PlaceForbidden):
    """A direct message, a thread, a voice channel: no place to open a thread in."""


async def open_thread(rest: Rest, interaction: discord.Interaction, name: str, intro: str) -> int:
    """A public thread in the interaction's channel, with `intro` as its first message and the asker in it.

    Gives its id. Raises NoThreadHere, PlatformError.
    """
    channel = interaction.channel
    kind = _KINDS.get(channel.type) if channel is not None and interaction.guild_id is not None else None
    if channel is None or kind is None:
        raise NoThreadHere("no thread can be opened here")
    body = {"name": name, "type": kind, "auto_archive_duration": _A_DAY}
    opened = await rest.patiently("POST", f"/channels/{channel.id}/threads", body, repeatable=False)
    thread = str(opened["id"])
    first = {"content": intro, "allowed_mentions": NO_PINGS, "nonce": f"chat.{thread}"[:25], "enforce_nonce": True}
    await rest.patiently("POST", f"/channels/{thread}/messages", first)
    try:
        await rest.patiently("PUT", f"/channels/{thread}/thread-members/{interaction.user.id}", tries=1)
    except PlatformError as error:  # they find it by the link in the answer
        _log.warning("asker_not_added_to_thread", thread=thread, reason=error.reason, code=error.code)
    return int(thread)
