"""What is asked of Bise itself, in a mention of its own: pure parsing."""

from __future__ import annotations

from core.messages import ConversationKind, IncomingMessage

ALONE = ("reset", "cost", "stop", "leave", "help")
_LATER = ("model", "assistant")  # followed by one name: a later issue's
CHARACTERS_PER_TOKEN = 3  # of a question's greatest length; most text needs fewer tokens


def parse(message: IncomingMessage, *, longest: int) -> str | None:
    """The command's name in an addressed message, or None for a question. `longest`: characters of a question.

    Besides the commands: "greeting" for a mention and nothing else, "empty_prompt", "too_long", "choosing_later".
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
    if len(words) == 2 and words[0] in _LATER:
        return "choosing_later"
    return None


def is_bare_stop(message: IncomingMessage) -> bool:
    """A "stop" that names nobody, as people type it while an answer runs."""
    if message.source != "message":
        return False
    return message.text.strip().lower().rstrip(".!") == "stop" and not message.attachments
