"""A report as a team of ten might get it, to be shown in every form."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from core.reports.report import Bar, Currency, Day, Forecast, Movement, Ranking, Report, Share
from core.store.ledger import DIRECT

SUNDAY = date(2026, 11, 22)
LARGE, SMALL = "mistral-large-2512", "mistral-small-2603"
_DAYS = tuple(
    Day(SUNDAY - timedelta(days=29 - number), ((LARGE, 250_000 + number * 9_000), (SMALL, 40_000 + number * 1_000)))
    for number in range(30)
)
_REPORT = Report(
    workspace="slack:T1",
    name="Team One",
    kind="daily",
    first=SUNDAY,
    last=SUNDAY,
    zone="Europe/Paris",
    made_at=datetime(2026, 11, 23, 8, 0, tzinfo=UTC),
    cost=1_230_000,
    estimated=30_000,
    before=920_000,
    compared=4,
    month=8_120_000,
    month_estimated=50_000,
    limit=20_000_000,
    bar=Bar(20_000_000, 8_200_000, 10_000),
    forecast=Forecast(17_400_000, 15_100_000, 19_700_000, None),
    models=Ranking((Share(LARGE, 1_000_000, 800_000), Share(SMALL, 230_000, 120_000))),
    channels=Ranking((Share("C0GENERAL", 900_000, 920_000), Share(DIRECT, 300_000, 0)), 2, 30_000),
    people=None,
    movement=Movement(200_000, 50_000, -20_000, 80_000),
    turns=41,
    calls=52,
    prompt_tokens=90_210,
    completion_tokens=12_044,
    cached_tokens=51_200,
    cache_saved=23_040,
    failed=2,
    refused=(("person", 2), ("workspace", 1)),
    saved=(("economy", 2), ("history", 3)),
    first_text_ms=812,
    topped_up=5_000_000,
    corrections=2,
    corrected=-50_000,
    partial=(),
    days=_DAYS,
    currency=None,
)
EURO = Currency("EUR", 920_000)


def report(**changes: Any) -> Report:
    """The sample with some of its fields changed."""
    return replace(_REPORT, **changes)
