"""The terminal as a chat platform: one question, one streamed answer."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TextIO

from bots import replies
from core.errors import AttachmentError, PlaceGone, PlatformError
from core.messages import LOCAL, Announcement, Answer, Attachment, Notice, Post, ReplyOrder, WorkspaceKey
from core.ports import PostLog


class TerminalPlatform:
    """Honours `core.ports.ChatPlatform`. `out` gets the answer's text alone, `err` what is said besides."""

    name = LOCAL.platform

    def __init__(self, *, quiet: bool, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._quiet = quiet
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self.answer: Answer | None = None

    def reply(self, order: ReplyOrder, posts: PostLog) -> TerminalReply:  # noqa: ARG002 - a terminal keeps no posts
        return TerminalReply(self)

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:  # noqa: ARG002
        """Reads the named file. Raises AttachmentError."""
        path = Path(attachment.url)
        try:
            if path.stat().st_size > limit:
                raise AttachmentError("too_large", attachment.name)
            return path.read_bytes()
        except OSError as error:
            raise AttachmentError("unavailable", attachment.name) from error

    def show(self, text: str) -> None:
        if not self._quiet:
            self._out.write(printable(text))
            self._out.flush()

    async def tell(self, to: str, notice: Notice, *, privately: bool = False) -> None:  # noqa: ARG002
        """Whoever sits here is told."""
        self.remark(replies.sentence(notice) + "\n")

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:  # noqa: ARG002
        """Raises PlaceGone: whoever sits here is gone before anything is announced."""
        raise PlaceGone("a terminal keeps nothing", code="terminal")

    async def find_announcement(
        self,
        to: str,  # noqa: ARG002
        announcement: Announcement,  # noqa: ARG002
        since: datetime,  # noqa: ARG002
        *,
        privately: bool = False,  # noqa: ARG002
    ) -> str | None:
        """None: nothing is announced here."""
        return None

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:  # noqa: ARG002
        """None that could be written to."""
        return ()

    def remark(self, text: str) -> None:
        if not self._quiet:
            self._err.write(text)
            self._err.flush()


class TerminalReply:
    """Prints as it comes; the status line is taken away by the first text."""

    def __init__(self, platform: TerminalPlatform) -> None:
        self._platform = platform
        self._status = ""
        self._began = False

    def status(self, name: str, count: int = 0) -> None:
        if not self._began and sys.stderr.isatty():
            self._clear()
            self._status = f"Bise {replies.status_text(name, count)}"
            self._platform.remark(self._status)

    def write(self, text: str) -> None:
        self._clear()
        self._began = True
        self._platform.show(text)

    async def finish(self, answer: Answer) -> None:
        self._clear()
        if answer.text and not self._began:  # an answer that was kept before
            self._platform.show(answer.text)
        if answer.text and not answer.text.endswith("\n"):
            self._platform.show("\n")
        for notice in answer.notices:
            self._platform.remark(replies.operator_sentence(notice) + "\n")
        self._platform.answer = answer

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        """What a terminal shows is nobody else's to write over."""

    def error(self) -> PlatformError | None:
        return None

    async def abandon(self) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._status:
            self._platform.remark("\r" + " " * len(self._status) + "\r")
            self._status = ""


def printable(text: str) -> str:
    """Text without control characters: a model must not steer a terminal."""
    return "".join(character for character in text if character in "\n\t" or character.isprintable())
