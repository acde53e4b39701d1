"""Limits on a real database: how they stand, who changed them, and what a correction does to them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from core import errors
from core.budgets.limits import BudgetLine, Budgets
from core.budgets.terms import Terms
from core.budgets.workspace_settings import WorkspaceSettings
from core.chat import Finish, Usage
from core.errors import WrongUse
from core.messages import LOCAL, WorkspaceKey
from core.reports import figures
from core.store import limits
from tests.databases import HouseAt, Place, house
from tests.fakes import ADA, BEN, ROOT, TEAM, ManualClock, ScriptedModel, Step, message

DAY = 86_400.0
OTHER = WorkspaceKey("slack", "T2")


def told(prompt: int) -> list[Step]:
    return ["Yes.", Finish("stop", Usage(prompt, 0, 0), "m")]


def budgets(home: HouseAt) -> Budgets:
    return Budgets(Terms.of(home.core.settings), home.core.database, home.clock)


def line(lines: tuple[BudgetLine, ...], scope: str, period: str) -> BudgetLine:
    (found,) = [one for one in lines if (one.scope, one.period) == (scope, period)]
    return found


async def test_everything_stands_at_its_default_before_its_first_use(place: Place) -> None:
    async with house(place) as home:
        view = await budgets(home).show(TEAM, person="U1", channel="C1")
        assert [(one.scope, one.period, one.limit, one.spent, one.reserved) for one in view.lines] == [
            ("workspace", "day", 2_000_000, 0, 0),
            ("workspace", "month", 20_000_000, 0, 0),
            ("channel:C1", "day", None, 0, 0),
            ("channel:C1", "month", None, 0, 0),
            ("user:U1", "day", 1_000_000, 0, 0),
            ("user:U1", "month", None, 0, 0),
        ]
        assert {one.resets_at.isoformat() for one in view.lines} == {
            "2026-11-24T00:00:00+00:00",
            "2026-12-01T00:00:00+00:00",
        }
        assert home.rows("SELECT count(*) FROM budget") == [(0,)], "to look makes nothing"


async def test_what_is_spent_is_shown_with_the_installation_and_every_workspace(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(1000), told(2000))) as home:
        await home.hear(message(), message(workspace=OTHER))
        view = await budgets(home).show(None)
        shown = [(str(one.workspace), one.scope, one.period, one.spent) for one in view.lines]
        assert shown == [
            ("None", "installation", "day", 1500),
            ("None", "installation", "month", 1500),
            ("slack:T1", "workspace", "day", 500),
            ("slack:T1", "workspace", "month", 500),
            ("slack:T2", "workspace", "day", 1000),
            ("slack:T2", "workspace", "month", 1000),
        ]
        home.clock.advance(DAY)
        tomorrow = await budgets(home).show(TEAM)
        assert [one.spent for one in tomorrow.lines] == [0, 500], "a day begins anew, the month goes on"


async def test_what_was_spent_before_there_were_budgets_counts_in_what_is_shown(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(1000))) as home:
        await home.hear(message())
    place.change("DELETE FROM budget")
    place.change("UPDATE budget_epoch SET at = '2026-12-31 00:00:00'")
    place.change("UPDATE usage SET installation_day = NULL, installation_month = NULL")
    async with house(place) as home:
        view = await budgets(home).show(None)
        assert [one.spent for one in view.lines] == [500, 500, 500, 500]
        near = await budgets(home).show(TEAM, person="U1", channel="C1")
        assert [one.spent for one in near.lines] == [500] * 6


@pytest.mark.parametrize(
    ("person", "channel", "scope"), [(None, None, "workspace"), ("U1", None, "user:U1"), (None, "C7", "channel:C7")]
)
async def test_a_limit_that_is_set_holds_until_it_is_taken_back(
    place: Place, person: str | None, channel: str | None, scope: str
) -> None:
    async with house(place) as home:
        await home.hear(message())
        service = budgets(home)
        change = await service.set_limit(TEAM, "month", 7_000_000, by=ROOT, person=person, channel=channel)
        assert (change.scope, change.period, change.after) == (scope, "month", 7_000_000)
        view = await service.show(TEAM, person=person, channel=channel)
        assert line(view.lines, scope, "month").limit == 7_000_000
        of_a_day = {"workspace": 2_000_000, "user:U1": 1_000_000, "channel:C7": None}[scope]
        assert line(view.lines, scope, "day").limit == of_a_day, "the other period's stays"
        again = await service.set_limit(TEAM, "month", None, by=None, person=person, channel=channel)
        assert (again.before, again.after, again.left) == (7_000_000, None, None)
        back = await service.set_limit(TEAM, "month", "default", by=None, person=person, channel=channel)
        assert back.after == change.before
        assert home.rows("SELECT count(*) FROM budget_limit") == [(0,)]


async def test_each_change_is_written_down_with_who_and_when(place: Place) -> None:
    async with house(place, timezone="Pacific/Auckland") as home:
        await home.hear(message())
        await budgets(home).set_limit(TEAM, "day", 5_000_000, by=ROOT)
        await budgets(home).set_limit(TEAM, "day", None, by=None)
        await budgets(home).set_limit(None, "month", "default", by=None)
        changes = home.rows(
            "SELECT place, kind, what, before_microusd, after_microusd, changed_by, local_date "
            "FROM budget_change ORDER BY id"
        )
        (root,) = home.rows("SELECT id FROM person WHERE external_id = ?", "U9")[0]
        assert changes == [
            ("workspace:1", "day", "limit", 2_000_000, 5_000_000, root, "2026-11-24"),
            ("workspace:1", "day", "limit", 5_000_000, None, None, "2026-11-24"),
            ("installation", "month", "default", 20_000_000, 20_000_000, None, "2026-11-24"),
        ]


async def test_a_limit_below_what_is_spent_is_taken_and_leaves_nothing(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(2000))) as home:
        await home.hear(message())
        change = await budgets(home).set_limit(TEAM, "day", 1, by=None)
        assert (change.spent, change.left) == (1000, 0)
        await home.hear(message(id="2"))
        assert home.platform.told() == ["budget_refused"]
        raised = await budgets(home).set_limit(TEAM, "day", 5_000_000, by=None)
        assert raised.left == 4_999_000


async def test_limits_can_be_set_for_whom_nothing_is_known_yet(place: Place) -> None:
    async with house(place) as home:
        await home.hear(message())
        await budgets(home).set_limit(TEAM, "day", 1_000, by=None, person="U7")
        await budgets(home).set_limit(TEAM, "day", 2_000, by=None, channel="C7")
        view = await budgets(home).show(TEAM, operator=True)
        assert [(one.scope, one.limit, one.private) for one in view.lines if one.period == "day"] == [
            ("workspace", 2_000_000, False),
            ("channel:C7", 2_000, False),
            ("user:U7", 1_000, True),
        ]
        assert (await budgets(home).show(TEAM)).lines == view.lines[:2]


async def test_the_command_line_must_know_a_workspace_and_its_admins_need_not_wait(place: Place) -> None:
    async with house(place) as home:
        for wrong in (
            budgets(home).set_limit(OTHER, "day", 1_000, by=None),
            budgets(home).show(OTHER, operator=True),
        ):
            with pytest.raises(WrongUse, match="Nothing is known of the workspace slack:T2"):
                await wrong
        assert (await budgets(home).set_limit(LOCAL, "day", 1_000, by=None)).before == 2_000_000
        assert (await budgets(home).set_limit(OTHER, "day", 1_000, by=ADA)).after == 1_000
        assert (await budgets(home).show(OTHER)).lines[0].limit == 1_000


async def test_what_makes_no_sense_is_said_in_one_sentence(place: Place) -> None:
    async with house(place) as home:
        service = budgets(home)
        wrong = {
            "name one of them": service.set_limit(TEAM, "day", 1, by=ADA, person="U1", channel="C1"),
            "name it, too": service.set_limit(None, "day", 1, by=None, person="U1"),
            "A person is named by its id: .* such as U0123": service.set_limit(TEAM, "day", 1, by=ADA, person="@ben"),
            "A channel is named by its id: .* such as C0123": service.show(TEAM, channel="#general"),
            "There is no call 41": service.correct(41, 0),
        }
        for said, asked in wrong.items():
            with pytest.raises(WrongUse, match=said):
                await asked


async def test_a_changed_zone_holds_from_the_next_period(place: Place) -> None:
    start = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    async with house(place, clock=ManualClock(start)) as home:
        await home.hear(message())
        chosen = await WorkspaceSettings(home.core.database, home.clock).choose_zone(TEAM, "asia/kolkata")
        assert chosen.zone == "Asia/Kolkata"
        day = line((await budgets(home).show(TEAM)).lines, "workspace", "day")
        assert day.resets_at == datetime(2026, 11, 24, tzinfo=UTC)
        assert day.resets_at.isoformat() == "2026-11-24T05:30:00+05:30"
        home.clock.advance(DAY / 2)
        day = line((await budgets(home).show(TEAM)).lines, "workspace", "day")
        assert (day.resets_at, day.spent) == (datetime(2026, 11, 24, 18, 30, tzinfo=UTC), 0)


async def test_a_zone_to_the_west_lets_the_day_go_on_with_what_was_spent_in_it(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(1000))) as home:
        await home.hear(message())
        await WorkspaceSettings(home.core.database, home.clock).choose_zone(TEAM, "America/New_York")
        home.clock.advance(DAY / 2)  # midnight in UTC, still the same date there
        day = line((await budgets(home).show(TEAM, person="U1")).lines, "user:U1", "day")
        assert (day.spent, day.resets_at) == (500, datetime(2026, 11, 24, 5, 0, tzinfo=UTC))
        whole = line((await budgets(home).show(TEAM)).lines, "workspace", "day")
        assert (whole.spent, whole.resets_at) == (day.spent, day.resets_at)


async def test_what_a_workspace_chooses_is_kept_and_taken_back(place: Place) -> None:
    async with house(place) as home:
        settings = WorkspaceSettings(home.core.database, home.clock)
        assert (await settings.holding(TEAM)).economy_at_percent is None
        assert (await settings.save_from(TEAM, 80)).economy_at_percent == 80
        assert (await settings.show_people(TEAM, shown=True)).show_people
        assert (await settings.choose_zone(TEAM, "Europe/Paris")).zone == "Europe/Paris"
        held = await settings.holding(TEAM)
        assert (held.zone, held.show_people, held.economy_at_percent) == ("Europe/Paris", True, 80)
        assert (await settings.choose_zone(TEAM, "default")).zone is None
        assert (await settings.save_from(TEAM, None)).economy_at_percent is None
        with pytest.raises(WrongUse, match="did you mean Europe/Paris"):
            await settings.choose_zone(TEAM, "Europe/Pariss")
        with pytest.raises(WrongUse, match="from 1 to 100"):
            await settings.save_from(TEAM, 0)


async def test_a_correction_is_one_more_entry_and_every_figure_follows(place: Place) -> None:
    cut: list[Step] = ["Y", errors.StreamCut()]
    async with house(place, model=ScriptedModel(cut)) as home:
        await home.hear(message())
        database = home.core.database
        (call,) = await figures.estimated(database, TEAM)
        assert call.estimated_microusd == call.cost_microusd > 0
        done = await budgets(home).correct(call.number, 12_300)
        assert (done.before, done.after) == (call.cost_microusd, 12_300)
        assert await figures.estimated(database, TEAM) == []
        total = (await figures.table(database, TEAM, by="model")).total
        assert (total.calls, total.cost_microusd, total.estimated_microusd) == (1, 12_300, 0)
        view = await budgets(home).show(TEAM, person="U1", channel="C1")
        assert [one.spent for one in view.lines] == [12_300] * 6
        again = await budgets(home).correct(call.number, 0)
        assert (again.before, again.after) == (12_300, 0)
        assert (await budgets(home).show(None)).lines[0].spent == 0
        assert home.rows("SELECT count(*) FROM usage") == [(3,)]
        with pytest.raises(WrongUse, match="There is no call"):
            await budgets(home).correct(call.number + 1, 5)  # a correction is no call


async def test_estimated_calls_are_listed_by_their_days(place: Place) -> None:
    cut: list[Step] = ["Y", errors.StreamCut()]
    async with house(place, model=ScriptedModel(cut, told(1000), cut)) as home:
        await home.hear(message(), message(id="2"))
        home.clock.advance(DAY)
        await home.hear(message(id="3"))
        database = home.core.database
        assert len(await figures.estimated(database, TEAM)) == 2
        (first,) = await figures.estimated(database, TEAM, until=date(2026, 11, 23))
        (second,) = await figures.estimated(database, TEAM, since=date(2026, 11, 24))
        assert first.number < second.number


async def test_a_top_up_is_for_one_period_and_written_down(place: Place) -> None:
    async with house(place) as home:
        await home.hear(message(author=BEN))
        now = home.clock.now()
        for _ in range(2):
            await home.core.database.write(
                lambda connection: limits.top_up(
                    connection,
                    workspace=1,
                    place="workspace:1",
                    kind="month",
                    period="2026-11",
                    extra=5_000_000,
                    by=1,
                    now=now,
                    local_date=now.date(),
                )
            )
        assert line((await budgets(home).show(TEAM)).lines, "workspace", "month").limit == 30_000_000
        assert home.rows("SELECT what, before_microusd, after_microusd, changed_by FROM budget_change ORDER BY id") == [
            ("top_up", 0, 5_000_000, 1),
            ("top_up", 5_000_000, 10_000_000, 1),
        ]
        home.clock.advance(timedelta(days=10).total_seconds())
        assert line((await budgets(home).show(TEAM)).lines, "workspace", "month").limit == 20_000_000
        with pytest.raises(LookupError):
            await home.core.database.write(
                lambda connection: limits.top_up(
                    connection,
                    workspace=1,
                    place="workspace:1",
                    kind="month",
                    period="2030-01",
                    extra=1,
                    by=1,
                    now=now,
                    local_date=now.date(),
                )
            )


async def test_many_who_set_the_same_limit_at_once_are_all_written_down_in_order(place: Place) -> None:
    async with house(place) as home, house(place) as other:
        await home.hear(message())
        asked = [
            budgets(one).set_limit(TEAM, "day", amount, by=None) for amount in range(1, 9) for one in (home, other)
        ]
        await asyncio.gather(*asked)
        chain = home.rows("SELECT before_microusd, after_microusd FROM budget_change ORDER BY id")
        assert len(chain) == 16
        assert all(after == before for (_, after), (before, _) in pairwise(chain)), chain
