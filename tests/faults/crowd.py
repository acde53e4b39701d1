"""People who ask in threads of both platforms, a model that answers them, and what must be seen in the end."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from bots.discord import words
from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators

_MARK = re.compile(r"question (\d+) of thread (\d+)\b")


class Question(NamedTuple):
    """The number of a thread, and that of a question in it, from 0."""

    thread: int
    number: int

    def __str__(self) -> str:
        return f"question {self.number} of thread {self.thread}"

    @classmethod
    def last_in(cls, text: str) -> Question:
        """The last one that a text names."""
        number, thread = _MARK.findall(text)[-1]
        return cls(int(thread), int(number))


@dataclass(slots=True)
class _Thread:
    """`channel` and `root`: of Slack; on Discord a thread is a channel. `asked`: how many questions."""

    slack: bool
    channel: str
    root: str | None = None
    asked: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Crowd:
    """Asks. Every `slack_every`th thread is in Slack, which takes so few writes a minute from one app, the rest in
    Discord. The model answers in three pieces, `pause` seconds between two of them.
    """

    def __init__(self, simulators: Simulators, model: MistralSimulator, *, pause: float, slack_every: int = 4) -> None:
        self.slack = simulators.slack
        self.discord = simulators.discord
        self.requests: Counter[Question] = Counter()
        self.out_of_order: list[Question] = []  # asked of the model before the answers to all earlier ones were known
        self._pause = pause
        self._slack_every = slack_every
        self._threads: list[_Thread] = []
        model.script = self._answer

    async def gather(self, threads: int) -> None:
        """Makes the places in which will be asked."""
        for number in range(threads):
            if number % self._slack_every == 0:
                channel = f"C0THREAD{number}"
                self.slack.add_channel(channel, f"thread-{number}")
                self._threads.append(_Thread(True, channel))
            else:
                channel = await self.discord.open_thread("Ada", "general", f"thread {number}")
                self._threads.append(_Thread(False, channel))

    async def ask(self, thread: int) -> Question:
        """The next question in a thread."""
        place = self._threads[thread]
        async with place.turn:
            question = Question(thread, place.asked)
            place.asked += 1
            if not place.slack:
                await self.discord.post("Ada", place.channel, f"<@{self.discord.bot_id}> {question}")
                return question
            text = f"<@{self.slack.bot_user_id}> {question}"
            said = await self.slack.post("U0ADA", place.channel, text, thread_ts=place.root)
            place.root = place.root or said
            return question

    def begun(self, thread: int) -> bool:
        """Whether something of the bot's is to be seen there."""
        return bool(self._shown(thread))

    @property
    def asked(self) -> int:
        return sum(place.asked for place in self._threads)

    def wrong(self, *, ordered: bool = True) -> list[str]:
        """What is lost, doubled, unfinished or, where `ordered` says that it matters, out of order."""
        return [what for number in range(len(self._threads)) if (what := self._wrong(number, ordered=ordered))]

    async def until_answered(self, seconds: float, *, ordered: bool = True) -> list[str]:
        """Waits until nothing is wrong, so long at most; returns what is wrong in the end."""
        until = time.monotonic() + seconds
        while (wrong := self.wrong(ordered=ordered)) and time.monotonic() < until:
            await asyncio.sleep(0.3)
        return wrong

    def _wrong(self, thread: int, *, ordered: bool) -> str | None:
        shown = self._shown(thread)
        wanted = [f"Answer to [{Question(thread, number)}]: and end." for number in range(self._threads[thread].asked)]
        if shown == wanted or (not ordered and sorted(shown) == sorted(wanted)):
            return None
        odd = [f"{text[:60]!r}…{text[-10:]!r}" for text in shown if text not in wanted]
        answered = Counter(wanted.index(text) for text in shown if text in wanted)
        return f"thread {thread}: {len(wanted)} questions, answered are {dict(answered)}, and shown is {odd}"

    def _shown(self, thread: int) -> list[str]:
        """The bot's posts in a thread, without those that promise an answer; one that still streams has a mark."""
        place = self._threads[thread]
        if place.slack:
            said = self.slack.messages(place.channel, place.root) if place.root else []
            return [f"{post.shown}{'…' if post.streaming else ''}" for post in said if post.bot_id]
        told = [post.content for post in self.discord.messages(place.channel) if post.author == self.discord.bot_id]
        return [text for text in told if text != words.say("stored_later")]

    def _answer(self, body: Body) -> Reply:
        question = Question.last_in(last_words(body)[0])
        self.requests[question] += 1
        known = "\n".join(str(said["content"]) for said in body["messages"] if said["role"] == "assistant")
        answered = {Question(int(thread), int(number)) for number, thread in _MARK.findall(known)}
        if not {Question(question.thread, earlier) for earlier in range(question.number)} <= answered:
            self.out_of_order.append(question)
        return Reply(chunks=(f"Answer to [{question}]:", " and", " end."), chunk_delay=self._pause)
