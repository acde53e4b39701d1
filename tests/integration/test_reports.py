"""Reports: opened on time, made once, posted once, whatever dies and however many look."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from bots.figure_words import usage_text
from core.budgets.terms import Terms
from core.errors import PlaceForbidden, PlaceGone, PlatformUnavailable, WrongUse
from core.reports import figures
from core.reports.figures import UnclearReport
from core.reports.pictures import Pictures
from tests.databases import Place
from tests.fakes import TEAM
from tests.report_office import OTHER, Office, office

DAY = timedelta(days=1)
FIRST, SECOND = date(2026, 11, 23), date(2026, 11, 24)
NINE = datetime(2026, 11, 24, 9, tzinfo=UTC)  # when the report about the first is due


async def scheduled(at: Office, moment: datetime = NINE - timedelta(hours=1)) -> None:
    """Somebody looked before the hour: what is scheduled is still to come."""
    at.at(moment)
    await at.process.round()
    assert at.posts() == []


async def test_a_report_comes_at_its_hour_once_and_says_what_the_day_has_cost(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST, cost=1_234_567)
        await scheduled(at)
        at.at(NINE - timedelta(seconds=1))
        await at.process.round()
        assert at.posts() == []
        at.at(NINE)
        await at.process.round()
        [(to, report)] = at.posts()
        assert (to, report.last, report.cost) == ("U8", FIRST, 1_234_567)
        for _ in range(4):
            at.clock.advance(3600)
            await at.process.round()
        assert at.dates() == [FIRST]
        assert at.runs() == [("daily", "2026-11-23", "posted", 0)]
        [(where, post)] = place.rows("SELECT place, platform_id FROM report_run")
        assert (where, post) == ("slack:@U8", "U8:1")


async def test_every_day_has_its_own_and_a_day_without_use_is_silent(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        at.spend(FIRST + 2 * DAY)
        await scheduled(at)
        for day in range(3):
            at.at(NINE + day * DAY)
            await at.process.round()
        assert at.dates() == [FIRST, FIRST + 2 * DAY]
        assert [outcome for _, _, outcome, _ in at.runs()] == ["posted", "silent", "posted"]
        await at.choices.switch(TEAM, "zero_days", on=True)
        at.at(NINE + 3 * DAY)
        await at.process.round()
        assert at.dates()[-1] == FIRST + 3 * DAY


async def test_after_a_downtime_only_the_latest_comes_and_counts_those_missed(place: Place) -> None:
    async with office(place) as at:
        for day in range(5):
            at.spend(FIRST + day * DAY)
        await scheduled(at)
        at.at(NINE + 4 * DAY)
        await at.another().round()
        [(_, report)] = at.posts()
        assert (report.last, report.missed) == (FIRST + 4 * DAY, 4)
        at.clock.advance(3600)
        await at.process.round()
        assert len(at.posts()) == 1


async def test_many_processes_post_each_once(place: Place) -> None:
    async with office(place) as at:
        for key in (TEAM, OTHER):
            at.spend(FIRST, key)
        await scheduled(at)
        at.at(NINE)
        processes = [at.another() for _ in range(5)]
        for _ in range(3):
            await asyncio.gather(*(process.round() for process in processes))
        assert sorted(to for to, _ in at.posts()) == ["77", "U8"]


async def test_a_report_whose_maker_died_is_made_by_another(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        at.at(NINE)
        await at.process.reports.open()
        place.change("UPDATE report_run SET tries = 1, claimed_until = '2026-11-24 09:02:00'")
        await at.another().round()
        assert at.posts() == [], "somebody may still be at it"
        at.clock.advance(121)
        await at.another().round()
        assert at.dates() == [FIRST]


async def test_figures_are_frozen_before_the_post(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST, cost=1_000)
        await scheduled(at)
        at.at(NINE)
        at.slack.closed["U8"] = PlatformUnavailable("away")
        await at.process.round()
        at.spend(FIRST, cost=5_000)
        del at.slack.closed["U8"]
        at.clock.advance(60)
        await at.another().round()
        assert [report.cost for _, report in at.posts()] == [1_000]


async def test_one_that_arrived_though_its_call_failed_is_not_posted_again(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        at.at(NINE)
        at.slack.unsure = [PlatformUnavailable("502")]
        await at.process.round()
        at.clock.advance(60)
        await at.another().round()
        assert at.dates() == [FIRST]
        assert at.runs()[0][2] == "posted"


async def test_where_nobody_can_look_it_is_rather_not_posted_than_twice(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        at.at(NINE)
        at.slack.unsure = [PlatformUnavailable("502")]
        at.slack.blind = PlaceForbidden("no", code="missing_scope")
        await at.process.round()
        at.clock.advance(60)
        await at.another().round()
        assert at.dates() == [FIRST]
        assert place.rows("SELECT failure FROM announcement WHERE place IS NOT NULL") == [("unclear",)]
        assert await figures.unclear(at.database, TEAM, at.clock.now()) == UnclearReport(TEAM, "daily", FIRST)
        seen = await figures.view(at.database, TEAM, "U1", at.clock.now(), Terms.of(place.settings()))
        assert "daily report of 23 November 2026 may not have arrived" in usage_text(seen)
        assert await figures.unclear(at.database, TEAM, at.clock.now() + timedelta(days=8)) is None


async def test_one_that_may_have_arrived_is_not_sent_elsewhere_by_the_next_process(place: Place) -> None:
    """The process ends after it has found that it cannot tell, and before it has said so of the whole report."""
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        at.at(NINE)
        at.slack.unsure = [PlatformUnavailable("502")]
        at.slack.blind = PlaceForbidden("no", code="missing_scope")
        await at.process.round()
        at.clock.advance(60)
        await at.another().round()
        undone = "UPDATE announcement SET ended_at = NULL, claimed_until = NULL WHERE place IS NULL"
        with place.connected() as connection:
            connection.execute(text(undone))
            connection.commit()
        at.clock.advance(60)
        await at.another().round()
        assert place.rows("SELECT failure FROM announcement WHERE place IS NULL") == [(None,)]
        assert at.dates() == [FIRST]


async def test_one_that_arrived_is_never_called_unclear(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        at.at(NINE)
        await at.process.round()
        assert at.dates() == [FIRST]
        assert await figures.unclear(at.database, TEAM, at.clock.now()) is None


@pytest.mark.parametrize("shown", [True, False])
async def test_a_report_that_names_people_is_written_down_as_a_look_at_them(place: Place, shown: bool) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        await at.choices.switch(TEAM, "people", on=shown)
        at.at(NINE)
        await at.process.round()
        await at.another().round()
        assert place.rows("SELECT what, viewed_by FROM people_view") == [("report", None)] * shown


async def test_a_channel_that_is_gone_is_told_once_and_the_report_goes_to_the_admins(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await at.choices.choose_channel(TEAM, "C7")
        await scheduled(at)
        at.slack.closed["C7"] = PlaceGone("gone")
        at.at(NINE)
        await at.process.round()
        await at.process.round()
        assert [to for to, _ in at.posts()] == ["U8"]
        lost = [to for to, one, _ in at.slack.announced if one.notice.name == "report_place_lost"]
        assert lost == ["U8"]


async def test_what_is_chosen_holds_from_the_next_look_on(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        at.spend(SECOND)
        await scheduled(at)
        await at.choices.choose_hour(TEAM, 7)  # which is past: today's is due now
        await at.process.round()
        assert at.dates() == [FIRST]
        await at.choices.choose_hour(TEAM, 23)
        at.at(NINE)
        await at.process.round()
        assert at.dates() == [FIRST], "the next is about the second day"
        await at.choices.turn_off(TEAM)
        at.at(NINE + 2 * DAY)
        await at.process.round()
        assert at.dates() == [FIRST]
        holding = await at.choices.turn(TEAM, "weekly", on=True)
        assert [kind for kind, _ in holding.following] == ["weekly"]
        at.at(NINE + 7 * DAY + timedelta(hours=15))
        await at.process.round()
        assert [(report.kind, report.last) for _, report in at.posts()][1:] == [], (
            "the week's begins after it was wanted"
        )


async def test_a_zone_moves_the_hour(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        place.change("UPDATE workspace SET zone = 'America/New_York'")
        at.at(NINE + timedelta(hours=4, minutes=59))
        await at.process.round()
        assert at.posts() == []
        at.at(NINE + timedelta(hours=5))
        await at.process.round()
        assert at.dates() == [FIRST]


async def test_a_muted_week_is_skipped_and_not_counted_as_missed(place: Place) -> None:
    async with office(place) as at:
        for day in range(9):
            at.spend(FIRST + day * DAY)
        await scheduled(at)
        await at.choices.mute(TEAM)
        for day in range(8):
            at.at(NINE + day * DAY)
            await at.process.round()
        [(_, report)] = at.posts()
        assert (report.last, report.missed) == (FIRST + 7 * DAY, 0)


async def test_posted_by_hand_it_is_posted_once_and_not_by_the_hour_again(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        await scheduled(at)
        assert (await at.process.reports.post_now(TEAM))[0] == "announced"
        await at.process.round()
        assert (await at.process.reports.post_now(TEAM, on=FIRST))[0] == "before"
        at.at(NINE)
        await at.process.round()
        assert at.dates() == [FIRST]


async def test_a_day_that_is_not_over_is_looked_at_and_never_posted(place: Place) -> None:
    async with office(place) as at:
        at.spend(SECOND, cost=42)
        at.at(NINE)
        assert (await at.process.reports.report(TEAM, on=SECOND)).cost == 42
        with pytest.raises(WrongUse, match="not over yet"):
            await at.process.reports.post_now(TEAM, on=SECOND)
        with pytest.raises(WrongUse, match="Nothing is known"):
            await at.process.reports.report(OTHER)


async def test_a_silent_day_can_be_posted_by_hand(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST - DAY)
        await scheduled(at)
        at.at(NINE)
        await at.process.round()
        assert at.runs()[0][2] == "silent"
        assert (await at.process.reports.post_now(TEAM))[0] == "announced"
        await at.process.round()
        assert at.dates() == [FIRST]


async def test_without_a_platform_nothing_is_opened(place: Place) -> None:
    async with office(place) as at:
        at.spend(FIRST)
        at.platforms.clear()
        at.at(NINE + DAY)
        await at.process.round()
        assert at.runs() == []
        assert await Pictures(program=None).draw(await at.process.reports.report(TEAM)) is None
