"""Figures are queries over the ledger: what is summed, for whom, for which days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from core import errors
from core.chat import Finish, Usage
from core.errors import WrongUse
from core.messages import LOCAL, Tokens, WorkspaceKey
from core.reports import figures
from tests.databases import Place, house
from tests.fakes import BEN, TEAM, House, ManualClock, ScriptedModel, Step, message, said

DAY = 86_400.0


def told(prompt: int, completion: int, cached: int = 0) -> list[Step]:
    return ["Yes.", Finish("stop", Usage(prompt, completion, cached), "m")]


def total(calls: int, prompt: int, completion: int, cost: int) -> Tokens:
    return Tokens(calls, prompt, completion, 0, cost, 0)


async def three_questions(home: House) -> None:
    """Ada asks in C1, a day later Ben in C1 and Ada in C2: 500, 1000 and 2000 micro-dollars."""
    await home.hear(message())
    home.clock.advance(DAY)
    await home.hear(message(id="2", author=BEN), message(id="3", channel="C2", root="C2:3"))


def model() -> ScriptedModel:
    return ScriptedModel(told(1000, 0), told(2000, 0), told(4000, 0))


async def test_totals_and_their_parts_are_sums_over_the_calls(place: Place) -> None:
    async with house(place, model=model()) as home:
        await three_questions(home)
        database = home.core.database
        by_channel = await figures.table(database, TEAM, by="channel")
        assert by_channel.total == total(3, 7000, 0, 3500)
        assert by_channel.by == (("C2", total(1, 4000, 0, 2000)), ("C1", total(2, 3000, 0, 1500)))
        by_user = await figures.table(database, TEAM, by="user")
        assert [tokens for _, tokens in by_user.by] == [total(2, 5000, 0, 2500), total(1, 2000, 0, 1000)]
        by_day = await figures.table(database, TEAM, by="day")
        assert by_day.by == (("2026-11-23", total(1, 1000, 0, 500)), ("2026-11-24", total(2, 6000, 0, 3000)))
        by_model = await figures.table(database, TEAM, by="model")
        assert by_model.by == (("mistral-large-2512", by_model.total),)


@pytest.mark.parametrize(
    ("since", "until", "calls"),
    [
        (None, None, 3),
        (date(2026, 11, 24), None, 2),
        (None, date(2026, 11, 23), 1),
        (date(2026, 11, 23), date(2026, 11, 24), 3),
        (date(2026, 11, 25), None, 0),
    ],
)
async def test_both_ends_of_a_span_are_included(
    place: Place, since: date | None, until: date | None, calls: int
) -> None:
    async with house(place, model=model()) as home:
        await three_questions(home)
        table = await figures.table(home.core.database, TEAM, since=since, until=until)
        assert table.total.calls == calls


async def test_one_workspace_never_sees_anothers_figures(place: Place) -> None:
    async with house(place, model=model()) as home:
        await home.hear(message(), message(workspace=WorkspaceKey("slack", "T2")))
        table = await figures.table(home.core.database, TEAM, by="user")
        assert table.total.calls == 1


async def test_a_workspace_of_which_nothing_is_known_is_told_so(place: Place) -> None:
    async with house(place) as home:
        with pytest.raises(WrongUse, match="Nothing is known of the workspace slack:T1"):
            await figures.table(home.core.database, TEAM)
        assert (await figures.table(home.core.database, LOCAL)).total == Tokens()  # there before its first question
        view = await home.core.usage_today_and_month(LOCAL, "U1")
        assert (view.today, view.month, view.mine) == (Tokens(), Tokens(), Tokens())


async def test_a_person_sees_today_the_month_and_their_own_part(place: Place) -> None:
    async with house(place, model=model()) as home:
        await three_questions(home)
        view = await home.core.usage_today_and_month(TEAM, "U2")
        assert view.today == total(2, 6000, 0, 3000)
        assert view.month == total(3, 7000, 0, 3500)
        assert view.mine == total(1, 2000, 0, 1000)
        assert (await home.core.usage_today_and_month(TEAM, "U404")).mine == Tokens()
        assert (await home.core.usage_today_and_month(TEAM, None)).mine == Tokens()


async def test_a_call_belongs_to_the_day_of_the_workspaces_zone(place: Place) -> None:
    new_years_eve = ManualClock(datetime(2026, 12, 31, 23, 30, tzinfo=UTC))
    async with house(place, clock=new_years_eve, timezone="Europe/Paris") as home:
        await home.hear(message())
        periods = home.rows("SELECT local_date, day_period, month_period FROM usage")
        assert periods == [("2027-01-01", "2027-01-01", "2027-01")]
        view = await home.core.usage_today_and_month(TEAM, None)
        assert (view.today.calls, view.month.calls) == (1, 1)


async def test_what_is_estimated_is_told_apart(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(1000, 0), ["Y", errors.StreamCut()])) as home:
        await home.hear(message(), message(id="2"))
        table = await figures.table(home.core.database, TEAM)
        assert table.total.calls == 2
        assert 0 < table.total.estimated_microusd == table.total.cost_microusd - 500


async def test_a_finish_without_usage_is_an_estimate_not_nothing(place: Place) -> None:
    async with house(place, model=ScriptedModel(["Yes.", Finish("stop", None, "m")])) as home:
        await home.hear(message())
        assert home.rows("SELECT outcome, estimated, prompt_tokens > 20, cost_microusd > 0 FROM usage") == [
            ("ok", 1, 1, 1)
        ]


async def test_a_part_of_a_micro_dollar_is_rounded_up_once(place: Place) -> None:
    async with house(place, model=ScriptedModel(told(1, 1, 1))) as home:
        await home.hear(message())
        assert home.rows("SELECT cost_microusd FROM usage") == [(2,)], "0.05 + 1.5"


async def test_a_conversation_tells_its_own_cost_and_a_turn_its_own(place: Place) -> None:
    async with house(place, model=model()) as home:
        accepted = await home.hear(message(), message(id="2"), said("cost", "3", mentioned=True))
        answer = home.platform.answers[2]
        assert answer is not None
        assert dict(answer.notices[0].values) == {"calls": 1, "tokens": 1000, "microusd": 500, "free": 0}
        assert accepted[1].turn is not None
        assert await home.core.cost_of(TEAM, accepted[1].turn) == total(1, 2000, 0, 1000)
        assert await home.core.cost_of(replace(TEAM, id="T404"), accepted[1].turn) == Tokens()
