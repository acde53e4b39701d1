"""Seconds to import our client and the official SDKs, each in a fresh process."""

from __future__ import annotations

import asyncio
import statistics
import sys

from tests.bench.stage import Ground
from tests.bench.subject import ROOT, clean_environment
from tests.bench.table import Row, verdict

_ROUNDS = 7
_AIM = 0.15
_OURS = "core.mistral.client, core.mistral.throttle.model"
_THEIRS = ("openai", "mistralai.client")


async def measure(ground: Ground) -> list[Row]:
    seconds: dict[str, list[float]] = {modules: [] for modules in (_OURS, *_THEIRS)}
    for _ in range(_ROUNDS):
        for modules, times in seconds.items():
            times.append(await _import(modules))
    ours = seconds.pop(_OURS)
    rows = [
        Row(
            f"import of core.mistral (with its throttle), least of {_ROUNDS}",
            f"{min(ours):.3f} s",
            compared=f"median {statistics.median(ours):.3f} s",
            aim=f"≤ {_AIM} s",
            met=verdict(min(ours) <= _AIM),
        )
    ]
    for modules, times in seconds.items():
        name = modules.partition(".")[0]
        median = f"median {statistics.median(times):.3f} s"
        rows.append(Row(f"import of {name}, least of {_ROUNDS}", f"{min(times):.3f} s", compared=median))
    return rows


async def _import(modules: str) -> float:
    # httpx loads a command line of its own where rich is installed, as test tools do; the locked service has none.
    without = "import sys; sys.modules['rich'] = None"
    timed = f"import time; began = time.perf_counter(); import {modules}; print(time.perf_counter() - began)"
    script = f"{without}; {timed}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=clean_environment({}), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"import {modules} failed")
    return float(told)
