"""Words that only the Discord adapter needs; the sentences for errors are in `bots/replies.py`."""

from __future__ import annotations

from bots.replies import sentence
from core.messages import Notice

STOP = "Stop"
NO_THREADS_HERE = "I can open a chat only in a text channel of a server. Here, just mention me or use `/ask`."
NOTHING_TO_FORGET = "There is no conversation of ours here that I could forget."
READS_ONLY_MENTIONS = (
    "I cannot read messages here that do not mention me or reply to me: the message content intent of this bot is off."
)
_TOPIC_LIMIT = 80


def say(name: str) -> str:
    """The sentence of `bots/replies.py` with that name."""
    return sentence(Notice(name), platform="discord")


def chat_link(thread: str) -> str:
    return f"We talk in <#{thread}>."


def chat_begins(topic: str, asker: str, *, message_content: bool) -> str:
    """The first message of a `/chat` thread: what it is, how to end it, and the first question."""
    rules = say("chat_opened" if message_content else "chat_opened_mentions")
    return f"{rules}\n{quote(topic, asker)}"


def quote(prompt: str, asker: str = "", limit: int = 200) -> str:
    """A prompt as one quoted line of at most `limit` characters."""
    line = " ".join(prompt.split())
    whole = f"> {f'<@{asker}>: ' if asker else ''}{line}"
    return whole if len(whole) <= limit else f"{whole[: limit - 1].rstrip()}…"


def thread_name(topic: str) -> str:
    """A thread's name: the topic on one line, 1 to 100 characters."""
    line = " ".join(topic.split())
    return (line if len(line) <= _TOPIC_LIMIT else f"{line[: _TOPIC_LIMIT - 1].rstrip()}…") or "Chat"


def cannot_write(channel: str) -> str:
    """For the asker's direct messages, when the answer was refused in `channel`."""
    return f"You asked me something in <#{channel}>. {say('place_forbidden')}"
