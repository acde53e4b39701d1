"""Resident memory while two hundred answers stream at once."""

from __future__ import annotations

import asyncio

from bots.playground.mistral.replies import Body, Reply
from tests.bench.stage import ADA, Ground, Stage, staged, steady
from tests.bench.table import Row

_STREAMS = 200
_CHANNELS = 40
_PACE = 0.25
_ASKED_A_SECOND = 50
_LOOKS = 12


async def measure(ground: Ground) -> list[Row]:
    async with staged("ours", ground, ("slack", "discord")) as stage:
        mine = await _stream(stage)
    async with staged("bare", ground, ("slack", "discord"), ("--append-every", "20")) as stage:
        theirs = await _stream(stage)
    what = f"resident memory, {_STREAMS} streams at once"
    return [Row(what, f"{mine:.0f} MB", f"{theirs:.0f} MB", f"{mine - theirs:+.0f} MB")]


async def _stream(stage: Stage) -> float:
    """The most that was seen, in megabytes."""
    stage.model.script = _script
    for number in range(_CHANNELS):
        stage.slack.add_channel(f"C1MANY{number}", f"many-{number}")
    for number in range(_STREAMS):
        await stage.slack.post(ADA, f"C1MANY{number % _CHANNELS}", stage.mention("Tell me a story"))
        await asyncio.sleep(1 / _ASKED_A_SECOND)
    await stage.model.until(lambda model: model.open_streams == _STREAMS, 20)
    most = 0.0
    for _ in range(_LOOKS):
        await asyncio.sleep(0.25)
        most = max(most, stage.subject.memory_mb())
    return most


def _script(body: Body) -> Reply:
    return steady(int(60 / _PACE), _PACE)
