"""A report in every form: the same figures, within what the platforms take, and pinging nobody."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots import report_headline, report_words
from bots.discord.report_embed import embed
from bots.playground.discord import checks
from bots.playground.slack.blocks import BLOCKS_MAX, buttons, faults
from bots.report_form import linked
from bots.slack.report_blocks import PRESSED, blocks
from core.messages import Action
from core.reports.report import Bar, Forecast, Movement, Ranking, Report, Share
from core.store.ledger import DIRECT
from tests.unit.report_sample import EURO, SUNDAY, report

ACTIONS = (Action("csv", "control-1"), Action("budget", "control-2"), Action("mute", "control-3"))


def headline(made: Report) -> tuple[str, ...]:
    return report_headline.headline(made).lines


def test_the_headline_says_in_a_few_lines_what_an_admin_wants_to_know() -> None:
    assert headline(report()) == (
        "$1.23",
        "$0.31 (34 %) more than the average of the last 4 Sundays",
        "November so far: $8.12 of $20.00 (41 %)",
        "On course for $17.40 ($15.10 to $19.70)",
        "████████▒░░░░░░░░░░░",
        "settled $8.20 · held $0.01 · free $11.79",
    )


def test_the_whole_of_it_is_one_screen() -> None:
    assert len(report_words.text(report()).splitlines()) <= 32


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"before": None, "movement": None, "compared": 0}, "There is nothing to compare it with yet."),
        ({"before": 1_230_000}, "As much as the average of the last 4 Sundays"),
        ({"before": 2_460_000, "compared": 1}, "$1.23 (50 %) less than the last Sunday"),
        ({"before": 0}, "$1.23 more than the average of the last 4 Sundays"),
        ({"limit": None, "bar": None}, "November so far: $8.12, no limit"),
        ({"forecast": None}, "No forecast yet: it takes five whole days."),
        ({"month": 20_000_000}, "The month's limit is used up."),
        (
            {"forecast": Forecast(27_000_000, 25_000_000, 29_000_000, date(2026, 11, 27))},
            "The limit will be reached about Friday, 27 November.",
        ),
        ({"currency": EURO}, "November so far: $8.12 (EUR 7.47) of $20.00 (41 %)"),
        ({"kind": "weekly"}, "$0.31 (34 %) more than the average of the 4 weeks before"),
        ({"kind": "monthly", "compared": 1, "bar": None}, "$0.31 (34 %) more than the month before"),
    ],
)
def test_the_headline_says_what_is_different_this_time(changes: dict[str, object], line: str) -> None:
    assert line in headline(report(**changes))


def test_a_report_says_what_its_days_are() -> None:
    assert report_headline.title(report()) == "Usage on Sunday, 22 November 2026"
    week = report(kind="weekly", first=SUNDAY - timedelta(days=6))
    assert report_headline.title(week) == "Usage from 16 to 22 November 2026"
    over = report(kind="weekly", first=date(2026, 10, 26), last=date(2026, 11, 1))
    assert report_headline.title(over) == "Usage from 26 October to 1 November 2026"
    assert report_headline.title(report(kind="monthly")) == "Usage in November 2026"


def test_what_is_held_shows_however_little_it_is() -> None:
    (bar, _) = headline(report(bar=Bar(20_000_000, 20_000_000, 1)))[-2:]
    assert bar == "█" * 19 + "▒"
    (bar, words) = headline(report(bar=Bar(0, 0, 0)))[-2:]
    assert bar == "░" * 20
    assert words == "settled $0.00 · held $0.00 · free $0.00"


@given(limit=st.integers(0, 10**8), settled=st.integers(-(10**6), 10**9), held=st.integers(0, 10**8))
def test_the_bar_is_always_as_long(limit: int, settled: int, held: int) -> None:
    (bar, _) = headline(report(bar=Bar(limit, settled, held)))[-2:]
    assert len(bar) == 20
    assert bar == "".join(sorted(bar, key="█▒░".index))


def test_amounts_are_said_to_be_at_list_price_and_before_tax() -> None:
    small = report_words.fine_print(report(currency=EURO, partial=("first_day",), missed=2, estimated=0)).lines
    assert "US dollars at list price, before tax." in small
    assert "EUR at 0.92 a dollar." in small
    assert "Bise was first used in this time: it is not whole." in small
    assert "I was away: there is no report of 2 days before this." in small
    assert not any("of it is estimated" in line for line in small)
    assert "$0.03 of it is estimated: the provider has not told the cost." in report_words.fine_print(report()).lines


def test_sections_with_nothing_in_them_are_left_out() -> None:
    nothing = report(
        cost=0, turns=0, calls=0, models=Ranking(), channels=Ranking(), movement=Movement(0, 0, 0, 0), failed=0,
        refused=(), saved=(), first_text_ms=None, topped_up=0, corrections=0, cache_saved=0,
    )  # fmt: skip
    assert nothing.silent
    assert report_words.details(nothing) == ()
    assert headline(nothing)[1] == "Nobody asked me anything."
    assert not report(turns=0, calls=0, cost=0).silent, "somebody was refused"


def test_people_and_their_thumbs_are_shown_only_where_they_are_known() -> None:
    assert "By person" not in report_words.text(report())
    assert "👍" not in report_words.text(report())
    named = report(people=Ranking((Share("Ada", 900_000, None),)), helpful=12, not_helpful=3)
    assert "By person\nAda $0.90" in report_words.text(named)
    assert "👍 12 👎 3" in report_words.text(named)


def test_slack_takes_it_with_its_buttons_and_its_picture() -> None:
    made = blocks(report(), ACTIONS, "F0123")
    assert faults(made) == []
    assert [button.label for button in buttons(made)] == ["CSV", "Change budget", "Mute for a week"]
    assert [button.value for button in buttons(made)] == ["control-1", "control-2", "control-3"]
    assert all(PRESSED.fullmatch(button.action_id) for button in buttons(made))
    picture = next(block for block in made if block["type"] == "image")
    assert picture["slack_file"] == {"id": "F0123"}
    assert picture["alt_text"].startswith("The cost of each of the last 30 days until 22 November by model: $13.05")
    assert faults(blocks(report())) == []


def test_discord_takes_it() -> None:
    made = embed(report(), "report.png")
    checks.embeds([made])
    assert made["image"] == {"url": "attachment://report.png"}
    assert [field["name"] for field in made["fields"]] == ["By model", "By channel", "What moved it", "Also"]


_names = st.text(max_size=300) | st.sampled_from(["<!channel>", "<@U1>", "@everyone", "<@&123>", "`<!here>`", "*b*"])
_shares = st.builds(Share, _names, st.integers(0, 10**12), st.none() | st.integers(0, 10**12))
_rankings = st.builds(Ranking, st.lists(_shares, max_size=5).map(tuple), st.integers(0, 10**6), st.integers(0, 10**12))


@given(models=_rankings, channels=_rankings, people=_rankings)
def test_whatever_names_are_in_it_it_fits_and_pings_nobody(models: Ranking, channels: Ranking, people: Ranking) -> None:
    made = report(models=models, channels=channels, people=people, currency=EURO, partial=("zone", "running"))
    slack = blocks(made, ACTIONS, "F0123")
    assert faults(slack) == []
    assert len(slack) <= BLOCKS_MAX
    discord = embed(made, "report.png")
    checks.embeds([discord])
    shown = [str(block.get("text")) for block in slack] + [str(field["value"]) for field in discord["fields"]]
    for ping in ("<!", "<@"):
        assert not any(ping in text for text in shown)


def test_a_channel_is_linked_and_anything_else_is_code() -> None:
    assert linked("C0123AB") == "<#C0123AB>"
    assert linked("1000123") == "<#1000123>"
    assert linked("terminal") == "`terminal`"
    assert linked("C1> <!channel") == "`C1 !channel`"
    assert DIRECT in report_words.text(report())
