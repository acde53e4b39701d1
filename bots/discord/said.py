"""What the bot itself said in a channel, as Discord lists it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.discord.rest import Rest

_PAGE = 100  # messages: the most that Discord lists at once


@dataclass(frozen=True, slots=True)
class Said:
    """A message of ours that stands in a channel.

    `reply_to`: the message that it replies to. `interaction`: the one whose response or follow-up it is.
    `buttons`: the ids of its buttons. A nonce is no part of it: Discord keeps none with a message.
    """

    post: str
    content: str
    reply_to: str | None
    interaction: str | None
    buttons: frozenset[str]


async def said_after(rest: Rest, channel: str, after: str) -> list[Said]:
    """Ours among the hundred messages that follow the message or moment `after`, oldest first.

    Without the right to read the history Discord lists nothing. Raises RateLimited, PlatformError.
    """
    own = await rest.own_id()
    path = f"/channels/{channel}/messages?after={after}&limit={_PAGE}"
    listed = await rest.call("GET", path, bucket=f"read {channel}") or []
    return sorted((_said(one) for one in listed if one["author"]["id"] == own), key=lambda said: int(said.post))


def _said(message: Mapping[str, Any]) -> Said:
    reference, origin = message.get("message_reference") or {}, message.get("interaction_metadata") or {}
    rows = message.get("components") or []
    return Said(
        post=str(message["id"]),
        content=str(message.get("content", "")),
        reply_to=reference.get("message_id"),
        interaction=origin.get("id"),
        buttons=frozenset(
            str(button["custom_id"]) for row in rows for button in row.get("components", ()) if "custom_id" in button
        ),
    )
