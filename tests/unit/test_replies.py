"""Every sentence a person can meet: there is one for each name that the code can say."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots import replies
from bots.figure_words import usage_text
from core import errors
from core.errors import AttachmentError, BiseError
from core.messages import ConversationKind, Notice, Tokens
from core.reports.figures import UsageView
from core.turns import commands
from tests.fakes import message

SOURCES = sorted(
    path
    for folder in (Path(errors.__file__).parent, Path(replies.__file__).parent)
    for path in folder.rglob("*.py")
    if "playground" not in path.parts
)


def model_errors(of: type[BiseError] = errors.ModelError) -> Iterator[type[BiseError]]:
    yield of
    for kind in of.__subclasses__():
        yield from model_errors(kind)


def notices_in(source: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Notice":
            yield node


def names_written(source: Path) -> set[str]:
    return {
        str(call.args[0].value) for call in notices_in(source) if call.args and isinstance(call.args[0], ast.Constant)
    }


def test_every_notice_that_the_code_names_has_a_sentence() -> None:
    written = {name: source for source in SOURCES for name in names_written(source)}
    assert len(written) > 5, "the search finds something"
    missing = {name: source.name for name, source in written.items() if name not in replies.known()}
    assert not missing


def test_notices_named_by_a_computed_word_are_few_and_their_words_are_covered_below() -> None:
    computed = {
        ast.unparse(call.args[0])
        for source in SOURCES
        for call in notices_in(source)
        if call.args and not isinstance(call.args[0], ast.Constant)
    }
    covered = {
        "f'attachment_{file.refusal}'",
        "name",
        "error.reason",
        "item['name']",
        "row.notice['name']",
        "told['name']",
    }
    assert {name for name in computed if not name.endswith(".reason")} <= covered


def statuses_in(source: Path) -> set[str]:
    calls = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Call)]
    said = [call for call in calls if call.args and getattr(call.func, "attr", "") == "status"]
    return {str(call.args[0].value) for call in said if isinstance(call.args[0], ast.Constant)}


def test_every_status_that_the_code_shows_has_words() -> None:
    shown = set().union(*(statuses_in(source) for source in SOURCES))
    assert {"thinking", "using_tool"} <= shown
    for name in shown:
        assert replies.status_text(name, 2)


@pytest.mark.parametrize("kind", list(model_errors()), ids=lambda kind: kind.__name__)
def test_every_way_in_which_a_model_can_fail_has_a_sentence(kind: type[BiseError]) -> None:
    assert kind.reason in replies.known()


@pytest.mark.parametrize("kind", AttachmentError.KINDS)
def test_every_kind_of_bad_file_has_a_sentence_that_names_it(kind: str) -> None:
    assert f"attachment_{kind}" in replies.known()
    assert "cat.png" in replies.sentence(Notice(f"attachment_{kind}", {"name": "cat.png"}))


def test_every_command_has_a_sentence() -> None:
    texts = ["", "x" * 5000, *commands.ALONE]
    found = {commands.parse(message(text, kind=ConversationKind.DM), longest=1000) for text in texts}
    assert None not in found
    answered = found - {"stop"} | {"external", "workspace_not_allowed", "nothing_to_stop"}
    assert answered <= replies.known()


@pytest.mark.parametrize("name", sorted(replies.known()))
@pytest.mark.parametrize("platform", ["slack", "discord", "local"])
def test_each_sentence_is_whole_without_any_value(name: str, platform: str) -> None:
    text = replies.sentence(Notice(name), platform=platform)
    assert text.strip()
    assert not set("{}") & set(text)
    assert text.rstrip("”").endswith((".", "?", "!", "example"))


def held(**values: str | int) -> str:
    by_channel = {"what": "assistant", "name": "creative", "by": "channel", "place": "channel", "known": "a, b"}
    return replies.sentence(Notice("choice_holds", by_channel | values))


def test_what_holds_is_told_with_whose_choice_it_is_and_how_to_choose() -> None:
    assert held().startswith("The assistant in this channel is `creative`, chosen for this channel.")
    assert "There are: `a`, `b`." in held()
    assert "`/bise assistant NAME` chooses for this channel" in held()
    assert "Mention me with “assistant NAME”" in held(place="conversation")
    assert "as it was set up" in held(by="")


def test_a_choice_is_confirmed_and_one_taken_back_says_what_holds_instead() -> None:
    assert held(chosen=1) == "Done: the assistant in this channel is now `creative`."
    back = held(chosen=1, by="workspace", place="conversation")
    assert back.startswith("Done: nothing is chosen in this conversation any more.")
    assert back.endswith("The assistant is `creative`, chosen for this workspace.")


@given(st.text(max_size=200))
def test_a_name_that_nobody_knows_is_shown_as_code_and_calls_nobody(name: str) -> None:
    text = replies.sentence(Notice("choice_unknown", {"what": "model", "name": name, "near": "", "known": "best"}))
    assert text.count("`") == 4
    assert not set("<>&\n\r") & set(text)


def test_an_unknown_name_is_told_in_general_words() -> None:
    assert replies.sentence(Notice("of a later version")) == replies.sentence(Notice("unexpected"))


@given(st.text(string.printable, max_size=200))
def test_values_from_outside_cannot_write_markup_or_call_people(name: str) -> None:
    text = replies.sentence(Notice("attachment_corrupt", {"name": name}))
    frame = replies.sentence(Notice("attachment_corrupt", {"name": ""}))
    added = len(text) - len(frame)
    assert added <= 80
    assert not set("*_`~|<>@[]\\\n\r") & set(text)


def test_a_value_that_poses_as_a_placeholder_stays_text() -> None:
    assert "{0.real} {model}" in replies.sentence(Notice("model_not_found", {"model": "{0.real} {model}"}))


@pytest.mark.parametrize(
    ("by", "platform", "way_back"),
    [
        ("conversation", "slack", "Mention me with “model default”"),
        ("channel", "discord", "`/bise model default`"),
        ("workspace", "slack", "`/bise settings model default`"),
        ("workspace", "discord", "`/bise-admin settings model default`"),
        ("conversation", "local", "Leave out --model"),
    ],
)
def test_a_chosen_model_that_is_gone_is_told_with_the_way_back(by: str, platform: str, way_back: str) -> None:
    text = replies.sentence(Notice("model_not_found", {"model": "trains", "by": by}), platform=platform)
    assert text.startswith("The model `trains` cannot be had here. ")
    assert way_back in text


def test_people_read_nothing_of_money_and_the_operator_at_the_terminal_does() -> None:
    empty = Notice("model_out_of_credit", {"model": "m"})
    assert not {"credit", "billing", "limit", "paid"} & set(re.findall(r"\w+", replies.sentence(empty).lower()))
    assert "no credit" in replies.operator_sentence(empty)
    assert "MISTRAL_API_KEY" in replies.operator_sentence(Notice("model_unauthorized"))
    assert "{" not in replies.operator_sentence(Notice("unknown_model", {"model": "m"}))
    assert replies.operator_sentence(Notice("stopped")) == replies.sentence(Notice("stopped"))


def test_a_rate_limit_tells_how_long_to_wait_if_the_provider_did() -> None:
    assert "in 8 seconds" in replies.sentence(Notice("model_rate_limited", {"model": "m", "seconds": 8}))
    assert "in a minute" in replies.sentence(Notice("model_rate_limited", {"model": "m"}))


@pytest.mark.parametrize(
    ("microusd", "shown"),
    [(0, "$0.00"), (1, "$0.000001"), (63, "$0.000063"), (9_990, "$0.00999"), (10_000, "$0.01"), (20_000_000, "$20.00")],
)
def test_small_amounts_are_not_rounded_away(microusd: int, shown: str) -> None:
    assert replies.dollars(microusd) == shown


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"calls": 0}, "has cost nothing yet"),
        ({"calls": 1, "tokens": 1234, "microusd": 63, "free": 0}, "$0.000063 so far: one call of the model, 1,234 tok"),
        (
            {"calls": 2, "tokens": 10, "microusd": 0, "free": 1},
            "2 calls of the model and 10 tokens. The model here cos",
        ),
    ],
)
def test_the_cost_of_a_conversation_is_told(values: dict[str, int], says: str) -> None:
    assert says in replies.sentence(Notice("cost", values))


def test_usage_tells_today_the_month_and_ones_own_part() -> None:
    view = UsageView(Tokens(), Tokens(2, 10, 5, 0, 20_000, 10_000), Tokens(1, 5, 2, 0, 10_000))
    today, month, mine, *_ = usage_text(view).splitlines()
    assert today == "Today: $0.00 for 0 calls, 0 tokens"
    assert month == "This month: $0.02 for 2 calls, 15 tokens ($0.01 of it estimated)"
    assert mine == "Your part of this month: $0.01 for 1 call, 7 tokens"


def test_status_words_follow_the_bots_name() -> None:
    assert replies.status_text("thinking") == "is thinking…"
    assert replies.status_text("reading_images", 1) == "is looking at an image…"
    assert replies.status_text("reading_images", 3) == "is looking at 3 images…"
    assert replies.status_text("waiting_for_model")
