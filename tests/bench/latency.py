"""From an event to the model's request, with nothing else going on."""

from __future__ import annotations

import asyncio
import statistics

from tests.bench.stage import ADA, Ground, Stage, Who, staged
from tests.bench.table import Row, verdict

_ROUNDS = 6
_QUESTIONS = 8
_AIM_MS = 15.0


async def measure(ground: Ground) -> list[Row]:
    async with staged("ours", ground) as ours, staged("bare", ground) as bare:
        taken: dict[Who, list[float]] = {"ours": [], "bare": []}
        stages: dict[Who, Stage] = {"ours": ours, "bare": bare}
        for stage in stages.values():
            for number in range(_QUESTIONS):
                stage.slack.add_channel(f"C1IDLE{number}", f"idle-{number}")
        for round_ in range(_ROUNDS + 1):
            for who, stage in stages.items():
                times = await _ask(stage)
                if round_:  # the first one warms up
                    taken[who].append(statistics.median(times))
    mine, theirs = (min(taken[who]) for who in ("ours", "bare"))  # what else the machine does only adds
    return [
        Row(
            "event → model request, idle, p50",
            f"{mine:.1f} ms",
            f"{theirs:.1f} ms",
            f"{mine - theirs:+.1f} ms",
            f"≤ +{_AIM_MS:.0f} ms",
            verdict(mine - theirs <= _AIM_MS),
        )
    ]


async def _ask(stage: Stage) -> list[float]:
    """Milliseconds for each of some questions, one after another."""
    loop = asyncio.get_running_loop()
    times = []
    for number in range(_QUESTIONS):
        channel = f"C1IDLE{number}"  # Slack takes one post a second in each
        asked = len(stage.model.requests)
        began = loop.time()
        ts = await stage.slack.post(ADA, channel, stage.mention("What is a bise?"))
        await stage.model.until(lambda model, asked=asked: len(model.requests) > asked)  # type: ignore[misc]
        times.append((stage.model.requests[asked].at - began) * 1000)
        await stage.slack.until(
            lambda channel=channel, ts=ts: any(  # type: ignore[misc]
                post.bot_id and "bise?" in post.shown for post in stage.slack.messages(channel, ts)
            )
        )
        await asyncio.sleep(0.1)
    return times
