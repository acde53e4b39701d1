"""`make bench`: Bise beside a bare loop on the same simulators, in one run on this machine. Nothing is asserted."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.stage import Ground
from tests.bench.subject import migrate
from tests.bench.table import Row, lines

NAMES = (
    "start",
    "latency",
    "ack",
    "turn_cpu",
    "clients",
    "imports",
    "throttle",
    "many_streams",
    "memory",
    "discord_pace",
    "twins",
    "accept",
    "wake",
    "turns",
    "growth",
    "report",
    "budgets",
)
_LONGEST = 90.0  # seconds for one of them, unless it says otherwise


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=NAMES, action="append", metavar="NAME", help=", ".join(NAMES))
    chosen = parser.parse_args().only or NAMES
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bise-bench-") as folder:
        rows = asyncio.run(_measure(Path(folder), chosen))
    print(*lines(rows), sep="\n")
    print(f"\nin all: {time.monotonic() - began:.0f} s")


async def _measure(folder: Path, names: Sequence[str]) -> list[Row]:
    ground = Ground(folder, folder / "empty.db")
    await migrate(ground.empty)
    rows: list[Row] = []
    for name in names:
        began = time.monotonic()
        module = importlib.import_module(f"tests.bench.{name}")
        try:
            async with asyncio.timeout(getattr(module, "LONGEST", _LONGEST)):
                rows += await module.measure(ground)
        except (RuntimeError, TimeoutError) as error:  # the other figures are worth having all the same
            rows.append(Row(name, "failed", compared=" ".join(str(error).split())[:80] or "it took too long"))
        sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return rows


if __name__ == "__main__":
    main()
