"""Words that only the Discord adapter needs; the sentences for errors are in `bots/replies.py`."""

from __future__ import annotations

import discord

from bots.replies import sentence
from core.messages import Notice

NO_THREADS_HERE = "I can open a chat only in a text channel of a server. Here, just mention me or use `/ask`."
NOTHING_TO_FORGET = "There is no conversation of ours here that I could forget."
READS_ONLY_MENTIONS = (
    "I cannot read messages here that do not mention me or reply to me: the message content intent of this bot is off."
)
# What became of a question that is not answered by a turn of its own, by the core's outcome.
NOT_ANSWERED = {
    "stopped": "Stopped.",
    "duplicate": "I have this question already; the answer to it is on its way, or has been given.",
    "context": "I have noted that, but I do not take it as a question. Ask again in other words.",
    "ignored": "I do not take that as a question to me. Ask again in other words.",
}
_TOPIC_LIMIT = 80


def say(name: str) -> str:
    """The sentence of `bots/replies.py` with that name."""
    return sentence(Notice(name), platform="discord")


def chat_link(thread: str) -> str:
    return f"We talk in <#{thread}>."


def chat_begins(topic: str, asker: str, *, message_content: bool, notes: tuple[str, ...] = ()) -> str:
    """The first message of a `/chat` thread: what it is, how to end it, what to know, and the first question."""
    rules = say("chat_opened" if message_content else "chat_opened_mentions")
    return "\n".join((" ".join((rules, *notes)), quote(topic, asker)))


def quote(prompt: str, asker: str = "", limit: int = 200) -> str:
    """A prompt as one quoted line of plain text, at most `limit` characters: no markup of it reaches the answer."""
    line = " ".join(prompt.replace("`", "'").split())
    room = limit - len(before := f"> {f'<@{asker}>: ' if asker else ''}")
    if len(plain := discord.utils.escape_markdown(line)) <= room:
        return before + plain
    while len(plain := discord.utils.escape_markdown(line.rstrip())) >= room:
        line = line[: -max(1, (len(plain) - room) // 2)]
    return f"{before}{plain}…"


def thread_name(topic: str) -> str:
    """A thread's name: the topic on one line, 1 to 100 characters."""
    line = " ".join(topic.split())
    return (line if len(line) <= _TOPIC_LIMIT else f"{line[: _TOPIC_LIMIT - 1].rstrip()}…") or "Chat"


def asked_in(channel: str) -> str:
    """Begins what is said in direct messages about a question that was asked elsewhere."""
    return f"You asked me something in <#{channel}>."


def cannot_write(channel: str) -> str:
    """For the asker's direct messages, when the answer was refused in `channel`."""
    return f"{asked_in(channel)} {say('place_forbidden')}"
