"""CPU of the model's clients alone; `client_cpu.py` measures them in a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.bench.stage import Ground
from tests.bench.subject import ROOT, clean_environment
from tests.bench.table import Row, verdict

_AIM = 1.3


async def measure(ground: Ground) -> list[Row]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.client_cpu",
        "--json",
        env=clean_environment({}),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    costs: dict[str, float] = json.loads(told)
    raw = costs.pop("raw httpx bytes")
    rows = []
    for name, cost in costs.items():
        aim = (f"≤ {_AIM} ×", verdict(cost <= _AIM * raw)) if name == "bise" else ("", "")
        what = f"CPU per 1000 chunks: {'our client' if name == 'bise' else name} (bare: raw httpx bytes)"
        rows.append(Row(what, f"{cost:.1f} ms", f"{raw:.1f} ms", f"{cost / raw:.2f} ×", *aim))
    return rows
