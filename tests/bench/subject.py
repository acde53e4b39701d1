"""What is measured: `bise serve` or the bare loop, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_OURS = ("BISE_", "SLACK_", "DISCORD_", "MISTRAL_", "DATABASE_URL")
_START_SECONDS = 60.0
_END_SECONDS = 0.7


class Subject:
    """One running process. `log`: what it wrote; `began`: when it was started, by the monotonic clock."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, began: float) -> None:
        self._process = process
        self._watched = psutil.Process(process.pid)
        self.log = log
        self.began = began

    def cpu_seconds(self) -> float:
        """CPU that all threads of the process have used so far."""
        try:
            # Linux has a clock for each process, in nanoseconds; psutil reads ticks of 10 ms.
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except OSError:
            times = self._watched.cpu_times()
            return times.user + times.system

    def memory_mb(self) -> float:
        """Resident memory now."""
        return float(self._watched.memory_info().rss) / 1_000_000

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    def check(self) -> None:
        """Raises RuntimeError when a process that is not ready yet has ended or takes too long."""
        if self.ended or time.monotonic() - self.began > _START_SECONDS:
            raise RuntimeError(f"it did not become ready:\n{self.log.read_text(errors='replace')[-2000:]}")

    async def end(self) -> None:
        """Asks the process to end, twice as answers may be under way, and ends it when it takes long."""
        for ask in (self._process.terminate, self._process.terminate, self._process.kill):
            if self.ended:
                return
            with contextlib.suppress(ProcessLookupError):
                ask()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _END_SECONDS)


async def migrate(database: Path) -> None:
    """A new database, by the command that people use."""
    environment = clean_environment({"DATABASE_URL": f"sqlite+aiosqlite:///{database}"})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", "migrate", env=environment, cwd=database.parent
    )
    if await process.wait() != 0:
        raise RuntimeError("bise migrate failed")


@asynccontextmanager
async def service(folder: Path, empty: Path, settings: Mapping[str, str]) -> AsyncIterator[Subject]:
    """`bise serve` on a copy of the database `empty`, once its /readyz says that it is ready."""
    folder.mkdir()
    shutil.copy(empty, folder / "bise.db")
    port = _free_port()
    told = {
        **settings,
        "DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'bise.db'}",
        "BISE_HTTP_PORT": str(port),
        "BISE_LOG_FORMAT": "json",
        "BISE_MAX_CONCURRENT_TURNS": "250",
        "BISE_MONTHLY_BUDGET": "none",
        "BISE_USER_TURNS_PER_MINUTE": "none",
        "BISE_WORKSPACE_TURNS_PER_MINUTE": "none",
    }
    async with _running(folder, ["-m", "bots", "serve"], told) as subject:
        url = f"http://127.0.0.1:{port}/readyz"
        while not await asyncio.to_thread(_answers, url):
            subject.check()
            await asyncio.sleep(0.01)
        yield subject


@asynccontextmanager
async def bare_loop(folder: Path, settings: Mapping[str, str], arguments: Sequence[str]) -> AsyncIterator[Subject]:
    """The bare loop; when it is connected, only the simulators know."""
    folder.mkdir()
    async with _running(folder, ["-m", "tests.bench.bare", *arguments], settings) as subject:
        yield subject


@asynccontextmanager
async def _running(folder: Path, command: Sequence[str], settings: Mapping[str, str]) -> AsyncIterator[Subject]:
    log, began = folder / "log.txt", time.monotonic()
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, env=clean_environment(settings), cwd=folder, stdout=output, stderr=output
        )
    subject = Subject(process, log, began)
    try:
        yield subject
    finally:
        await subject.end()


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of Bise and proxies, and with `settings`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and not name.lower().endswith("_proxy")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **settings}


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=1) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
