"""A stage for one subject: simulated platforms and a scripted model in this process, the subject in its own."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.mistral.replies import Body, Reply, last_words
from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from bots.playground.slack.simulator import SlackSimulator
from tests.bench import subject
from tests.bench.subject import Subject

Who = Literal["ours", "bare"]
Platform = Literal["slack", "discord"]
KEY = "a-key-of-the-bench"
ADA = "U0ADA"
READS = frozenset({"auth.test", "apps.connections.open", "users.info", "team.info", "conversations.replies"})
_MARK = re.compile(r"\bQ\d+\b")
_folders = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where stages put their files: a temporary folder, and an empty database of the newest schema."""

    folder: Path
    empty: Path

    def next_folder(self) -> Path:
        return self.folder / f"subject-{next(_folders)}"


@dataclass(frozen=True, slots=True)
class Stage:
    """`ready_after`: seconds from the subject's start until it was ready."""

    slack: SlackSimulator
    discord: DiscordSimulator
    model: MistralSimulator
    subject: Subject
    ready_after: float

    def mention(self, words: str) -> str:
        """A question to the bot in Slack."""
        return f"<@{self.slack.bot_user_id}> {words}"

    def writes(self, since: float = 0.0) -> int:
        """Calls of Slack's Web API since an instant that change something."""
        return sum(call.method not in READS for call in self.slack.calls if call.at >= since)


@asynccontextmanager
async def staged(
    who: Who, ground: Ground, platforms: Sequence[Platform] = ("slack",), arguments: Sequence[str] = ()
) -> AsyncIterator[Stage]:
    """A stage whose subject is connected. `arguments`: for the bare loop alone."""
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin = simulators.base_url
        slack, discord = simulators.slack, simulators.discord
        settings = {"MISTRAL_API_KEY": KEY, "MISTRAL_BASE_URL": model.base_url}
        if "slack" in platforms:
            settings |= {
                "SLACK_BOT_TOKEN": slack.bot_token,
                "SLACK_APP_TOKEN": slack.app_token,
                "SLACK_API_URL": slack.api_url,
            }
        if "discord" in platforms:
            settings |= {
                "DISCORD_TOKEN": discord.token,
                "DISCORD_API_URL": discord.api_url,
                "DISCORD_GATEWAY_URL": discord.gateway_url,
            }
        if who == "ours":
            async with subject.service(ground.next_folder(), ground.empty, settings) as process:
                yield Stage(slack, discord, model, process, time.monotonic() - process.began)
            return
        async with subject.bare_loop(ground.next_folder(), settings, arguments) as process:
            await _connected(process, simulators, platforms)
            yield Stage(slack, discord, model, process, time.monotonic() - process.began)


async def _connected(process: Subject, simulators: Simulators, platforms: Sequence[Platform]) -> None:
    while not (
        ("slack" not in platforms or simulators.slack.sockets)
        and ("discord" not in platforms or simulators.discord.connected)
    ):
        process.check()
        await asyncio.sleep(0.01)


def last_mark(body: Body) -> str:
    """The mark (Q17) of the question that a model request is about; empty where it has none."""
    found: list[str] = _MARK.findall(last_words(body)[0])
    return found[-1] if found else ""


def steady(chunks: int, seconds: float, word: str = "word ") -> Reply:
    """An answer of so many chunks, with so many seconds between two of them."""
    return Reply(chunks=(word,) * chunks, chunk_delay=seconds)
