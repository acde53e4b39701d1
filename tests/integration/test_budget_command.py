"""What `bise budget` and `bise usage` print, on either database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bots.terminal import budget, figures
from core import errors
from core.chat import Finish, Usage
from core.messages import LOCAL
from tests.databases import Place, house
from tests.fakes import TEAM, ScriptedModel, Step, message

Printed = Callable[[], dict[str, Any]]
CUT: list[Step] = ["Y", errors.StreamCut()]


def told(prompt: int) -> list[Step]:
    return ["Yes.", Finish("stop", Usage(prompt, 0, 0), "m")]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """What was printed last, read as JSON."""
    return lambda: dict(json.loads(capsys.readouterr().out.splitlines()[-1]))


def of(scope: str, period: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    (line,) = [line for line in lines if (line["scope"], line["period"]) == (scope, period)]
    return line


async def test_the_json_of_budgets_is_as_the_contract_has_it(place: Place, printed: Printed) -> None:
    async with house(place, model=ScriptedModel(told(2000)), timezone="Europe/Paris") as home:
        await home.hear(message())
        assert await budget.show(home.core.settings, None, as_json=True, clock=home.clock) == 0
        lines = printed()["budgets"]
        assert [list(line.values()) for line in lines] == [
            [None, "installation", "day", None, 1000, 0, "2026-11-24T00:00:00+01:00"],
            [None, "installation", "month", 20_000_000, 1000, 0, "2026-12-01T00:00:00+01:00"],
            ["slack:T1", "workspace", "day", 2_000_000, 1000, 0, "2026-11-24T00:00:00+01:00"],
            ["slack:T1", "workspace", "month", 20_000_000, 1000, 0, "2026-12-01T00:00:00+01:00"],
        ]
        assert list(lines[0]) == [
            "workspace",
            "scope",
            "period",
            "limit_microusd",
            "spent_microusd",
            "reserved_microusd",
            "resets_at",
        ]


async def test_people_read_limits_as_a_table(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(place, model=ScriptedModel(told(100_000))) as home:
        await home.hear(message())
        capsys.readouterr()
        assert await budget.show(home.core.settings, None, as_json=False, clock=home.clock) == 0
    heads, first, *_, last = capsys.readouterr().out.splitlines()
    assert heads.split() == ["where", "scope", "per", "limit", "spent", "held", "left", "resets"]
    assert first.split() == ["installation", "day", "none", "$0.05", "$0.00", "–", "2026-11-24", "00:00+00:00"]
    month = ["slack:T1", "workspace", "month", "$20.00", "$0.05", "$0.00", "$19.95", "2026-12-01", "00:00+00:00"]
    assert last.split() == month


async def test_a_limit_below_what_is_spent_is_said(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(place, model=ScriptedModel(told(100_000))) as home:
        await home.hear(message())
        settings = home.core.settings
        capsys.readouterr()
        await budget.set_limit(settings, TEAM, "month", 10_000, as_json=False, clock=home.clock)
        said, consequence = capsys.readouterr().out.splitlines()
        assert said == "slack:T1, workspace: $0.01 a month from now on (before: $20.00)."
        assert consequence == (
            "All of it is used already ($0.05 spent, $0.00 held): "
            "new questions are refused until 2026-12-01 00:00+00:00."
        )
        await budget.set_limit(settings, TEAM, "day", 10_000, person="U1", as_json=False, clock=home.clock)
        said, consequence = capsys.readouterr().out.splitlines()
        assert said == "slack:T1, user:U1: $0.01 a day from now on (before: $1.00)."
        assert "$" not in consequence, "what a person spends is theirs to know"
        await budget.set_limit(settings, None, "month", None, as_json=False, clock=home.clock)
        assert capsys.readouterr().out == "installation: no limit a month from now on (before: $20.00).\n"


async def test_what_single_people_spend_is_shown_and_noted_once_their_workspace_says_so(
    place: Place, printed: Printed
) -> None:
    async with house(place, model=ScriptedModel(told(1000))) as home:
        await home.hear(message())
        settings = home.core.settings
        await budget.set_limit(settings, TEAM, "day", 5_000, person="U1", as_json=True, clock=home.clock)
        assert printed()["spent_microusd"] is None
        await budget.show(settings, TEAM, as_json=True, clock=home.clock)
        hidden = of("user:U1", "day", printed()["budgets"])
        assert (hidden["limit_microusd"], hidden["spent_microusd"], hidden["reserved_microusd"]) == (5_000, None, None)
        await figures.usage(settings, TEAM, since=None, until=None, by="user", as_json=True)
        assert [row["user"] for row in printed()["by"]] == ["person 1"]
        assert home.rows("SELECT count(*) FROM people_view") == [(0,)]
        place.change("INSERT INTO workspace_setting (workspace_id, show_people) VALUES (1, true)")
        await budget.show(settings, TEAM, as_json=True, clock=home.clock)
        assert of("user:U1", "day", printed()["budgets"])["spent_microusd"] == 500
        await figures.usage(settings, TEAM, since=None, until=None, by="user", as_json=True)
        assert [row["user"] for row in printed()["by"]] == ["U1"]
        assert home.rows("SELECT what, viewed_by FROM people_view ORDER BY id") == [("budgets", None), ("usage", None)]


async def test_the_terminals_own_people_are_always_shown(place: Place, printed: Printed) -> None:
    async with house(place) as home:
        await budget.show(home.core.settings, LOCAL, person="ada", as_json=True, clock=home.clock)
        assert of("user:ada", "day", printed()["budgets"])["spent_microusd"] == 0


async def test_an_estimate_is_found_by_its_number_and_put_right(
    place: Place, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    async with house(place, model=ScriptedModel(CUT)) as home:
        await home.hear(message())
        settings = home.core.settings
        await figures.estimated(settings, TEAM, since=None, until=None, as_json=True)
        (call,) = printed()["calls"]
        assert (call["model"], call["day"], call["outcome"]) == ("mistral-large-2512", "2026-11-23", "stream_cut")
        assert call["estimated_microusd"] == call["cost_microusd"] > 0
        await figures.estimated(settings, TEAM, since=None, until=None, as_json=False)
        shown = capsys.readouterr()
        assert shown.out.splitlines()[1].split()[0] == str(call["call"])
        assert f"`bise budget correct {call['call']} --cost 0.0123`" in shown.err
        await budget.correct(settings, call["call"], 12_300, as_json=True)
        assert printed() == {"call": call["call"], "before_microusd": call["cost_microusd"], "cost_microusd": 12_300}
        await budget.correct(settings, call["call"], 20_000, as_json=False)
        assert capsys.readouterr().out == f"Call {call['call']} counts $0.02 from now on (before: $0.01).\n"
        await figures.estimated(settings, TEAM, since=None, until=None, as_json=False)
        assert capsys.readouterr().err.endswith("The cost of every call is known.\n")
        await figures.usage(settings, TEAM, since=None, until=None, by="model", as_json=True)
        total = printed()["total"]
        assert (total["calls"], total["cost_microusd"], total["estimated_microusd"]) == (1, 20_000, 0)
