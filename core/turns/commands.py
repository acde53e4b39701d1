"""What is asked of Bise itself, in a mention of its own: pure parsing."""

from __future__ import annotations

from core.messages import ConversationKind, IncomingMessage
from core.store.choices import What

ALONE = ("reset", "cost", "stop", "leave", "help")
CHOOSING: tuple[What, ...] = ("model", "assistant")  # alone, or followed by one name
CHARACTERS_PER_TOKEN = 3  # of a question's greatest length; most text needs fewer tokens


def parse(message: IncomingMessage, *, longest: int) -> str | None:
    """The command's name in an addressed message, or None for a question. `longest`: characters of a question.

    Besides the commands: "greeting" for a mention and nothing else, "empty_prompt", "too_long".
    """
    words = message.text.strip().lower().rstrip(".!").split()
    if not words and not message.attachments:
        return "greeting" if message.source == "message" else "empty_prompt"
    if len(message.text) > longest:
        return "too_long"
    if message.source != "message" or message.attachments:
        return None
    if len(words) == 1 and words[0] in ALONE:
        return words[0]
    if words == ["new", "topic"] and message.kind is ConversationKind.DM:
        return "reset"
    if len(words) in (1, 2) and words[0] in CHOOSING:
        return words[0]
    return None


def choosing(text: str) -> tuple[What, str] | None:
    """What "model NAME" or "assistant NAME" chooses, the name as it was written, maybe none; None for another text."""
    words = text.split()
    what = next((one for one in CHOOSING if words and words[0].lower().rstrip(".!") == one), None)
    if what is None or len(words) > 2:
        return None
    return what, words[1] if len(words) == 2 else ""


def is_bare_stop(message: IncomingMessage) -> bool:
    """A "stop" that names nobody, as people type it while an answer runs."""
    if message.source != "message":
        return False
    return message.text.strip().lower().rstrip(".!") == "stop" and not message.attachments
