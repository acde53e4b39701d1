"""Reports under kill -9, and many at once: each is posted once. Small here, at full size with --full-size."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators
from core.messages import WorkspaceKey
from core.store import budget_tables
from tests.databases import SECRET, Place, place_of
from tests.faults.report_worker import STAGES
from tests.process import KEY, environment
from tests.report_office import spend

FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)  # long past, so that whatever is posted now was posted after it
DAY = timedelta(days=1)
CLAIM_OVER = timedelta(minutes=3)
GENERAL = "C0GENERAL"


@asynccontextmanager
async def slack(place: Place) -> AsyncGenerator[tuple[Simulators, dict[str, str]]]:
    """A simulated Slack, and the environment that leads a process to it."""
    simulators, model = Simulators(), MistralSimulator(api_key=KEY)
    model.mount(simulators.app)
    async with simulators:
        model.origin = simulators.base_url
        env = environment(simulators, model, place.folder / "unused.db") | {"DATABASE_URL": place.url}
        env |= {"BISE_REPORT_SPREAD_MINUTES": "0", "BISE_REPORT_PICTURES": "no"}
        yield simulators, env | ({"BISE_SECRET_KEY": SECRET} if place.postgres else {})


async def worker(env: Mapping[str, str], now: datetime, *more: str) -> asyncio.subprocess.Process:
    program = (sys.executable, "-m", "tests.faults.report_worker", now.isoformat(), *more)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*program, env=dict(env), stdin=pipe, stdout=pipe)


async def ended(process: asyncio.subprocess.Process) -> int:
    await process.communicate(b"\n")
    assert process.returncode is not None
    return process.returncode


def choose(place: Place, channels: Mapping[int, str]) -> None:
    """Each workspace, by our number, has chosen where its reports go."""
    table = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
    with place.connected() as connection:
        rows = [{"workspace_id": number, "report_channel": channel} for number, channel in channels.items()]
        connection.execute(insert(table), rows)
        connection.commit()


@pytest.mark.timeout(4 * 3600)  # at full size 500 processes one after the other, half an hour and more
async def test_a_report_whose_process_is_killed_anywhere_is_posted_once(place: Place, full_size: bool) -> None:
    """Killed before the claim, between claim and post at three points, and between post and store."""
    key = WorkspaceKey("slack", "T0PLAY")
    rounds = 50 if full_size else 1
    async with slack(place) as (simulators, env):
        spend(place, (FIRST - DAY).date(), key, now=FIRST)
        choose(place, {1: GENERAL})
        assert await ended(await worker(env, FIRST)) == 0  # what comes is scheduled from here on
        days = 0
        for stage in STAGES * rounds:
            days += 1
            now = FIRST + days * DAY
            spend(place, (now - DAY).date(), key, now=now)
            assert await ended(await worker(env, now, "--die", stage)) == -signal.SIGKILL, stage
            assert await ended(await worker(env, now + CLAIM_OVER)) == 0
            posts = [post for post in simulators.slack.messages(GENERAL) if "Usage on" in post.shown]
            assert len(posts) == days, f"killed when {stage}"
    assert Counter(place.rows("SELECT outcome FROM report_run")) == {("posted",): days}


@pytest.mark.timeout(1800)
async def test_all_reports_that_are_due_in_one_minute_are_posted_once_by_four_processes(
    tmp_path: Path, full_size: bool
) -> None:
    """10,000 workspaces at full size: claimed within a minute, at least 10 a second made and posted."""
    size = 10_000 if full_size else 80
    with place_of("postgres", tmp_path) as place:
        async with slack(place) as (simulators, env):
            for number in range(1, size + 1):
                simulators.slack.add_channel(f"CR{number}", f"reports-{number}")
            keys = [WorkspaceKey("slack", f"TR{number}") for number in range(1, size + 1)]
            spend(place, FIRST.date(), *keys, now=FIRST)
            choose(place, {number: f"CR{number}" for number in range(1, size + 1)})
            assert await ended(await worker(env, FIRST)) == 0
            processes = [await worker(env, FIRST + DAY, "--all") for _ in range(4)]
            for process in processes:
                assert process.stdout is not None
                await process.stdout.readline()
            begun = time.monotonic()
            running = [asyncio.create_task(ended(process)) for process in processes]
            claimed = await until_claimed(place, size, begun)
            assert await asyncio.gather(*running) == [0] * len(running)
            seconds = time.monotonic() - begun
            counted = Counter(call.arguments["channel"] for call in simulators.slack.calls if is_report(call.method))
    assert counted == {f"CR{number}": 1 for number in range(1, size + 1)}
    sys.stderr.write(f"\n{size} reports: claimed within {claimed:.1f} s, {size / seconds:.0f} a second posted\n")
    assert claimed <= 60
    assert size / seconds >= 10 or not full_size


def is_report(method: str) -> bool:
    return method == "chat.postMessage"


async def until_claimed(place: Place, size: int, begun: float) -> float:
    """The seconds after which all were claimed."""
    while True:
        [(count,)] = await asyncio.to_thread(place.rows, "SELECT count(*) FROM report_run")
        if count == size:
            return time.monotonic() - begun
        await asyncio.sleep(0.05)
