"""Block Kit for what stands below an answer, and for answers that can only be sent as blocks."""

from __future__ import annotations

from bots.slack.api import Json
from bots.slack.manifest import CONTROL_ACTION
from bots.slack.posts import Foot

NOTIFICATION_MAX = 150
_CONTEXT_TEXT_MAX = 3000


def markdown(text: str) -> Json:
    return {"type": "markdown", "text": text}


def foot_blocks(foot: Foot) -> list[Json]:
    """The notes as small print, and the Stop button."""
    blocks: list[Json] = []
    if foot.notes:
        notes = [{"type": "mrkdwn", "text": escaped(note)[:_CONTEXT_TEXT_MAX]} for note in foot.notes]
        blocks.append({"type": "context", "elements": notes})
    if foot.stop:
        blocks.append({"type": "actions", "elements": [stop_button(foot.stop)]})
    return blocks


def stop_button(control: str) -> Json:
    label = {"type": "plain_text", "text": "Stop"}
    return {"type": "button", "action_id": CONTROL_ACTION, "text": label, "value": control}


def notification(text: str) -> str:
    """The words that a notification shows of a message made of blocks."""
    line = " ".join(text[: 4 * NOTIFICATION_MAX].split())
    return escaped(line if len(line) <= NOTIFICATION_MAX else f"{line[: NOTIFICATION_MAX - 1]}…")


def escaped(text: str) -> str:
    """Plain words for a `mrkdwn` or `text` field: no mention and no link comes of them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
