"""A process that runs turns with a model that answers at once: says that it is ready, and begins when it is told."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tests.bench.stores import core_at, quiet
from tests.databases import Place


async def run(place: Place, *, shared: bool) -> None:
    """Runs until its input ends."""
    with quiet():
        async with core_at(place, started=False, shared=shared) as core:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            if await asyncio.to_thread(sys.stdin.readline):
                await core.start()
                await asyncio.to_thread(sys.stdin.readline)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.turn_worker")
    parser.add_argument("url")
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    asyncio.run(run(Place(Path.cwd(), options.url), shared=options.shared))


if __name__ == "__main__":
    main()
