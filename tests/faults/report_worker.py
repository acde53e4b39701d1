"""A process that makes and posts reports at a given moment, and dies where it is told to."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Literal

from bots.slack.app import SlackAdapter
from core.clock import SystemClock
from core.messages import Announcement
from core.service import Core, open_core
from core.settings import Settings
from core.store.database import Connection
from tests.bench.stores import quiet

Stage = Literal["begun", "claimed", "made", "posting", "posted"]
STAGES: tuple[Stage, ...] = ("begun", "claimed", "made", "posting", "posted")
_OPEN = "SELECT count(*) FROM report_run WHERE ended_at IS NULL"


class ShiftedClock(SystemClock):
    """The system's clock, which was set to another time when it was made."""

    def __init__(self, now: datetime) -> None:
        self._ahead: timedelta = now - super().now()

    def now(self) -> datetime:
        return super().now() + self._ahead


class MortalAdapter(SlackAdapter):
    """Slack, for a process that dies right before or right after a post."""

    def __init__(self, settings: Settings, core: Core, stage: str | None) -> None:
        super().__init__(settings, core)
        self._stage = stage

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:
        if self._stage == "posting":
            die()
        post = await super().announce(to, announcement, privately=privately)
        if self._stage == "posted":
            die()
        return post


def die() -> None:
    """kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


async def run(now: datetime, stage: str | None, *, all_of_them: bool) -> None:
    """One look, or until nothing is left to do."""
    settings = Settings.read(os.environ, None)
    async with AsyncExitStack() as stack:
        stack.enter_context(quiet())
        core = open_core(settings, clock=ShiftedClock(now), shared=settings.postgres)
        stack.push_async_callback(core.close)
        adapter = MortalAdapter(settings, core, stage)
        stack.push_async_callback(adapter.close)
        await adapter.start_writing()
        core.attach(adapter)
        if all_of_them:
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
        if stage == "begun":
            die()
        if stage == "claimed":
            await core.reports.open()
            die()
        await core.report()
        if stage == "made":
            die()
        await core.deliver()
        while all_of_them and await core.database.read(_is_open):
            await core.report()
            await core.deliver()


def _is_open(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql(_OPEN).scalar())


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.faults.report_worker")
    parser.add_argument("now", type=datetime.fromisoformat)
    parser.add_argument("--die", choices=STAGES)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    asyncio.run(run(options.now, options.die, all_of_them=options.all))


if __name__ == "__main__":
    main()
