"""CPU of the whole process for one answer of a hundred chunks, with as many writes to the platform."""

from __future__ import annotations

import asyncio
import time

from bots.playground.mistral.replies import Body, Reply
from tests.bench.stage import ADA, Ground, Stage, staged, steady
from tests.bench.table import Row, verdict

_ROUNDS = 5
_TURNS = 3  # at once: few enough for Slack's limit of streams a minute, in all rounds
_CHUNKS = 100
_PACE = 0.025
_AIM = 1.5


async def measure(ground: Ground) -> list[Row]:
    async with staged("ours", ground) as ours:
        _, writes = await _ask(ours)  # this one warms up, and tells how many writes an answer takes
        every = round(_CHUNKS / max(1.0, writes - 2))
        async with staged("bare", ground, arguments=("--append-every", str(every))) as bare:
            await _ask(bare)
            mine, theirs = [], []
            for _ in range(_ROUNDS):
                mine.append(await _ask(ours))
                theirs.append(await _ask(bare))
    cost, other = (min(cpu for cpu, _ in rounds) * 1000 for rounds in (mine, theirs))
    writes, others = (sum(writes for _, writes in rounds) / _ROUNDS for rounds in (mine, theirs))
    aim = f"≤ {_AIM} ×"
    return [
        Row(
            f"CPU per turn of {_CHUNKS} chunks",
            f"{cost:.1f} ms",
            f"{other:.1f} ms",
            f"{cost / other:.2f} ×",
            aim,
            verdict(cost <= _AIM * other),
        ),
        Row("  platform writes per turn", f"{writes:.1f}", f"{others:.1f}"),
    ]


async def _ask(stage: Stage) -> tuple[float, float]:
    """CPU seconds and platform writes for each of some answers at once."""
    stage.model.script = _script
    asked, began, cpu = len(stage.model.calls), time.time(), stage.subject.cpu_seconds()
    for _ in range(_TURNS):
        await stage.slack.post(ADA, "C0GENERAL", stage.mention("Tell me a story"))
        await asyncio.sleep(0.15)
    await stage.model.until(lambda model: len(model.calls) == asked + _TURNS and not model.open_streams, 30)
    roots = [post.ts for post in stage.slack.messages("C0GENERAL") if not post.bot_id][-_TURNS:]
    await stage.slack.until(lambda: all(_is_whole(stage, root) for root in roots))
    await asyncio.sleep(0.3)
    spent = stage.subject.cpu_seconds() - cpu
    return spent / _TURNS, stage.writes(began) / _TURNS


def _is_whole(stage: Stage, root: str) -> bool:
    answers = [post for post in stage.slack.messages("C0GENERAL", root) if post.bot_id]
    return bool(answers) and not answers[-1].streaming and answers[-1].shown.count("word") == _CHUNKS


def _script(body: Body) -> Reply:
    return steady(_CHUNKS, _PACE)
