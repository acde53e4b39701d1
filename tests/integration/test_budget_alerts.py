"""Half, most and all of a limit: announced once each in a period, with what is spent, and never without it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from bots.replies import sentence
from core.budgets import alerts
from core.budgets.terms import Terms
from core.store import budget_tables, budgets, tables, workspaces
from core.store.budgets import Spender
from core.store.database import Connection, Database
from tests.databases import Place, house
from tests.fakes import ADA, T0, TEAM, message

DOLLAR = 1_000_000
TERMS = Terms(100 * DOLLAR, 20 * DOLLAR, None, DOLLAR, None, "UTC")
_budget = budget_tables.Budget.__table__  # type: ignore[attr-defined]
_workspace = tables.Workspace.__table__  # type: ignore[attr-defined]


def spend(cost: int, *, late: timedelta = timedelta(0), zone: str | None = None) -> Callable[[Connection], int]:
    """Ada spends that much in C1, as a settling transaction does it; gives the number of announcements."""

    def settle(connection: Connection) -> int:
        now = T0 + late
        workspace = workspaces.ensure(connection, TEAM, now)
        connection.execute(_workspace.update().values(zone=zone))
        person = workspaces.ensure_person(connection, workspace, ADA)
        rooms = budgets.rooms(connection, Spender(workspace, "C1", person, zone), TERMS, now)
        made = alerts.note(connection, rooms, cost, TERMS, now)
        numbers = [room.number for room in rooms]
        more = _budget.c.spent_microusd + cost
        connection.execute(_budget.update().where(_budget.c.id.in_(numbers)).values(spent_microusd=more))
        return made

    return settle


@pytest.fixture
async def database(place: Place) -> Any:
    opened = place.open()
    yield opened
    await opened.close()


async def told(database: Database) -> list[tuple[int | None, dict[str, Any]]]:
    """Of whose limits, and what."""
    table = budget_tables.Announcement.__table__  # type: ignore[attr-defined]
    rows = await database.read(lambda connection: connection.execute(table.select().order_by(table.c.id)).all())
    return [(row.workspace_id, row.notice["values"]) for row in rows]


async def test_each_part_of_each_limit_is_told_once_however_the_money_goes(database: Database) -> None:
    assert await database.write(spend(DOLLAR // 2 - 1)) == 0
    assert await database.write(spend(1)) == 1
    assert await database.write(spend(0)) == 0
    assert await database.write(spend(DOLLAR * 3 // 10)) == 1
    assert await database.write(spend(DOLLAR)) == 1
    assert await database.write(spend(DOLLAR)) == 0
    assert [values["percent"] for _, values in await told(database)] == [50, 80, 100]
    [(workspace, first), *_] = await told(database)
    assert workspace == 1
    assert (first["scope"], first["period"], first["spent"], first["limit"]) == ("person", "day", DOLLAR // 2, DOLLAR)


async def test_a_workspaces_month_and_the_installations_are_told_to_whom_they_belong(database: Database) -> None:
    await database.write(spend(50 * DOLLAR))
    found = [(workspace, values["scope"], values["percent"]) for workspace, values in await told(database)]
    assert found == [
        *((1, "person", percent) for percent in (50, 80, 100)),
        *((1, "workspace", percent) for percent in (50, 80, 100)),
        (None, "installation", 50),
    ]
    values = {values["scope"]: values["workspace"] for _, values in await told(database)}
    assert values == {"person": "slack:T1", "workspace": "slack:T1", "installation": ""}


async def test_the_next_period_begins_anew_in_the_workspaces_zone(database: Database) -> None:
    assert await database.write(spend(DOLLAR, zone="Asia/Kathmandu")) == 3
    assert await database.write(spend(DOLLAR, zone="Asia/Kathmandu", late=timedelta(hours=6, minutes=15))) == 3
    resets = [values["resets"] for _, values in await told(database)]
    assert resets == ["2026-11-24T00:00:00+05:45"] * 3 + ["2026-11-25T00:00:00+05:45"] * 3


async def test_whose_figures_these_are_is_told_where_the_workspace_wants_that(place: Place, database: Database) -> None:
    await database.write(spend(DOLLAR // 2))
    with place.connected() as connection:
        setting = budget_tables.WorkspaceSetting.__table__  # type: ignore[attr-defined]
        connection.execute(setting.insert().values(workspace_id=1, show_people=True))
        connection.commit()
    await database.write(spend(DOLLAR // 2))
    assert [values["who"] for _, values in await told(database)] == ["", "U1", "U1"]


async def test_what_is_not_kept_is_not_told(database: Database) -> None:
    def broken(connection: Connection) -> None:
        spend(DOLLAR)(connection)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await database.write(broken)
    assert await told(database) == []


async def test_what_is_taken_back_reaches_nothing(database: Database) -> None:
    await database.write(spend(DOLLAR))
    assert await database.write(spend(-DOLLAR)) == 0
    assert await database.write(spend(DOLLAR)) == 0, "once for each period"
    assert len(await told(database)) == 3


async def test_an_answer_that_reaches_a_part_tells_the_admins_of_it(place: Place) -> None:
    async with house(place, user_daily_budget=DOLLAR, report_channel=("slack:C9",)) as home:
        await home.hear(message("One", "1"))
        place.change("UPDATE budget SET spent_microusd = 799999 WHERE place LIKE 'person:%' AND kind = 'day'")
        await home.hear(message("Two", "2"), message("Three", "3"))
        assert home.platform.told() == []
        await home.core.deliver()
        [(to, announcement, privately)] = home.platform.announced
        values = announcement.notice.values
        assert (to, privately, values["scope"], values["percent"]) == ("C9", False, "person", 80)
        words = sentence(announcement.notice, platform="slack")
        assert "80 %" in words
        assert "$1.00" in words
        assert "U1" not in words


async def test_a_limit_that_refuses_as_nearly_all_is_spent_is_told_as_used_up_once(place: Place) -> None:
    async with house(place, user_daily_budget=DOLLAR, report_channel=("slack:C9",)) as home:
        await home.hear(message("One", "1"))
        place.change("UPDATE budget SET spent_microusd = 999950 WHERE place LIKE 'person:%' AND kind = 'day'")
        await home.hear(message("Two", "2"))
        await home.hear(message("Three", "3"))
        assert home.rows("SELECT count(*) FROM turn WHERE refused_by = 'person'") == [(2,)]
        await home.core.deliver()
        [(_, announcement, _)] = home.platform.announced
        values = announcement.notice.values
        assert (values["scope"], values["percent"], values["spent"]) == ("person", 100, 999_950)
    assert place.rows("SELECT count(*) FROM announcement WHERE name LIKE 'alert:%:100'") == [(1,)]


async def test_a_question_that_is_too_long_for_a_limit_does_not_tell_that_it_is_used_up(place: Place) -> None:
    async with house(place, user_daily_budget=100) as home:
        await home.hear(message())
        assert home.platform.told() == ["budget_refused"]
    assert place.rows("SELECT count(*) FROM announcement") == [(0,)]


async def test_what_others_hold_is_not_used_up(database: Database) -> None:
    def refuse(connection: Connection) -> int:
        workspace = workspaces.ensure(connection, TEAM, T0)
        spender = Spender(workspace, "C1", workspaces.ensure_person(connection, workspace, ADA))
        budgets.rooms(connection, spender, TERMS, T0)
        held = {"spent_microusd": DOLLAR * 96 // 100, "reserved_microusd": DOLLAR * 4 // 100}
        connection.execute(_budget.update().where(_budget.c.place.like("person:%")).values(**held))
        rooms = budgets.rooms(connection, spender, TERMS, T0)
        return alerts.note_refusal(connection, rooms, DOLLAR * 4 // 100, TERMS, T0)

    assert await database.write(refuse) == 0
