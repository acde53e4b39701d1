"""A small workspace that answers by itself: stands in for both simulators where only the page is tested."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

Json = dict[str, Any]
ANSWER = (
    "Hello! Here is **what I know**:\n\n- the *bise* is a cold wind\n- it blows over `Lac Léman`\n\n"
    "```python\nprint('brr')\n```\n\n| wind | from |\n| --- | ---: |\n| bise | north-east |\n| föhn | south |\n\n"
    "More at https://example.com/wind (a <@U1> favourite)."
)
STOP = {"id": "stop", "value": "t1", "label": "Stop", "style": "danger", "disabled": False}


class FakeWorld:
    """What both simulators show to the page, without a platform. `pace`: seconds between two pieces of an answer."""

    def __init__(self, name: str, *, pace: float = 0.02, answer: str = ANSWER) -> None:
        self.name = name
        self.pace = pace
        self.answer = answer
        self.done: list[tuple[str, tuple[Any, ...]]] = []
        self.people = [{"id": "U1", "name": "Ada"}, {"id": "U2", "name": "Grace"}]
        self.bot = {"id": "B1", "name": "Bise"}
        self.channels: dict[str, Json] = {}
        for channel, kind, title in (("C1", "channel", "general"), ("C2", "channel", "weather"), ("D1", "dm", "Bise")):
            self.add_channel(channel, title, kind)
        self.messages: dict[str, Json] = {}
        self.statuses: dict[tuple[str, str | None], str] = {}
        self.answering: dict[str, asyncio.Task[None]] = {}
        self._queues: set[asyncio.Queue[Json]] = set()
        self._ids = itertools.count(1)

    def add_channel(self, channel: str, title: str, kind: str, parent: str | None = None) -> None:
        of = "U1" if kind == "dm" else None
        self.channels[channel] = {"id": channel, "name": title, "kind": kind, "parent": parent, "with": of}

    def snapshot(self) -> Json:
        image = {"name": "image", "description": "A picture to look at", "type": "attachment", "required": False}
        prompt = {"name": "prompt", "description": "What to ask", "type": "string", "required": True}
        private = {"name": "private", "description": "Only you see the answer", "type": "boolean", "required": False}
        topic = {"name": "topic", "description": "What it is about", "type": "string", "required": True}
        commands: list[Json] = [{"name": "/bise", "description": "Bise in this workspace", "usage": "ask|usage|help"}]
        if self.name == "discord":
            commands = [
                {"name": "/ask", "description": "Ask Bise", "options": [prompt, image, private]},
                {"name": "/chat", "description": "Open a thread with Bise", "options": [topic]},
                {"name": "/bise help", "description": "What Bise can do", "options": []},
            ]
        return {
            "workspace": {"id": "W1", "name": "Playground"},
            "bot": self.bot,
            "people": self.people,
            "channels": list(self.channels.values()),
            "messages": list(self.messages.values()),
            "statuses": [{"channel": c, "thread": t, "text": text} for (c, t), text in self.statuses.items()],
            "commands": commands,
        }

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Queue[Json]]:
        queue: asyncio.Queue[Json] = asyncio.Queue()
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)

    @property
    def watched(self) -> int:
        return len(self._queues)

    def publish(self, change: Json) -> None:
        for queue in self._queues:
            queue.put_nowait(change)

    def say(self, author: str, channel: str, text: str, **more: Any) -> Json:
        """Adds a message, whole, as if the platform had taken it."""
        names = {self.bot["id"]: "Bise", "U1": "Ada", "U2": "Grace"}
        message: Json = {
            "id": f"{next(self._ids):06}",
            "channel": channel,
            "thread": None,
            "author": {"id": author, "name": names[author], "bot": author == "B1"},
            "text": text,
            "at": time.time(),
            "edited": False,
            "streaming": False,
            "thinking": False,
            "files": [],
            "buttons": [],
            "notes": [],
            "reply_to": None,
            "only_for": None,
            "via": None,
        }
        message |= more
        return self.change(message)

    def change(self, message: Json, **more: Any) -> Json:
        message = {**message, **more}
        self.messages[message["id"]] = message
        self.publish({"type": "message", "message": message})
        return message

    def status(self, channel: str, thread: str | None, text: str) -> None:
        self.statuses[channel, thread] = text
        if not text:
            del self.statuses[channel, thread]
        self.publish({"type": "status", "channel": channel, "thread": thread, "text": text})

    def refuse(self, channel: str) -> None:
        if channel not in self.channels:
            raise LookupError(f"There is no channel {channel}.")

    async def post(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread_ts: str | None = None,
        reply_to: str | None = None,
        files: Sequence[Any] = (),
    ) -> None:
        """Slack's and Discord's `post`: with the thread's root here, with the message replied to there."""
        under = thread_ts or reply_to
        self.refuse(channel)
        self.done.append(("post", (user, channel, text, under, tuple(file.name for file in files))))
        shown = [{"name": file.name, "url": f"data:{file.mime}", "mime": file.mime} for file in files]
        slack = self.name == "slack"
        asked = self.say(
            user, channel, text, files=shown, thread=under if slack else None, reply_to=None if slack else under
        )
        if "<@B1>" in text or self.channels[channel]["kind"] != "channel":
            place = {"thread": under or asked["id"]} if slack else {"reply_to": asked["id"]}
            self.start(channel, place)

    async def edit(self, user: str, channel: str, message: str, text: str) -> None:
        self.done.append(("edit", (user, channel, message, text)))
        self.change(self.messages[message], text=text, edited=True)

    async def delete(self, user: str, channel: str, message: str) -> None:
        self.done.append(("delete", (user, channel, message)))
        del self.messages[message]
        self.publish({"type": "deleted", "id": message, "channel": channel})

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        self.done.append(("react", (user, channel, ts, name)))
        self.stop(ts)

    async def press(self, user: str, channel: str, message: str, button: str, *, value: str | None = None) -> None:
        self.done.append(("press", (user, channel, message, button, value)))
        self.stop(message)

    async def command(self, user: str, channel: str, name: str, options: Any, *, files: Mapping[str, Any] = {}) -> None:
        """Slack's `command` brings its text as `options`, Discord's the options by name."""
        self.done.append(
            ("command", (user, channel, name, options, {key: (file.name, file.data) for key, file in files.items()}))
        )
        private = isinstance(options, str) or bool(options.get("private"))
        self.start(channel, {"via": {"user": user, "command": name}, "only_for": user if private else None})

    def start(self, channel: str, place: Json) -> None:
        task = asyncio.create_task(self.write(channel, place))
        self.answering[f"pending {id(task)}"] = task

    def stop(self, message: str) -> None:
        if task := self.answering.pop(message, None):
            task.cancel()
            self.change(self.messages[message], streaming=False, buttons=[], notes=["Stopped."])

    async def write(self, channel: str, place: Json) -> None:
        """Answers piece by piece, with a sign of life before it."""
        if self.name == "slack":
            self.status(channel, place.get("thread"), "is thinking…")
        else:
            place = {**place, "thinking": True}
        message = None if self.name == "slack" else self.say("B1", channel, "", **place)
        await asyncio.sleep(self.pace * 5)
        if self.name == "slack":
            self.status(channel, place.get("thread"), "")
        message = message or self.say("B1", channel, "", **place)
        task = asyncio.current_task()
        assert task is not None
        self.answering[message["id"]] = task
        for end in range(8, len(self.answer) + 8, 8):
            message = self.change(message, text=self.answer[:end], streaming=True, thinking=False, buttons=[STOP])
            await asyncio.sleep(self.pace)
        self.change(message, streaming=False, buttons=[])
        self.answering.pop(message["id"], None)

    async def close(self) -> None:
        tasks = list(self.answering.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
