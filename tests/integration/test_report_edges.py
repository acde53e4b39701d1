"""Reports of days that are not like others: the first, the shortened, the one under way, the empty one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy

from core import errors
from core.chat import Finish, Usage
from core.messages import DISCORD_DM, WorkspaceKey
from core.mistral.catalogue import Catalogue
from core.mistral.providers.home import Home
from core.reports.basis import Basis
from core.reports.daily import figures
from core.reports.prices import Prices
from core.reports.report import Kind, Ranking, Report, Share
from core.store import tables
from core.store.ledger import DIRECT
from tests.databases import Place, house
from tests.fakes import ScriptedModel, message
from tests.integration.report_ledger import NOW, ON, OTHERS, OURS, PRICED, TEAM, Call, World, lay_down

DAY = timedelta(days=1)
CALL = Call(
    workspace=OURS,
    day=ON,
    model="mistral-large-2512",
    home="mistral-global",
    price_from=PRICED,
    channel="C1",
    person=1,
    turn=1,
    prompt=100,
    completion=10,
    cached=0,
    cost=1_000,
    estimated=0,
    first_text_ms=400,
    corrects=False,
    at=NOW,
)


def world(*calls: Call) -> World:
    return World(calls, (), (), 0, 0)


def made(place: Place, kind: Kind = "daily", on: date = ON, *, now: datetime = NOW, key: WorkspaceKey = TEAM) -> Report:
    settings = place.settings()
    basis = Basis.of(settings, Catalogue.load(), [Home.of_region("global", "")], now)
    with place.connected() as connection:
        return figures(connection, OURS, key, kind, on, basis=basis)


def add(place: Place, name: str, /, **values: object) -> None:
    with place.connected() as connection:
        if place.postgres:
            connection.exec_driver_sql("SET session_replication_role = replica")
        connection.execute(sqlalchemy.insert(tables.Usage.metadata.tables[name]).values(**values))
        connection.commit()


def test_a_workspace_that_nobody_used_is_silent(place: Place) -> None:
    lay_down(place, world())
    report = made(place)
    assert report.silent
    assert (report.cost, report.before, report.forecast, report.movement) == (0, None, None, None)
    assert (report.models, report.days, report.partial) == (Ranking(), (), ())


def test_the_first_day_is_labelled_and_compared_with_nothing(place: Place) -> None:
    lay_down(place, world(CALL))
    report = made(place)
    assert report.partial == ("first_day",)
    assert report.before is None
    later = made(place, on=ON + 7 * DAY, now=NOW + 7 * DAY)
    assert (later.partial, later.before) == ((), None), "the first day is no measure either"


def test_a_day_that_is_not_over_is_labelled(place: Place) -> None:
    lay_down(place, world(replace(CALL, day=ON - 10 * DAY), CALL))
    assert made(place, now=datetime(2026, 11, 22, 23, 59, tzinfo=UTC)).partial == ("running",)
    assert made(place, now=datetime(2026, 11, 23, 0, 0, tzinfo=UTC)).partial == ()


@pytest.mark.parametrize(
    ("starts_at", "resets_at", "partial"),
    [
        (datetime(2026, 11, 22, 0, tzinfo=UTC), datetime(2026, 11, 23, 0, tzinfo=UTC), ()),
        # A summer time ends: twenty-five hours, and whole.
        (datetime(2026, 11, 22, 0, tzinfo=UTC), datetime(2026, 11, 23, 1, tzinfo=UTC), ()),
        # The zone was changed to one further west: the day goes on until that one's midnight.
        (datetime(2026, 11, 22, 0, tzinfo=UTC), datetime(2026, 11, 23, 5, tzinfo=UTC), ("zone",)),
        # Further east: it has begun there when the day before had not yet ended here.
        (datetime(2026, 11, 21, 15, tzinfo=UTC), datetime(2026, 11, 22, 15, tzinfo=UTC), ("zone",)),
    ],
)
def test_a_day_in_which_the_zone_changed_is_labelled(
    place: Place, starts_at: datetime, resets_at: datetime, partial: tuple[str, ...]
) -> None:
    lay_down(place, world(replace(CALL, day=ON - 10 * DAY), CALL))
    row = {"workspace_id": OURS, "place": "workspace:1", "kind": "day"}
    row |= {"extra_microusd": 0, "reserved_microusd": 0, "spent_microusd": 0}
    day_before = {"starts_at": datetime(2026, 11, 21, tzinfo=UTC), "resets_at": datetime(2026, 11, 22, tzinfo=UTC)}
    add(place, "budget", **row, period="2026-11-21", **day_before)
    add(place, "budget", **row, period="2026-11-22", starts_at=starts_at, resets_at=resets_at)
    assert made(place).partial == partial


def test_a_correction_that_comes_later_is_told_in_the_report_of_that_day(place: Place) -> None:
    before = replace(CALL, day=ON - 3 * DAY, cost=5_000, estimated=5_000)
    correction = replace(before, cost=-2_000, estimated=-5_000, corrects=True, prompt=0, completion=0, at=NOW - DAY)
    lay_down(place, world(before, correction))
    report = made(place)
    assert (report.cost, report.calls, report.turns) == (0, 0, 0)
    assert (report.corrections, report.corrected) == (1, -2_000)
    assert not report.silent
    assert (report.month, report.month_estimated) == (3_000, 0), "where it was counted"


def test_direct_messages_are_never_told_apart(place: Place) -> None:
    lay_down(place, world(CALL, replace(CALL, channel="D1", cost=7), replace(CALL, channel="D2", cost=8)))
    assert made(place).channels.top == (Share("C1", 1_000, None), Share(DIRECT, 15, None))
    assert made(place, key=DISCORD_DM).channels.top == (Share(DIRECT, 1_015, None),)


def test_people_are_named_only_where_the_workspace_wants_it(place: Place) -> None:
    calls = (CALL, replace(CALL, person=2, cost=300), replace(CALL, person=3, cost=20))
    lay_down(place, world(*calls))
    assert made(place).people is None
    lines = {"report_kinds": "daily", "show_people": False, "report_weekdays_only": False, "report_zero_days": False}
    add(place, "workspace_setting", workspace_id=OURS, **lines, report_people=True)
    named = made(place).people
    assert named is not None
    assert [(share.name, share.cost) for share in named.top] == [("Ada", 1_000), ("Ben", 300), ("U3", 20)]
    assert made(place, key=DISCORD_DM).people is None, "they do not know each other"


def test_one_workspaces_report_never_counts_anothers_rows(place: Place) -> None:
    lay_down(place, world(CALL, replace(CALL, workspace=OTHERS, cost=9_999)))
    assert made(place).cost == 1_000


def test_the_month_before_has_no_bar_and_no_forecast(place: Place) -> None:
    lay_down(place, world(replace(CALL, day=date(2026, 10, 10)), replace(CALL, day=date(2026, 8, 30))))
    report = made(place, "monthly", date(2026, 10, 31))
    assert (report.cost, report.month) == (1_000, 1_000)
    assert (report.bar, report.forecast, report.before) == (None, None, 0)
    assert report.limit == 20_000_000


def test_without_a_hold_in_this_month_the_bar_is_what_the_ledger_says(place: Place) -> None:
    lay_down(place, world(CALL))
    with place.connected() as connection:
        connection.exec_driver_sql("DELETE FROM budget")
        connection.commit()
    bar = made(place).bar
    assert bar is not None
    assert (bar.limit, bar.settled, bar.held) == (20_000_000, 1_000, 0)


async def test_what_people_asked_is_in_the_report_of_that_day(place: Place) -> None:
    model = ScriptedModel(["Yes.", Finish("stop", Usage(1000, 0, 400), "m")], [errors.ModelUnauthorized()])
    async with house(place, model=model) as home:
        await home.hear(message(), message(id="2"))
        report = made(place, on=date(2026, 11, 23), now=NOW + DAY)
    assert (report.cost, report.calls, report.turns, report.failed) == (320, 2, 2, 1)
    assert report.cache_saved == 180, "four hundred tokens, each 0.45 micro-dollars cheaper"
    assert report.bar is not None
    assert (report.bar.settled, report.bar.held) == (320, 0)


def test_what_the_cache_saved_depends_on_where_the_model_is() -> None:
    catalogue = Catalogue.load()
    prices = Prices.at(catalogue, [Home.of_region("eu", ""), Home.at("http://127.0.0.1:1/v1", self_hosted=True)])
    assert prices.tenths == {"mistral-eu": 11}
