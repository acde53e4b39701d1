"""The bare loop as a process, what Bise is measured against, on each platform that the environment has a token for."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal

from tests.bench.bare_model import BareModel


async def run(append_every: int) -> None:
    """Runs until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    model = BareModel()
    loops = []
    if "SLACK_BOT_TOKEN" in os.environ:
        from tests.bench.bare_slack import BareSlack

        loops.append(asyncio.create_task(BareSlack(model, append_every).run()))
    if "DISCORD_TOKEN" in os.environ:
        from tests.bench.bare_discord import BareDiscord

        loops.append(asyncio.create_task(BareDiscord(model).run_here()))
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([*loops, stopped], return_when=asyncio.FIRST_COMPLETED)
    for task in done - {stopped}:
        task.result()  # a loop that ends has failed


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench.bare")
    parser.add_argument("--append-every", type=int, default=50, metavar="CHUNKS")
    asyncio.run(run(parser.parse_args().append_every))


if __name__ == "__main__":
    main()
