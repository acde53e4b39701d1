"""What the simulated Slack remembers: messages, streams, statuses and files, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from bots.playground.changes import Changes
from bots.playground.slack import page
from bots.playground.slack.blocks import Block
from bots.playground.slack.faults import SlackFaults
from bots.playground.slack.posts import SlackPost, StoredFile, UploadedFile
from bots.playground.slack.world import World

POSTS_MAX = 5000
FILE_BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Status:
    text: str
    fades_at: float


class Workspace:
    """The one place where messages are kept and changed; every change is published."""

    def __init__(self, world: World, faults: SlackFaults, clock: Callable[[], float]) -> None:
        self.world = world
        self.faults = faults
        self.clock = clock
        self.changes = Changes()
        self._posts: OrderedDict[str, SlackPost] = OrderedDict()
        self._streams: dict[str, float] = {}
        self._statuses: dict[tuple[str, str], Status] = {}
        self._files: OrderedDict[str, StoredFile] = OrderedDict()
        self._file_bytes = 0
        self.triggers: dict[str, str] = {}  # who pressed what gave it
        self.forms: dict[str, Block] = {}  # what each person has open
        self._last_ts = 0

    def new_ts(self) -> str:
        """A timestamp in Slack's form, later than every one before it."""
        self._last_ts = max(self._last_ts + 1, int(self.clock() * 1_000_000))
        seconds, micros = divmod(self._last_ts, 1_000_000)
        return f"{seconds}.{micros:06d}"

    def add(self, channel: str, user: str, text: str, **fields: Any) -> SlackPost:
        """A new message; `fields` are those of SlackPost. A bot's post takes the status of its thread away."""
        post = SlackPost(self.new_ts(), channel, user, text, self.clock(), **fields)
        self._posts[post.ts] = post
        while len(self._posts) > POSTS_MAX:
            old, _ = self._posts.popitem(last=False)
            self._streams.pop(old, None)
        if post.streaming:
            self._streams[post.ts] = post.at
            self._tick_after(self.faults.stream_seconds)
        if post.user == self.world.bot_user_id and post.thread_ts and post.only_for is None:
            self.set_status(channel, post.thread_ts, "")
        self._publish(post)
        return post

    def change(self, post: SlackPost, **fields: Any) -> SlackPost:
        """The message with these fields in place of its own."""
        changed = replace(post, **fields)
        self._posts[post.ts] = changed
        if not changed.streaming:
            self._streams.pop(post.ts, None)
        self._publish(changed)
        return changed

    def remove(self, post: SlackPost) -> None:
        self._posts.pop(post.ts, None)
        self._streams.pop(post.ts, None)
        self.changes.publish({"type": "deleted", "id": post.ts, "channel": post.channel})

    def find(self, channel: str, ts: str) -> SlackPost | None:
        """The message everybody in that channel sees."""
        self.tick()
        post = self._posts.get(ts)
        return post if post and post.channel == channel and post.only_for is None else None

    def find_ephemeral(self, channel: str, ts: str) -> SlackPost | None:
        post = self._posts.get(ts)
        return post if post and post.channel == channel and post.only_for is not None else None

    def posts(self) -> Iterator[SlackPost]:
        """Every message, ephemeral ones too, oldest first."""
        self.tick()
        return iter(tuple(self._posts.values()))

    def thread(self, channel: str, root: str) -> list[SlackPost]:
        """The root, where it still is, and its replies, oldest first."""
        everybody = (post for post in self.posts() if post.channel == channel and post.only_for is None)
        return [post for post in everybody if root in (post.ts, post.thread_ts)]

    def set_status(self, channel: str, thread_ts: str, text: str) -> None:
        """Show "Bise …" at a thread's foot for `faults.status_seconds`; an empty text takes it away."""
        if text:
            self._statuses[channel, thread_ts] = Status(text, self.clock() + self.faults.status_seconds)
            self._tick_after(self.faults.status_seconds)
        elif self._statuses.pop((channel, thread_ts), None) is None:
            return
        self.changes.publish({"type": "status", "channel": channel, "thread": thread_ts, "text": text})

    def statuses(self) -> dict[tuple[str, str], str]:
        """The status texts shown now, by channel and thread."""
        self.tick()
        return {place: status.text for place, status in self._statuses.items()}

    def store_file(self, user: str, upload: UploadedFile, *, file_id: str | None = None) -> StoredFile:
        """Keep a file; the oldest go when all together are too large."""
        file = StoredFile(file_id or self.world.new_id("F"), upload.name, upload.mime, upload.data, user, self.clock())
        self._files[file.id] = file
        self._file_bytes += len(file.data)
        while self._file_bytes > FILE_BYTES_MAX and len(self._files) > 1:
            self._file_bytes -= len(self._files.popitem(last=False)[1].data)
        return file

    def file(self, file_id: str) -> StoredFile | None:
        return self._files.get(file_id)

    def tick(self) -> None:
        """Let what is too old by the clock end: streams and statuses."""
        now = self.clock()
        for ts, started in list(self._streams.items()):
            if now - started >= self.faults.stream_seconds:
                self.change(self._posts[ts], streaming=False)
        for (channel, thread_ts), status in list(self._statuses.items()):
            if now >= status.fades_at:
                self.set_status(channel, thread_ts, "")

    def _tick_after(self, seconds: float) -> None:
        # Only the open page needs the push; every read looks at the clock by itself.
        asyncio.get_running_loop().call_later(seconds + 0.01, self.tick)

    def _publish(self, post: SlackPost) -> None:
        if self.changes.has_readers:
            self.changes.publish({"type": "message", "message": page.message(post, self.world)})
        else:
            self.changes.wake()
