"""Announcements in Discord: a message with buttons, known again by its nonce, its buttons or its words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from discord.utils import snowflake_time

from bots import report_words
from bots.action_words import action_label
from bots.discord.controls import PREFIX, action_rows
from bots.discord.places import NO_PINGS
from bots.discord.report_embed import embed
from bots.discord.rest import Rest
from bots.replies import sentence
from bots.writer import RateLimited
from core.errors import PlaceGone, PlatformUnavailable
from core.messages import DISCORD_DM, Announcement, WorkspaceKey

PICTURE = "usage.png"
_NONCE_MAX = 25
_ALT_MAX = 1024
_LOOKED_AT = 100  # messages
_CLOCK_SKEW = timedelta(minutes=1)


class Announcements:
    """`direct` gives the channel of direct messages with a person, or with OWNER. Raises PlatformError."""

    def __init__(self, rest: Rest, direct: Callable[[str], Awaitable[str]]) -> None:
        self._rest = rest
        self._direct = direct

    async def announce(self, to: str, announcement: Announcement, *, privately: bool) -> str:
        """Posts it; once more within minutes, Discord gives the post that stands there."""
        channel = await self._direct(to) if privately else to
        said, files = spoken(announcement)
        body = said | {
            "allowed_mentions": NO_PINGS,
            "nonce": sha256(announcement.name.encode()).hexdigest()[:_NONCE_MAX],
            "enforce_nonce": True,
        }
        path = f"/channels/{channel}/messages"
        posted = await self._rest.patiently("POST", path, body, files=files, repeatable=False)  # first look, then again
        return str(posted["id"])

    async def find(self, to: str, announcement: Announcement, since: datetime, *, privately: bool) -> str | None:
        """Its post among the newest of the channel. Raises PlaceForbidden where those cannot be read."""
        try:
            channel = await self._direct(to) if privately else to
            found = await self._rest.patiently("GET", f"/channels/{channel}/messages?limit={_LOOKED_AT}")
            own = await self._rest.own_id()
        except PlaceGone:
            return None
        except RateLimited as limited:
            raise PlatformUnavailable("Discord limits our calls", code="429") from limited
        earliest = since.astimezone(UTC) - _CLOCK_SKEW
        ours = (one for one in found if one["author"]["id"] == own and snowflake_time(int(one["id"])) >= earliest)
        return next((str(one["id"]) for one in ours if _is_it(one, announcement)), None)

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        """The server's owner."""
        if workspace == DISCORD_DM:
            return ()
        return (str((await self._rest.patiently("GET", f"/guilds/{workspace.id}"))["owner_id"]),)


def spoken(announcement: Announcement) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The message, and the files that go with it by their names."""
    report, picture = announcement.report, announcement.picture
    if report is None:
        actions = [(action_label(action.kind), action.control) for action in announcement.actions]
        return {"content": sentence(announcement.notice, platform="discord"), "components": action_rows(actions)}, {}
    actions = [(report_words.BUTTONS[action.kind], action.control) for action in announcement.actions]
    said: dict[str, Any] = {
        "embeds": [embed(report, PICTURE if picture is not None else None)],
        "components": action_rows(actions),
    }
    if picture is None:
        return said, {}
    said["attachments"] = [{"id": 0, "filename": PICTURE, "description": report_words.alt(report)[:_ALT_MAX]}]
    return said, {PICTURE: picture}


def _is_it(message: dict[str, Any], announcement: Announcement) -> bool:
    """By its buttons; by its words where it has none, or where they were pressed and taken away."""
    rows = message.get("components") or []
    pressable = {str(button.get("custom_id")) for row in rows for button in row.get("components") or []}
    if pressable:
        return bool(pressable & {f"{PREFIX}{action.control}" for action in announcement.actions})
    words = sentence(announcement.notice, platform="discord").strip()
    said = str(message.get("content", "")).strip()
    return said == words or (bool(announcement.actions) and said.startswith(f"{words}\n"))
