"""`bise budget` and the figures that go with it, as people and programs run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bots.__main__ import parser
from tests.fakes import new_database, rows
from tests.unit.test_cli import Ran, at_once, bise

SET = ("budget", "set", "--workspace", "local:cli", "--per", "month", "--limit")


def lines(ran: Ran) -> dict[tuple[str | None, str, str], dict[str, Any]]:
    """What `bise budget show --json` prints, by workspace, scope and period."""
    found = json.loads(ran.out)
    assert list(found) == ["budgets"]
    for line in found["budgets"]:
        assert list(line) == [
            "workspace",
            "scope",
            "period",
            "limit_microusd",
            "spent_microusd",
            "reserved_microusd",
            "resets_at",
        ]
    return {(line["workspace"], line["scope"], line["period"]): line for line in found["budgets"]}


def at_home(folder: Path) -> dict[str, str]:
    """The settings of a command on a new database in that folder."""
    return {"DATABASE_URL": f"sqlite+aiosqlite:///{new_database(folder)}"}


async def test_bad_input_is_one_clear_sentence_and_status_two(tmp_path: Path) -> None:
    there = ("budget", "set", "--workspace", "slack:T404", "--per", "day", "--limit", "5")
    wrong = {
        (*SET, "-5"): "A limit cannot be negative",
        (*SET, "5,00"): "with a point and without commas",
        there: "Nothing is known of the workspace slack:T404",
        ("budget", "show", "--user", "U1"): "name it, too",
        ("budget", "correct", "7", "--cost", "1"): "There is no call 7",
    }
    environ = at_home(tmp_path)
    for command, ran in zip(wrong, await at_once(tmp_path, *wrong, **environ), strict=True):
        assert ran.status == 2, (command, ran.err)
        assert ran.out == ""
        assert wrong[command] in ran.line
    assert rows(tmp_path / "bise.db", "SELECT count(*) FROM budget_change") == [(0,)]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("budget",), "required: ACTION"),
        (("budget", "set", "--per", "day", "--limit", "5"), "--workspace --installation is required"),
        ((*SET, "5", "--installation"), "not allowed with argument"),
        (("budget", "correct", "first", "--cost", "1"), "'first' is not the number of a call"),
        (("budget", "correct", "9" * 19, "--cost", "1"), "is not the number of a call"),
        (("usage", "--workspace", "local:cli", "--by", "day", "--estimated"), "not allowed with argument"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_status_two(
    command: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(command)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert f"`bise {command[0]}" in line


async def test_limits_are_shown_and_set_as_programs_read_them(tmp_path: Path) -> None:
    environ = at_home(tmp_path) | {"BISE_TIMEZONE": "Europe/Paris"}
    one = ("budget", "set", "--workspace", "local:cli", "--per", "day", "--user", "ada", "--limit", "0.25")
    changed, _ = await at_once(tmp_path, (*SET, "5.00", "--json"), one, **environ)
    told = json.loads(changed.out)
    assert (told["scope"], told["period"], told["limit_microusd"], told["before_microusd"]) == (
        "workspace",
        "month",
        5_000_000,
        20_000_000,
    )
    shown = lines(await bise(tmp_path, "budget", "--json", "show", **environ))
    assert {key: line["limit_microusd"] for key, line in shown.items()} == {
        (None, "installation", "day"): None,
        (None, "installation", "month"): 20_000_000,
        ("local:cli", "workspace", "day"): 2_000_000,
        ("local:cli", "workspace", "month"): 5_000_000,
        ("local:cli", "user:ada", "day"): 250_000,
        ("local:cli", "user:ada", "month"): None,
    }
    assert {line["spent_microusd"] for line in shown.values()} == {0}
    resets = shown[None, "installation", "month"]["resets_at"]
    assert resets.endswith(("-01T00:00:00+01:00", "-01T00:00:00+02:00"))


@pytest.mark.parametrize("action", ["show", "set", "correct"])
def test_every_part_of_budget_has_help_with_an_example_and_json(
    action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(["budget", action, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"Example: bise budget {action}" in " ".join(text.split())
    assert "--json" in text


@pytest.mark.parametrize("workspace", ["local:cli", "discord:dm"])
async def test_what_is_always_there_has_used_nothing_before_its_first_question(tmp_path: Path, workspace: str) -> None:
    told = await bise(tmp_path, "usage", "--workspace", workspace, "--json", **at_home(tmp_path))
    assert told.status == 0, told.err
    assert json.loads(told.out)["total"]["calls"] == 0
