from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.rendering import WORD_JOINER, Platform, render, stable_prefix

platforms = st.sampled_from(["slack", "discord"])
pings = [
    "<!channel>",
    "<!here|x>",
    "<@U123>",
    "<@w",
    "<!subteam^S1>",
    "@everyone",
    "@here",
    "@HERE",
    "@channel",
    "b@here",
]
parts = [*"<!@#>`~ \n\r\x00\u200dheryvonclasubtm", "```", "~~~~", "\ud83d", "\ude00", "é", "😀", "𐐀", "ſ", "k", "_"]
fragments = st.lists(st.sampled_from(pings + parts), max_size=30).map("".join)


@pytest.mark.parametrize(
    "ping",
    ["<!channel>", "<!here>", "<!everyone|all>", "<!subteam^S0123|@devs>", "<@U0123ABC>", "<@W0123>", "<!Channel>"],
)
def test_a_slack_ping_is_shown_and_wakes_nobody(ping: str) -> None:
    shown = render(f"Hi {ping} and `{ping}`", "slack")
    assert ping not in shown
    assert shown.replace(WORD_JOINER, "") == f"Hi {ping} and `{ping}`"


@pytest.mark.parametrize("platform", ["slack", "discord"])
@pytest.mark.parametrize("ping", ["@everyone", "@here", "@channel", "@Everyone", "@here!"])
def test_a_call_to_everybody_is_broken_on_both_platforms(ping: str, platform: Platform) -> None:
    assert ping not in render(f"({ping})", platform)


@pytest.mark.parametrize(
    "text", ["bob@herefordshire.gov", "<!-- a comment -->", "<https://a.b|c>", "a < b", "<#C1>", "x@y"]
)
def test_what_only_looks_like_a_ping_is_left_alone(text: str) -> None:
    assert render(text, "slack") == text


def test_discord_keeps_mentions_of_persons_as_text() -> None:
    assert render("<@123> <@!123> <@&9>", "discord") == "<@123> <@!123> <@&9>"


def test_characters_that_platforms_refuse_are_removed_and_split_pairs_joined() -> None:
    assert render("a\x00b\r\nc\td\ud800 \ud83d\ude00\x1b[0m\ufffe", "slack") == "ab\nc\td 😀[0m"


def test_a_ping_hidden_by_a_control_character_is_still_broken() -> None:
    assert "<!channel>" not in render("<\x00!chan\x07nel>", "slack")


@pytest.mark.parametrize(
    ("growing", "shown"),
    [
        ("Hello <", "Hello "),
        ("Hello <!chan", "Hello "),
        ("Hello @ever", "Hello "),
        ("Hello @here", "Hello "),
        ("code:\n``", "code:\n"),
        ("half \ud83d", "half "),
        ("Hello @every\ud83d", "Hello "),
        ("Hello <!chan\x07", "Hello "),
        ("Hello <!channel", "Hello <!channel"),
        ("a < b", "a < b"),
    ],
)
def test_what_more_words_may_change_is_held_back(growing: str, shown: str) -> None:
    assert growing[: stable_prefix(growing)] == shown
    assert stable_prefix(growing, final=True) == len(growing)


def test_an_endless_run_of_marks_is_not_held_back() -> None:
    assert stable_prefix("`" * 65) == 65


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=fragments | st.text(), more=fragments | st.text(), platform=platforms)
def test_what_is_shown_early_is_how_the_whole_begins(text: str, more: str, platform: Platform) -> None:
    end = stable_prefix(text)
    assert render(text + more, platform).startswith(render(text[:end], platform))
    assert stable_prefix(text + more) >= end
    assert len(text) - end <= 64 + 64


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=fragments | st.text(), platform=platforms)
def test_rendering_twice_is_rendering_once_and_changes_only_what_the_rules_name(text: str, platform: Platform) -> None:
    shown = render(text, platform)
    assert render(shown, platform) == shown
    shown.encode()
    assert not re.search("@(everyone|here\\b|channel\\b)", shown, re.ASCII)
    clean = re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]", "", text)
    if not re.search("[\ud800-\udfff]", clean):
        assert shown.replace(WORD_JOINER, "") == clean.replace(WORD_JOINER, "")
