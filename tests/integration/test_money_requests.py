""" "Ask an admin": who was refused asks once, and an admin adds money once."""

from __future__ import annotations

import asyncio
from typing import Any

from core.errors import PlatformUnavailable
from core.messages import DISCORD_DM, LOCAL, Announcement, Answer, Notice, Person, Press, Pressed, WorkspaceKey
from tests.databases import HouseAt, Place, house
from tests.fakes import ADA, BEN, ROOT, TEAM, FakePlatform, message
from tests.world import soon

FIVE = 5_000_000
LITTLE = 100  # micro-dollars, for which there is no answer
BOSS = Person("U8", "Boss", admin=True)
GUILD = WorkspaceKey("discord", "700")


async def refused(home: HouseAt, id: str = "1", **more: Any) -> Answer:  # noqa: A002
    """What Ada is told when her question finds no money."""
    await home.hear(message(id=id, **more))
    answer = home.platform.answers[-1]
    assert answer is not None
    assert home.platform.told() == ["budget_refused"]
    return answer


async def press(home: HouseAt, control: str, person: Person = ADA, key: WorkspaceKey = TEAM) -> Pressed:
    return await home.core.press(Press(key, control, person))


def said(pressed: Pressed) -> str:
    return pressed.notice.name if pressed.notice else ""


async def asked(home: HouseAt, **more: Any) -> str:
    """Ada is refused and asks an admin; gives the button that the admins are shown."""
    control = (await refused(home, **more)).ask_admin
    assert said(await press(home, control, key=more.get("workspace", TEAM))) == "asked_admin"
    [announcement] = await announced(home)
    [action] = announcement.actions
    assert action.kind == "top_up"
    return action.control


async def announced(home: HouseAt) -> list[Announcement]:
    before = len(home.platform.announced)
    await home.core.deliver()
    return [announcement for _, announcement, _ in home.platform.announced[before:]]


def extras(home: HouseAt) -> list[tuple[Any, ...]]:
    """What was added, and to which periods."""
    return home.rows("SELECT place, kind, period, extra_microusd FROM budget WHERE extra_microusd > 0 ORDER BY place")


async def test_the_asker_asks_once_for_a_limit_and_admins_read_what_for(place: Place) -> None:
    async with house(place, user_daily_budget=LITTLE, report_channel=("slack:C9",)) as home:
        control = (await refused(home)).ask_admin
        assert said(await press(home, control, BEN)) == "ask_admin_not_yours"
        assert said(await press(home, control, ROOT)) == "ask_admin_not_yours", "an admin has better buttons"
        assert said(await press(home, control)) == "asked_admin"
        assert said(await press(home, control)) == "asked_admin_before"
        again = (await refused(home, "2")).ask_admin
        assert again != control
        assert said(await press(home, again)) == "asked_admin_before"
        [announcement] = await announced(home)
        values = announcement.notice.values
        assert announcement.notice.name == "budget_request"
        assert (values["who"], values["scope"], values["period"]) == ("Ada", "person", "day")
        assert (values["left"], values["amount"]) == (LITTLE, FIVE)
        assert (values["resets"], values["workspace"]) == ("2026-11-24T00:00:00+00:00", str(TEAM))
        assert await announced(home) == []


async def test_an_admin_adds_five_dollars_once_and_the_next_question_is_answered(place: Place) -> None:
    async with house(place, user_daily_budget=LITTLE, report_channel=("slack:C9",)) as home:
        control = await asked(home)
        for person in (ADA, BEN):
            assert said(await press(home, control, person)) == "top_up_not_yours"
        assert extras(home) == []
        done = await press(home, control, BOSS)
        assert (done.done, done.shown, done.notice) == (True, done.notice, done.shown)
        assert done.shown is not None
        assert (done.shown.name, done.shown.values["by"], done.shown.values["amount"]) == ("top_up_done", "Boss", FIVE)
        assert extras(home) == [
            ("person:1:1", "day", "2026-11-23", FIVE),
            ("workspace:1", "month", "2026-11", FIVE),
        ]
        assert said(await press(home, control, ROOT)) == "top_up_before"
        assert len(extras(home)) == 2
        changes = home.rows(
            "SELECT what, place, person.external_id, local_date FROM budget_change "
            "JOIN person ON person.id = changed_by ORDER BY place"
        )
        assert changes == [
            ("top_up", "person:1:1", "U8", "2026-11-23"),
            ("top_up", "workspace:1", "U8", "2026-11-23"),
        ]
        await home.hear(message(id="2"))
        assert home.platform.told() == []


async def test_pressed_by_many_at_once_it_adds_once(place: Place) -> None:
    async with house(place, user_daily_budget=LITTLE, report_channel=("slack:C9",)) as home:
        control = await asked(home)
        presses = await asyncio.gather(*(press(home, control, person) for person in (BOSS, ROOT) for _ in range(4)))
        assert sum(one.done for one in presses) == 1
        assert sorted({said(one) for one in presses}) == ["top_up_before", "top_up_done"]
        assert [extra for *_, extra in extras(home)] == [FIVE, FIVE]


async def test_who_has_used_that_up_too_may_ask_again(place: Place) -> None:
    async with house(place, user_daily_budget=LITTLE, report_channel=("slack:C9",)) as home:
        await press(home, await asked(home), BOSS)
        place.change("UPDATE budget SET spent_microusd = 5000000 WHERE place = 'person:1:1' AND kind = 'day'")
        control = (await refused(home, "2")).ask_admin
        assert said(await press(home, control)) == "asked_admin"


async def test_where_the_installations_limit_is_in_the_way_only_those_who_run_it_are_asked(place: Place) -> None:
    settings: dict[str, Any] = {
        "user_daily_budget": LITTLE,
        "total_monthly_budget": LITTLE,
        "report_channel": ("slack:C9",),
    }
    async with house(place, admins=("slack:U9",), **settings) as home:
        control = await asked(home)
        assert place.rows("SELECT workspace_id FROM announcement WHERE place IS NULL") == [(None,)]
        denied = await press(home, control, BOSS)
        assert denied.notice == Notice("top_up_not_yours", {"operators": 1})
        assert (await press(home, control, ROOT)).done
        assert extras(home) == [
            ("installation", "month", "2026-11", FIVE),
            ("person:1:1", "day", "2026-11-23", FIVE),
            ("workspace:1", "month", "2026-11", FIVE),
        ]


async def test_where_it_has_come_into_the_way_a_workspaces_admin_adds_nothing(place: Place) -> None:
    settings: dict[str, Any] = {
        "user_daily_budget": LITTLE,
        "total_monthly_budget": FIVE,
        "report_channel": ("slack:C9",),
    }
    async with house(place, admins=("slack:U9",), **settings) as home:
        control = await asked(home)
        place.change("UPDATE budget SET spent_microusd = 5000000 WHERE place = 'installation'")
        assert (await press(home, control, BOSS)).notice == Notice("top_up_not_yours", {"operators": 1})
        assert extras(home) == []
        assert (await press(home, control, ROOT)).done
        assert len(extras(home)) == 3


async def test_where_nobody_could_help_the_asker_is_told_so(place: Place) -> None:
    async with house(place, total_monthly_budget=LITTLE, report_channel=("slack:C9",)) as home:
        control = (await refused(home)).ask_admin
        assert said(await press(home, control)) == "no_admin_to_ask"
        assert await announced(home) == []


async def test_money_is_added_to_the_periods_of_the_press(place: Place) -> None:
    async with house(place, user_daily_budget=LITTLE, report_channel=("slack:C9",)) as home:
        control = await asked(home)
        home.clock.advance(10 * 24 * 3600)
        assert (await press(home, control, BOSS)).done
        assert [(where, period) for where, _, period, _ in extras(home)] == [
            ("person:1:1", "2026-12-03"),
            ("workspace:1", "2026-12"),
        ]


async def test_in_a_direct_message_the_servers_owner_counts_as_its_admin_and_nobody_else(place: Place) -> None:
    platform = FakePlatform("discord")
    platform.admins[GUILD] = ("77",)
    async with house(place, platform=platform, user_daily_budget=LITTLE) as home:
        control = await asked(home, workspace=GUILD)
        assert [(to, privately) for to, _, privately in platform.announced] == [("77", True)]
        assert said(await press(home, control, Person("78", "Eve", admin=True), DISCORD_DM)) == "top_up_not_yours"
        elsewhere = WorkspaceKey("discord", "900")
        assert said(await press(home, control, Person("79", "Mallory", admin=True), elsewhere)) == "top_up_not_yours"
        assert (await press(home, control, Person("77", "Owner"), DISCORD_DM)).done


async def test_a_private_refusal_is_asked_about_from_the_direct_message_that_brought_it(place: Place) -> None:
    async with house(place, platform=FakePlatform("discord"), user_daily_budget=LITTLE) as home:
        control = (await refused(home, workspace=GUILD)).ask_admin
        assert said(await press(home, control, BEN, DISCORD_DM)) == "ask_admin_not_yours"
        assert said(await press(home, control, ADA, WorkspaceKey("discord", "900"))) == "ask_admin_not_yours"
        assert said(await press(home, control, ADA, DISCORD_DM)) == "asked_admin"


async def test_no_button_where_nobody_could_help(place: Place) -> None:
    async with house(place, turn_budget=LITTLE) as home:
        assert (await refused(home)).ask_admin == "", "what one answer may cost is for nobody here to change"
    async with house(place, platform=FakePlatform("local"), user_daily_budget=LITTLE) as home:
        assert (await refused(home, "2", workspace=LOCAL)).ask_admin == ""


async def test_a_refusal_that_is_shown_once_more_has_the_same_button(place: Place) -> None:
    platform = FakePlatform()
    platform.failing = PlatformUnavailable("away")
    async with house(place, platform=platform, user_daily_budget=LITTLE) as home:
        await home.core.accept(message())
        await soon(lambda: bool(place.rows("SELECT id FROM turn WHERE state = 'queued' AND attempt = 1")))
        platform.failing = None
        await home.settled()
        [(control,)] = place.rows("SELECT id FROM control WHERE kind = 'ask_admin'")
        first, second = (reply.answer for reply in platform.replies)
        assert first is None
        assert second is not None
        assert second.ask_admin == control


async def test_unknown_buttons_are_answered(place: Place) -> None:
    async with house(place) as home:
        for control in ("ask.nothing", "top_up.nothing"):
            assert said(await press(home, control)) == "control_gone"
