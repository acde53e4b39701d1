"""What the core needs from outside, as Protocols. Adapters and fakes honour them; one contract test holds both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import datetime
from typing import Protocol

from core.chat import ChatRequest, Delta
from core.errors import PlatformError
from core.messages import Announcement, Answer, Attachment, Notice, Post, ReplyOrder, WorkspaceKey
from core.store.database import Connection

OWNER = "owner"  # whom `ChatPlatform.tell` finds by itself: the person to whom the platform says that the bot belongs


class Clock(Protocol):
    """Time. `now` is aware and UTC; `monotonic` in seconds."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...


class LanguageModel(Protocol):
    """A home of models."""

    def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Makes exactly one HTTP request; yields deltas, the last one a Finish. Raises ModelError.

        Closing the iterator closes the connection at once.
        """
        ...


class TurnLost(Exception):
    """Somebody else has the turn now: nothing of it may be written any more."""


class Lease(Protocol):
    """Whether this process may write for a turn: asked right before each write to a platform."""

    def held(self) -> bool:
        """Whether a write may begin now."""
        ...

    async def wait(self) -> None:
        """Returns when a write may begin (again). Raises TurnLost."""
        ...

    def overrun(self) -> None:
        """A write that began under the lease ended after it, so that it may stand over somebody else's."""
        ...


class PostLog(Protocol):
    """Where a Reply remembers the posts of its turn, and the lease under which it may write them.

    Each call is stored before it returns, and waits minutes for a database that is away: a post that stands must be
    remembered. All raise TurnLost, and StoreUnavailable in the end.
    """

    @property
    def lease(self) -> Lease: ...
    async def add(self, ordinal: int, platform_id: str, start: int) -> None: ...
    async def close(self, ordinal: int) -> None: ...
    async def drop(self, ordinal: int) -> None: ...
    async def owned(self, platform_ids: Collection[str]) -> frozenset[str]:
        """Those of them that are posts of any turn of this workspace; the others are nobody's."""
        ...


class Reply(Protocol):
    """One answer as it appears in its place. Only `finish` waits for the platform."""

    def status(self, name: str, count: int = 0) -> None:
        """Says what is happening while no text is there: "thinking", "reading_images" (names of `bots.replies`)."""
        ...

    def write(self, text: str) -> None:
        """More of the model's text. Never waits."""
        ...

    async def finish(self, answer: Answer) -> None:
        """Shows the whole answer and its notices; returns when the platform has them.

        Raises PlatformError, and TurnLost when the turn is somebody else's before all is written.
        """
        ...

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        """Writes an answer that is over once more into its posts, whatever they show: a late write may stand there.

        Raises PlatformError.
        """
        ...

    def error(self) -> PlatformError | None:
        """Why nothing more can be shown here, once that is sure: then the model need not be read any further."""
        ...

    async def abandon(self) -> None:
        """Stops writing and leaves the posts as they are: another attempt goes on in them."""
        ...


class ChatPlatform(Protocol):
    """A chat platform, as the core sees it."""

    @property
    def name(self) -> str: ...

    def reply(self, order: ReplyOrder, posts: PostLog) -> Reply:
        """The answer to one turn; its sign of life goes out at once."""
        ...

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:
        """Reads a file, `limit` bytes at most. Raises AttachmentError."""
        ...

    async def tell(self, to: str, notice: Notice, *, privately: bool = False) -> None:
        """Says one sentence outside of any turn, in the channel of that id; `privately`: to the person of that id.

        OWNER, always told privately, is whoever the platform says that the bot belongs to. Raises PlatformError;
        PlatformUnavailable where it is worth another try.
        """
        ...

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:
        """Posts an announcement with its buttons where `tell` would say it; gives the platform's id of the post.

        Raises PlatformError; PlatformUnavailable where it is worth another try, and may stand there.
        """
        ...

    async def find_announcement(
        self, to: str, announcement: Announcement, since: datetime, *, privately: bool = False
    ) -> str | None:
        """The id of its post, if an earlier try has made one there after `since`.

        Raises PlatformUnavailable; PlaceForbidden where we may not look.
        """
        ...

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        """The ids of the people who administrate a workspace, the first in charge first. Raises PlatformError."""
        ...


class TurnQueue(Protocol):
    """Turns to run: in order within a line, which is mostly a conversation, side by side otherwise."""

    @property
    def length(self) -> int:
        """Turns that wait or run, as far as is known here."""
        ...

    def defer(self, connection: Connection, platform: str, turn: int, line: int) -> None:
        """Queues a turn in the transaction that makes it, with its line's row locked. Raises StoreUnavailable."""
        ...

    def put(self, turn: int, line: int) -> None:
        """Makes a committed turn known. Calling twice is harmless."""
        ...

    async def start(self, run: Callable[[int], Awaitable[float | None]]) -> None:
        """Runs what was put and whatever will be; `run` gives the seconds after which a turn is to be run again.

        Raises StoreUnavailable.
        """
        ...

    async def stop(self, patience: float) -> None:
        """Takes no more turns; waits `patience` seconds for the running ones, then cancels them."""
        ...

    async def idle(self) -> None:
        """Returns when nothing waits or runs."""
        ...
