"""What people choose about reports, and what the buttons below them do; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from bots.report_desk import ReportDesk
from core.budgets.limits import Budgets
from core.budgets.terms import Terms
from core.messages import Person, Press, Pressed, WorkspaceKey
from core.reports.buttons import ReportButtons
from core.reports.choices import ReportChoices
from core.reports.desk import Reports
from tests.databases import Place
from tests.fakes import TEAM
from tests.report_office import Office, office

ADA, GRACE = Person("U1", "Ada", admin=True), Person("U2", "Grace")
GUEST = Person("U3", "Guest", external=True, admin=True)
DM = WorkspaceKey("discord", "dm")


class Desked:
    """As much of the core as the desk needs."""

    def __init__(self, at: Office) -> None:
        self._at = at

    @property
    def reports(self) -> Reports:
        return self._at.process.reports

    @property
    def report_choices(self) -> ReportChoices:
        return self._at.choices


@pytest.mark.parametrize(
    ("typed", "column", "value"),
    [
        ("hour 8", "report_hour", 8),
        ("hour 08:00", "report_hour", 8),
        ("Hour 0", "report_hour", 0),
        ("channel C77", "report_channel", "C77"),
        ("off", "report_kinds", ""),
        ("daily off", "report_kinds", ""),
        ("weekly on", "report_kinds", "daily,weekly"),
        ("monthly ON", "report_kinds", "daily,monthly"),
        ("weekdays on", "report_weekdays_only", 1),
        ("zero-days on", "report_zero_days", 1),
        ("people on", "report_people", 1),
    ],
)
async def test_what_is_typed_is_chosen(place: Place, typed: str, column: str, value: Any) -> None:
    async with office(place) as at:
        assert (await ReportDesk(Desked(at), "slack").run(TEAM, typed, ADA)).startswith("Done. ")
        assert place.rows(f"SELECT {column} FROM workspace_setting") == [(value,)]  # noqa: S608 - a name


@pytest.mark.parametrize(
    "typed", ["hour", "hour 24", "hour -1", "hour 8.5", "hour nine", "channel", "channel #x", "daily", "daily maybe",
              "hourly on", "mute forever", "off please", "now!", "channel <script>", "x" * 4000],
)  # fmt: skip
async def test_what_makes_no_sense_changes_nothing_and_says_what_does(place: Place, typed: str) -> None:
    async with office(place) as at:
        told = await ReportDesk(Desked(at), "slack").run(TEAM, typed, ADA)
        assert "rite" in told
        assert "Done" not in told
        assert place.rows("SELECT * FROM workspace_setting") == []


async def test_only_admins_choose_and_everybody_may_look(place: Place) -> None:
    async with office(place) as at:
        desk = ReportDesk(Desked(at), "discord")
        assert "Only an admin" in await desk.run(TEAM, "hour 8", GRACE)
        assert "Only an admin" in await desk.run(TEAM, "now", GRACE)
        assert "every day at 09:00" in await desk.run(TEAM, "", GRACE)
        assert "`/bise-admin report`" in await desk.run(TEAM, "", GRACE)


async def test_a_choice_can_be_taken_back(place: Place) -> None:
    async with office(place) as at:
        desk = ReportDesk(Desked(at), "slack")
        for typed in ("hour 8", "hour default", "channel C1", "channel default", "mute", "mute off", "off", "on"):
            told = await desk.run(TEAM, typed, ADA)
        assert "09:00" in told
        assert "muted" not in told
        assert (await at.choices.holding(TEAM)).chosen.kinds == ("daily",)


async def test_now_where_nobody_ever_asked_says_so(place: Place) -> None:
    async with office(place) as at:
        assert "nobody there has asked" in await ReportDesk(Desked(at), "slack").run(TEAM, "now", ADA)


async def controls(at: Office) -> dict[str, str]:
    """A report that stands, and its buttons by their kind."""
    at.spend(at.clock.now().date() - timedelta(days=1))
    await at.process.reports.post_now(TEAM)
    await at.process.deliveries.deliver()
    [announced] = [one for _, one, _ in at.slack.announced]
    return {action.kind: action.control for action in announced.actions}


def door(at: Office, **settings: Any) -> ReportButtons:
    chosen = at.place.settings(**at.settings, **settings)
    budgets = Budgets(Terms.of(chosen), at.database, at.clock)
    return ReportButtons(chosen, at.database, at.platforms, budgets, at.choices)


async def pressed(at: Office, control: str, who: Person, key: WorkspaceKey = TEAM, **more: Any) -> Pressed:
    return await door(at, **more.pop("settings", {})).press(Press(key, control, who, **more))


async def test_the_table_is_for_everybody_of_the_workspace_and_nobody_else(place: Place) -> None:
    async with office(place) as at:
        csv = (await controls(at))["csv"]
        done = await pressed(at, csv, GRACE)
        assert done.given is not None
        assert done.given.name == "bise-2026-11-22.csv"
        assert b"2026-11-22,mistral-large-2512,C1,1,900,0,90,1.000000" in done.given.data
        for who, key in ((GUEST, TEAM), (GRACE, WorkspaceKey("slack", "T999")), (GRACE, WorkspaceKey("discord", "5"))):
            refused = await pressed(at, csv, who, key)
            assert (refused.done, refused.given) == (False, None)


async def test_a_limit_is_asked_for_and_set_by_admins_alone(place: Place) -> None:
    async with office(place) as at:
        budget = (await controls(at))["budget"]
        assert (await pressed(at, budget, ADA)).asks == budget
        for typed in (None, "25"):
            for who in (GRACE, GUEST):
                done = await pressed(at, budget, who, typed=typed)
                assert (done.done, done.asks) == (False, None)
        assert place.rows("SELECT * FROM budget_limit") == []
        for wrong in ("", "-1", "0", "5,00", "1e9", "NaN", "1.0000001"):
            done = await pressed(at, budget, ADA, typed=wrong)
            assert not done.done
            assert done.notice is not None
            assert done.notice.name == "wrong_use"
        done = await pressed(at, budget, ADA, typed="25")
        assert done.notice is not None
        assert (done.done, done.notice.values["limit"]) == (True, 25_000_000)
        assert (await pressed(at, budget, ADA, typed="none")).done
        assert place.rows("SELECT limit_microusd FROM budget_limit") == [(None,)]


async def test_muting_is_for_admins_and_for_those_who_run_bise(place: Place) -> None:
    async with office(place) as at:
        mute = (await controls(at))["mute"]
        assert not (await pressed(at, mute, GRACE)).done
        assert (await pressed(at, mute, GRACE, settings={"admins": ("slack:U2",)})).done
        assert (await at.choices.holding(TEAM)).muted
        at.clock.advance(timedelta(days=8).total_seconds())
        assert not (await at.choices.holding(TEAM)).muted


async def test_in_a_direct_message_the_platform_says_who_is_an_admin(place: Place) -> None:
    async with office(place) as at:
        mute = (await controls(at))["mute"]
        assert (await pressed(at, mute, Person("U8", "Owner"))).done, "whom the platform names"
        assert not (await pressed(at, mute, Person("U8", "Owner"), DM)).done, "another platform's"


async def test_a_button_that_nobody_knows_is_gone(place: Place) -> None:
    async with office(place) as at:
        await controls(at)
        for control in ("csv.x", "mute.", "budget.%"):
            assert door(at).owns(control)
            done = await pressed(at, control, ADA)
            assert done.notice is not None
            assert done.notice.name == "control_gone"
        assert not door(at).owns("top_up.x")
