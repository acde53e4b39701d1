"""The notices of missed questions in Discord: silent, with one button."""

from __future__ import annotations

from typing import Any

from bots.discord.controls import PREFIX
from bots.discord.places import NO_PINGS
from bots.discord.rest import Rest
from bots.replies import ANSWER_NOW, sentence
from core.messages import Notice
from core.store.missed import MissedNotice

_SILENT = 1 << 12  # nobody's phone makes a sound
_LOOKED_AT = 100  # messages
_ACTION_ROW, _BUTTON, _GREY = 1, 2, 2


class MissedNotices:
    """Honours `core.turns.catching_up.Board`. Both raise PlatformError."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    async def find(self, notice: MissedNotice) -> str | None:
        """The newest messages of the channel are looked through for the notice's button."""
        found = await self._rest.patiently("GET", f"/channels/{notice.channel}/messages?limit={_LOOKED_AT}")
        return next((str(message["id"]) for message in found if _custom_id(notice) in _custom_ids(message)), None)

    async def post(self, notice: MissedNotice) -> str:
        body = {
            "content": sentence(Notice("missed"), platform="discord"),
            "components": [{"type": _ACTION_ROW, "components": [_button(notice)]}],
            "allowed_mentions": NO_PINGS,
            "flags": _SILENT,
            "nonce": f"missed.{notice.id}",
            "enforce_nonce": True,
        }
        return str((await self._rest.patiently("POST", f"/channels/{notice.channel}/messages", body))["id"])


def _button(notice: MissedNotice) -> dict[str, Any]:
    return {"type": _BUTTON, "style": _GREY, "label": ANSWER_NOW, "custom_id": _custom_id(notice)}


def _custom_id(notice: MissedNotice) -> str:
    return f"{PREFIX}{notice.control}"


def _custom_ids(message: dict[str, Any]) -> set[str]:
    rows = message.get("components") or []
    return {str(button.get("custom_id")) for row in rows for button in row.get("components") or []}
