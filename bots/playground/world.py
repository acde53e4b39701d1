"""What the page needs of a simulated workspace: to look at it, to follow its changes, and hands to act in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a person adds in the page, whole."""

    name: str
    mime: str
    data: bytes


class World(Protocol):
    """A simulated workspace that can be shown.

    `snapshot`: `{"workspace":{"id","name"},"bot":{"id","name"},"people":[{"id","name"}],
    "channels":[{"id","name","kind":"channel|dm|thread","parent","with"}],"messages":[message],
    "statuses":[{"channel","thread","text"}],"commands":[{"name","description","options"|"usage"}]}`.
    A message: `{"id","channel","thread","author":{"id","name","bot"},"text","at","edited","streaming","thinking",
    "files":[{"name","url","mime"}],"buttons":[{"id","value","label","style","disabled"}],"notes":[str],
    "reply_to","only_for","via":{"user","command"}|null}`.
    A change: `{"type":"message","message"}`, `{"type":"deleted","id","channel"}`,
    `{"type":"status","channel","thread","text"}` or `{"type":"channel","channel"}`; a message comes whole each time.
    """

    def snapshot(self) -> Json: ...

    def subscribe(self) -> AbstractContextManager[asyncio.Queue[Json]]: ...


class SlackWorld(World, Protocol):
    """A simulated Slack and what a person can do in it; refusals raise, with a message for people."""

    async def post(
        self, user: str, channel: str, text: str, *, thread_ts: str | None = None, files: Sequence[Any] = ()
    ) -> object: ...

    async def edit(self, user: str, channel: str, ts: str, text: str) -> object: ...

    async def delete(self, user: str, channel: str, ts: str) -> object: ...

    async def react(self, user: str, channel: str, ts: str, name: str) -> object: ...

    async def command(self, user: str, channel: str, command: str, text: str) -> object: ...

    async def press(self, user: str, channel: str, ts: str, action_id: str, *, value: str | None = None) -> object: ...


class DiscordWorld(World, Protocol):
    """A simulated Discord and what a person can do in it; refusals raise, with a message for people."""

    async def post(
        self, user: str, channel: str, content: str, *, reply_to: str | None = None, files: Sequence[Any] = ()
    ) -> object: ...

    async def edit(self, user: str, channel: str, message: str, content: str) -> object: ...

    async def delete(self, user: str, channel: str, message: str) -> object: ...

    async def command(
        self, user: str, channel: str, name: str, options: Mapping[str, Any], *, files: Mapping[str, Any]
    ) -> object: ...

    async def press(self, user: str, channel: str, message: str, custom_id: str) -> object: ...
