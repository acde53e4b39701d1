"""Block Kit for what stands below an answer, and for answers that can only be sent as blocks."""

from __future__ import annotations

from collections.abc import Sequence

from bots.money_words import ASK_ADMIN
from bots.replies import ASK_AGAIN, STOP
from bots.slack.api import Json
from bots.slack.manifest import CONTROL_ACTION
from bots.slack.posts import Foot

NOTIFICATION_MAX = 150
SMALL_PRINT_MAX = 2500  # characters: with an answer's piece of 10,000 above it, a message takes about 13,200
_CONTEXT_ELEMENTS_MAX = 10
_NOTES_MAX = 400  # in 40 of the 50 blocks that a message can have


def markdown(text: str) -> Json:
    return {"type": "markdown", "text": text}


def foot_blocks(foot: Foot) -> list[Json]:
    """The notes as small print, and the buttons."""
    notes = [{"type": "mrkdwn", "text": escaped(note)} for note in foot.notes]
    starts = range(0, len(notes), _CONTEXT_ELEMENTS_MAX)
    blocks: list[Json] = [
        {"type": "context", "elements": notes[start : start + _CONTEXT_ELEMENTS_MAX]} for start in starts
    ]
    for label, control in ((STOP, foot.stop), (ASK_AGAIN, foot.again), (ASK_ADMIN, foot.ask_admin)):
        if control:
            blocks.append({"type": "actions", "elements": [button(label, control)]})
    return blocks


def without_buttons(message: Json) -> list[Json]:
    """The blocks of a message of ours, as Slack tells them with a press, without our buttons."""
    return [block for block in message.get("blocks") or () if not _is_ours(block)]


def _is_ours(block: Json) -> bool:
    elements = block.get("elements") or () if block.get("type") == "actions" else ()
    return any(element.get("action_id") == CONTROL_ACTION for element in elements)


def small_print(notes: Sequence[str]) -> tuple[str, ...]:
    """As many of the notes as fit below an answer, and a line that says how many did not."""
    kept: list[str] = []
    room = SMALL_PRINT_MAX
    for note in notes:
        length = max(len(escaped(note)), SMALL_PRINT_MAX // _NOTES_MAX)
        if length > room:
            return (*kept, f"… and {len(notes) - len(kept)} more like these.")
        kept.append(note)
        room -= length
    return tuple(kept)


def button(label: str, control: str) -> Json:
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": CONTROL_ACTION, "text": text, "value": control}


def notification(text: str) -> str:
    """The words that a notification shows of a message made of blocks."""
    line = " ".join(text[: 4 * NOTIFICATION_MAX].split())
    return escaped(line if len(line) <= NOTIFICATION_MAX else f"{line[: NOTIFICATION_MAX - 1]}…")


def escaped(text: str) -> str:
    """Plain words for a `mrkdwn` or `text` field: no mention and no link comes of them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
