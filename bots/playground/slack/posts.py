"""Messages and files as the simulated Slack keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bots.playground.slack import blocks as block_kit
from bots.playground.slack.blocks import Block, Button


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file as a person attaches it."""

    name: str
    data: bytes
    mime: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class StoredFile:
    id: str
    name: str
    mime: str
    data: bytes
    user: str
    created: float


@dataclass(frozen=True, slots=True)
class Via:
    """The slash command that brought a message about, and who gave it."""

    user: str
    command: str


@dataclass(frozen=True, slots=True)
class SlackPost:
    """One message. `text` is as on the wire (Slack's escapes in it); `markdown` says that it is `markdown_text`.

    `thread_ts`: the thread's root, None at top level. `only_for`: the one person who sees an ephemeral message.
    `at`: epoch seconds. `edited`: ts of the last edit that shows as one. `metadata`: what only apps see.
    """

    ts: str
    channel: str
    user: str
    text: str
    at: float
    thread_ts: str | None = None
    bot_id: str | None = None
    blocks: tuple[Block, ...] = ()
    markdown: bool = False
    files: tuple[StoredFile, ...] = ()
    edited: str | None = None
    streaming: bool = False
    only_for: str | None = None
    via: Via | None = None
    client_msg_id: str | None = None
    metadata: Mapping[str, Any] | None = None

    @property
    def shown(self) -> str:
        """The words a person reads, still escaped: `markdown_text` and blocks, or the plain text where neither is."""
        words = block_kit.words(self.blocks)
        if self.markdown:
            return "\n".join(part for part in (self.text, words) if part)
        return words if words or self.blocks else self.text

    @property
    def buttons(self) -> tuple[Button, ...]:
        return block_kit.buttons(self.blocks)

    @property
    def notes(self) -> tuple[str, ...]:
        """The texts of context blocks."""
        return block_kit.notes(self.blocks)

    def button(self, action_id: str, value: str | None = None) -> Button:
        """The button of that action (and value, where given). Raises LookupError where the message has none."""
        for button in self.buttons:
            if button.action_id == action_id and value in (None, button.value):
                return button
        raise LookupError(f"message {self.ts} has no button {action_id}")
