"""`bise report`: printed, posted now, or drawn; `bise report settings`: what a workspace wants of its reports."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import migrations
from bots import report_words
from bots.figure_words import unclear_text
from bots.report_desk import ReportDesk
from bots.serve import Adapter
from core.errors import PlatformError, SettingsError, WrongUse
from core.messages import Person, WorkspaceKey
from core.reports import figures
from core.reports.figures import UnclearReport
from core.reports.report import Kind
from core.service import Core, open_core
from core.settings import Settings
from core.store.report_runs import RunKey

Format = Literal["text", "csv", "png"]
_POSTED_WITHIN = 60.0  # seconds
_LOOK_EVERY = 0.2
_HERE = Person("cli", "command line", admin=True)


async def report(
    settings: Settings,
    workspace: WorkspaceKey,
    *,
    kind: Kind,
    on: date | None,
    post: bool,
    form: Format,
    out: Path | None,
    as_json: bool,
) -> int:
    """Prints a report, or posts it. Raises WrongUse for a workspace that nothing is known of, StoreUnavailable."""
    async with AsyncExitStack() as stack:
        core = open_core(settings)
        stack.push_async_callback(core.close)
        await core.database.check(migrations.NEWEST)
        if post:
            return await _post(settings, core, workspace, kind, on, as_json=as_json)
        found = await core.reports.report(workspace, kind, on)
        if found.people is not None and (as_json or form == "text"):
            await figures.named_people(core.database, workspace, "report", by=None, now=datetime.now(UTC))
        if as_json:
            sys.stdout.write(json.dumps(found.to_json()) + "\n")
        elif form == "png":
            return await _picture(core, workspace, kind, on, out)
        elif form == "csv":
            table = await core.reports.table(workspace, found.first, found.last)
            _write(table.encode(), out)
        else:
            _write((report_words.text(found) + "\n").encode(), out)
    return 0


async def choose(settings: Settings, workspace: WorkspaceKey, typed: str) -> int:
    """Does what is typed about a workspace's reports, as `/bise report` does. Raises WrongUse, StoreUnavailable."""
    async with AsyncExitStack() as stack:
        core = open_core(settings)
        stack.push_async_callback(core.close)
        await core.database.check(migrations.NEWEST)
        sys.stdout.write(await ReportDesk(core, "local").do(workspace, typed, _HERE) + "\n")
    return 0


async def _picture(core: Core, workspace: WorkspaceKey, kind: Kind, on: date | None, out: Path | None) -> int:
    picture = await core.reports.picture(workspace, kind, on)
    if picture is None:
        sys.stderr.write("bise: There is nothing to draw: no use in the thirty days, or drawing failed.\n")
        return 1
    _write(picture, out)
    return 0


async def _post(
    settings: Settings, core: Core, workspace: WorkspaceKey, kind: Kind, on: date | None, *, as_json: bool
) -> int:
    if not (settings.slack_enabled or settings.discord_enabled):
        raise SettingsError("No chat platform is set up that a report could be posted to. Set SLACK_BOT_TOKEN=xoxb-….")
    done, run = await core.reports.post_now(workspace, kind, on)
    if done == "before":
        return _told(run, "before", f"The report about {run.date} was posted before: nothing is posted twice.", as_json)
    async with AsyncExitStack() as stack:
        await _connect(settings, core, stack)
        if await _until_over(core, run):
            if (found := await core.reports.became(run)) is not None and found.unclear:
                sys.stderr.write(f"bise: {unclear_text(UnclearReport(workspace, run.kind, run.date))}\n")
                return 1
            return _told(run, "posted", f"The report about {run.date} is posted.", as_json)
    found = await core.reports.became(run)
    why = found.failure if found is not None and found.failure else "a running `bise serve` goes on trying"
    sys.stderr.write(f"bise: The report about {run.date} could not be posted yet: {why}.\n")
    return 1


async def _connect(settings: Settings, core: Core, stack: AsyncExitStack) -> None:
    """What can be written to is connected; a running `bise serve` may be quicker."""
    for adapter in _adapters(settings, core):
        stack.push_async_callback(adapter.close)
        try:
            await adapter.start_writing()
        except PlatformError as error:
            sys.stderr.write(f"bise: {adapter.name}: {error}\n")
        else:
            core.attach(adapter)


def _adapters(settings: Settings, core: Core) -> list[Adapter]:
    adapters: list[Adapter] = []
    if settings.slack_enabled:
        from bots.slack.app import SlackAdapter

        adapters.append(SlackAdapter(settings, core))
    if settings.discord_enabled:
        from bots.discord.adapter import DiscordAdapter

        adapters.append(DiscordAdapter(settings, core))
    return adapters


async def _until_over(core: Core, run: RunKey) -> bool:
    """Delivers, or sees it delivered. False: it took too long, or failed."""
    try:
        async with asyncio.timeout(_POSTED_WITHIN):
            while True:
                await core.deliver()
                found = await core.reports.became(run)
                if found is not None and found.outcome in ("posted", "failed"):
                    return found.outcome == "posted"
                await asyncio.sleep(_LOOK_EVERY)
    except TimeoutError:
        return False


def _told(run: RunKey, outcome: str, words: str, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps({"kind": run.kind, "date": run.date.isoformat(), "outcome": outcome}) + "\n")
    else:
        sys.stderr.write(words + "\n")
    return 0


def _write(data: bytes, out: Path | None) -> None:
    if out is not None:
        try:
            out.write_bytes(data)
        except OSError as error:
            raise WrongUse(f"{out} cannot be written: {error.strerror}.") from error
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
