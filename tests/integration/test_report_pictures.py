"""The picture of a report: drawn by a process of its own, which is not there for long."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from PIL import Image

from core.reports.pictures import Pictures
from core.reports.report import Day, Forecast, Ranking, Report
from tests.world import soon

LAST = date(2026, 11, 22)


def report(days: int = 30, models: int = 3, cost: int = 400_000, limit: int | None = 20_000_000) -> Report:
    """One with so many days of use, and models with names as they come."""
    names = ["mistral-large-2512", "_an $odd$ name_" + "x" * 60, *(f"model-{number}" for number in range(40))][:models]
    used = tuple(
        Day(LAST - timedelta(days=ago), tuple((name, cost // (place + 1)) for place, name in enumerate(names)))
        for ago in range(days)
    )
    month = sum(day.cost for day in used if day.day.month == LAST.month)
    return Report(
        workspace="slack:T1",
        name="Acme",
        kind="daily",
        first=LAST,
        last=LAST,
        zone="UTC",
        made_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
        cost=cost,
        estimated=0,
        before=None,
        compared=0,
        month=month,
        month_estimated=0,
        limit=limit,
        bar=None,
        forecast=Forecast(month * 4 // 3, month * 5 // 4, month * 3 // 2, None),
        models=Ranking(),
        channels=Ranking(),
        people=None,
        movement=None,
        turns=1,
        calls=1,
        prompt_tokens=1,
        completion_tokens=1,
        cached_tokens=0,
        cache_saved=0,
        failed=0,
        refused=(),
        saved=(),
        first_text_ms=None,
        topped_up=0,
        corrections=0,
        corrected=0,
        partial=(),
        days=used,
        currency=None,
    )


async def test_pictures_are_drawn_by_one_process_that_ends_when_it_is_idle() -> None:
    pictures = Pictures(idle=0.2, within=60)
    try:
        drawn = [
            await pictures.draw(one)
            for one in (
                report(),
                report(models=20),
                report(days=1, models=1, cost=1),
                report(cost=0),
                report(cost=-5),
                replace(report(limit=None), forecast=None),
                replace(report(limit=100), last=date(2026, 12, 31)),
            )
        ]
        process = pictures.process_id
        assert process is not None
        for picture in drawn:
            assert picture is not None
            image = Image.open(io.BytesIO(picture))
            assert image.size == (1020, 990)
            assert image.convert("RGBA").getextrema()[3] == (255, 255), "it must not depend on what is behind it"
        await soon(lambda: pictures.process_id is None and not _lives(process))
    finally:
        await pictures.aclose()


async def test_a_process_that_was_killed_costs_one_picture_at_most() -> None:
    pictures = Pictures(within=60)
    try:
        assert await pictures.draw(report()) is not None
        process = pictures.process_id
        assert process is not None
        os.kill(process, 9)
        await soon(lambda: pictures.process_id is None)
        assert await pictures.draw(report()) is not None
        assert pictures.process_id != process
    finally:
        await pictures.aclose()


async def test_a_report_goes_without_a_picture_that_takes_too_long_or_is_none(tmp_path: Path) -> None:
    for program in ("import time; time.sleep(60)", "print('ready')\nprint('no picture')", "raise SystemExit"):
        broken = tmp_path / "broken.py"
        broken.write_text(program)
        pictures = Pictures(within=0.5, program=broken)
        try:
            began = asyncio.get_running_loop().time()
            assert await pictures.draw(report()) is None
            assert asyncio.get_running_loop().time() - began < 5
            assert pictures.process_id is None, "what it might still say would be taken for the next picture"
        finally:
            await pictures.aclose()


async def test_without_any_use_nothing_is_drawn() -> None:
    pictures = Pictures()
    assert await pictures.draw(report(days=0)) is None
    assert pictures.process_id is None
    await pictures.aclose()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
