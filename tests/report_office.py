"""A database with two fake platforms, and processes that make and post reports: for tests of these."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from functools import partial
from typing import Any

from sqlalchemy import insert

from core.announcing.delivery import Deliveries
from core.messages import WorkspaceKey
from core.mistral.catalogue import Catalogue
from core.ports import ChatPlatform
from core.reports.basis import Basis
from core.reports.choices import ReportChoices
from core.reports.desk import KIND, Reports
from core.reports.pictures import Pictures
from core.reports.report import Report
from core.store import tables, workspaces
from core.store.database import Database
from tests.databases import Place
from tests.fakes import TEAM, FakePlatform, ManualClock

OTHER = WorkspaceKey("discord", "55")
_CALL = {
    "conversation_id": 1,
    "turn_id": 1,
    "channel": "C1",
    "attempt": 1,
    "home": "mistral-global",
    "model": "mistral-large-2512",
    "prompt_tokens": 900,
    "completion_tokens": 90,
    "cached_tokens": 0,
    "estimated": False,
    "outcome": "stop",
    "total_ms": 1,
    "installation_day": "",
    "installation_month": "",
}


class Process:
    """One replica: what ticks, and what delivers."""

    def __init__(self, office: Office) -> None:
        settings = office.place.settings(**office.settings)
        basis = partial(Basis.of, settings, Catalogue.load(None), ())
        # Pictures are tested by themselves: here they would only take their time.
        self.reports = Reports(settings, office.database, office.platforms, basis, Pictures(program=None), office.clock)
        self.deliveries = Deliveries(settings, office.database, office.platforms, office.clock, {KIND: self.reports})

    async def round(self) -> None:
        await self.reports.tick()
        await self.deliveries.deliver()


class Office:
    """A database and both platforms. `settings` by field name."""

    def __init__(self, place: Place, database: Database, **settings: Any) -> None:
        self.place = place
        self.database = database
        self.settings = {"report_spread_minutes": 0, "report_hour": 9, "timezone": "UTC"} | settings
        self.slack, self.discord = FakePlatform("slack"), FakePlatform("discord")
        self.slack.admins[TEAM] = ("U8",)
        self.discord.admins[OTHER] = ("77",)
        self.platforms: dict[str, ChatPlatform] = {"slack": self.slack, "discord": self.discord}
        self.clock = ManualClock()
        self.choices = ReportChoices(place.settings(**self.settings), database, self.clock)
        self.process = self.another()

    def another(self) -> Process:
        return Process(self)

    def at(self, moment: datetime) -> None:
        self.clock.advance((moment - self.clock.now()).total_seconds())

    def spend(self, day: date, key: WorkspaceKey = TEAM, cost: int = 1_000_000) -> None:
        """A call of that local date, as the ledger has it; the workspace is made known."""
        spend(self.place, day, key, cost=cost, now=self.clock.now())

    def posts(self) -> list[tuple[str, Report]]:
        """Where reports stand, and which."""
        every = [*self.slack.announced, *self.discord.announced]
        return [(to, one.report) for to, one, _ in every if one.report is not None]

    def dates(self) -> list[date]:
        return [report.last for _, report in self.posts()]

    def runs(self) -> list[tuple[Any, ...]]:
        query = "SELECT kind, local_date, outcome, missed FROM report_run ORDER BY local_date, kind"
        return self.place.rows(query)


@asynccontextmanager
async def office(place: Place, **settings: Any) -> AsyncIterator[Office]:
    database = place.open()
    try:
        yield Office(place, database, **settings)
    finally:
        await database.close()


def spend(place: Place, day: date, *keys: WorkspaceKey, cost: int = 1_000_000, now: datetime, **more: Any) -> None:
    """A call of a local date in each workspace, as the ledger has it; `more` by column."""
    shared = {"local_date": day, "cost_microusd": cost, "at": now}
    shared |= {"day_period": day.isoformat(), "month_period": day.isoformat()[:7]}
    with place.connected() as connection:
        if place.postgres:  # the turn and the conversation of these rows are of no meaning here
            connection.exec_driver_sql("SET session_replication_role = replica")
        rows = [_CALL | shared | {"workspace_id": workspaces.ensure(connection, key, now)} | more for key in keys]
        connection.execute(insert(tables.Usage.__table__), rows)  # type: ignore[attr-defined]
        connection.commit()
