"""Whose figures are seen by whom: one's own always, those of others never by name until their workspace says so."""

from __future__ import annotations

from dataclasses import replace

from core.budgets.terms import Terms
from core.budgets.workspace_settings import WorkspaceSettings
from core.chat import Finish, Usage
from core.messages import DISCORD_DM, LOCAL, ConversationKind, Tokens
from core.reports import figures
from tests.databases import HouseAt, Place, house
from tests.fakes import ADA, BEN, ROOT, TEAM, FakePlatform, ScriptedModel, Step, direct, message


def told(prompt: int) -> list[Step]:
    return ["Yes.", Finish("stop", Usage(prompt, 0, 0), "m")]


def model() -> ScriptedModel:
    return ScriptedModel(told(1000), told(2000), told(4000))


def total(calls: int, prompt: int) -> Tokens:
    return Tokens(calls, prompt, 0, 0, prompt // 2, 0)


async def show_people(home: HouseAt) -> None:
    await WorkspaceSettings(home.core.database, home.clock).show_people(TEAM, shown=True)


async def test_people_are_numbers_until_their_workspace_shows_them(place: Place) -> None:
    async with house(place, model=model()) as home:
        await home.hear(message(), message(id="2", author=BEN))
        table = await figures.table(home.core.database, TEAM, by="user")
        assert table.by == (("person 1", total(1, 2000)), ("person 2", total(1, 1000)))
        assert table.pseudonyms
        await show_people(home)
        table = await figures.table(home.core.database, TEAM, by="user")
        assert table.by == (("U2", total(1, 2000)), ("U1", total(1, 1000)))
        assert not table.pseudonyms


async def test_direct_messages_are_one_channel_until_their_workspace_shows_people(place: Place) -> None:
    async with house(place, model=model()) as home:
        await home.hear(direct("Hi", "1"), direct("Ho", "2", author=BEN, channel="D2"), message(id="3"))
        table = await figures.table(home.core.database, TEAM, by="channel")
        assert table.by == (("C1", total(1, 4000)), ("direct messages", total(2, 3000)))
        await show_people(home)
        table = await figures.table(home.core.database, TEAM, by="channel")
        assert [name for name, _ in table.by] == ["C1", "D2", "D1"]


async def test_each_look_at_people_by_name_is_written_down(place: Place) -> None:
    async with house(place, model=model()) as home:
        await home.hear(message())
        now = home.clock.now()
        await figures.named_people(home.core.database, TEAM, "usage", by=None, now=now)
        await figures.named_people(home.core.database, TEAM, "usage", by=ROOT, now=now)
        looked = home.rows(
            "SELECT external_id, what FROM people_view LEFT JOIN person ON person.id = viewed_by "
            "ORDER BY people_view.id"
        )
        assert looked == [(None, "usage"), ("U9", "usage")], "an admin who has never asked anything is named as well"


async def test_the_terminal_names_its_own_people_and_writes_nothing_down(place: Place) -> None:
    async with house(place, model=model(), platform=FakePlatform("local")) as home:
        await home.hear(message(workspace=LOCAL, kind=ConversationKind.TERMINAL, channel="terminal"))
        table = await figures.table(home.core.database, LOCAL, by="user")
        assert [name for name, _ in table.by] == ["U1"]
        await figures.named_people(home.core.database, LOCAL, "usage", by=None, now=home.clock.now())
        assert home.rows("SELECT count(*) FROM people_view") == [(0,)]


async def test_a_person_sees_the_limits_and_the_dearest_models_and_channels(place: Place) -> None:
    async with house(place, model=model(), monthly_budget=1_000_000) as home:
        await home.hear(message(), message(id="2", author=BEN, channel="C2"), direct("Ho", "3", author=BEN))
        view = await home.core.usage_today_and_month(TEAM, "U1")
        lines = [(line.scope, line.period, line.limit, line.spent, line.left) for line in view.limits]
        assert lines == [
            ("workspace", "day", 100_000, 3500, 96_500),
            ("workspace", "month", 1_000_000, 3500, 996_500),
            ("user:U1", "day", 50_000, 500, 49_500),
            ("user:U1", "month", None, 500, None),
        ]
        assert view.models == (("mistral-large-2512", total(3, 7000)),)
        assert [name for name, _ in view.channels] == ["direct messages", "C2", "C1"]


async def test_in_discords_direct_messages_everybody_sees_their_own_alone(place: Place) -> None:
    async with house(place, model=model(), platform=FakePlatform("discord")) as home:
        await home.hear(
            direct("Hi", "1", workspace=DISCORD_DM), direct("Ho", "2", workspace=DISCORD_DM, author=BEN, channel="D2")
        )
        view = await home.core.usage_today_and_month(DISCORD_DM, "U2")
        assert view.today == view.month == view.mine == total(1, 2000)
        assert {line.scope for line in view.limits} == {"user:U2"}
        assert view.channels == (("D2", total(1, 2000)),)
        stranger = await home.core.usage_today_and_month(DISCORD_DM, "U3")
        assert (stranger.month, stranger.models, stranger.channels) == (Tokens(), (), ())


async def test_a_new_person_in_a_new_workspace_has_limits_and_nothing_spent(place: Place) -> None:
    async with house(place) as home:
        view = await figures.view(home.core.database, TEAM, "U1", home.clock.now(), Terms.of(home.core.settings))
        assert [(line.limit, line.spent) for line in view.limits] == [
            (2_000_000, 0),
            (20_000_000, 0),
            (1_000_000, 0),
            (None, 0),
        ]


async def test_a_post_tells_what_its_answer_has_cost(place: Place) -> None:
    async with house(place, model=model()) as home:
        await home.hear(message(), message(id="2", author=ADA))
        database = home.core.database
        cost = await figures.cost_of_post(database, TEAM, "post-of-2")
        assert cost is not None
        assert cost.tokens == total(1, 2000)
        assert len(cost.models) == 1
        assert await figures.cost_of_post(database, TEAM, "post-of-9") is None
        assert await figures.cost_of_post(database, replace(TEAM, id="T2"), "post-of-2") is None
