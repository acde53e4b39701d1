"""Seconds from the process's start until both platforms are connected, and the memory of an idle service."""

from __future__ import annotations

import asyncio

from tests.bench.stage import Ground, Who, staged
from tests.bench.table import Row, verdict

_ROUNDS = 3
_AIM_SECONDS = 2.0
_AIM_MB = 150.0


async def measure(ground: Ground) -> list[Row]:
    seconds: dict[Who, list[float]] = {"ours": [], "bare": []}
    memory: dict[Who, float] = {}
    for round_ in range(_ROUNDS):
        for who in ("ours", "bare"):
            async with staged(who, ground, ("slack", "discord")) as stage:
                seconds[who].append(stage.ready_after)
                if round_ == _ROUNDS - 1:
                    await asyncio.sleep(1.0)
                    memory[who] = stage.subject.memory_mb()
    mine, theirs = (min(seconds[who]) for who in ("ours", "bare"))
    return [
        Row(
            "start to ready, Slack and Discord",
            f"{mine:.2f} s",
            f"{theirs:.2f} s",
            f"{mine - theirs:+.2f} s",
            f"≤ {_AIM_SECONDS:.0f} s",
            verdict(mine <= _AIM_SECONDS),
        ),
        Row(
            "resident memory, idle",
            f"{memory['ours']:.0f} MB",
            f"{memory['bare']:.0f} MB",
            f"{memory['ours'] - memory['bare']:+.0f} MB",
            f"≤ {_AIM_MB:.0f} MB",
            verdict(memory["ours"] <= _AIM_MB),
        ),
    ]
