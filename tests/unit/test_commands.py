"""What is asked of Bise itself: words alone in a mention."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import Attachment, ConversationKind
from core.turns import commands
from tests.fakes import message

PICTURE = Attachment("F1", "a.png", "image/png", 10, "https://files/a")
LONGEST = 1000


def parse(text: str, **changes: Any) -> str | None:
    return commands.parse(message(text, **changes), longest=LONGEST)


@pytest.mark.parametrize("word", commands.ALONE)
@pytest.mark.parametrize("form", ["{}", " {} ", "{}!", "{}."])
def test_a_command_alone_is_a_command(word: str, form: str) -> None:
    assert parse(form.format(word)) == word
    assert parse(form.format(word.upper())) == word


@pytest.mark.parametrize("text", ["please stop", "stop the music", "cost of living", "help me", "reset: how?", "stop?"])
def test_a_command_with_more_words_is_a_question(text: str) -> None:
    assert parse(text) is None


def test_a_command_with_a_picture_is_a_question_about_it() -> None:
    assert parse("help", attachments=(PICTURE,)) is None


@pytest.mark.parametrize("source", ["interaction", "command"])
def test_a_slash_command_has_its_own_ways_so_its_words_are_a_question(source: str) -> None:
    assert parse("reset", source=source) is None


def test_an_addressed_word_alone_is_a_command_with_or_without_a_mention() -> None:
    assert parse("reset", mentioned=False) == "reset"
    assert parse("reset", mentioned=False, kind=ConversationKind.DM) == "reset"
    assert parse("reset", mentioned=False, kind=ConversationKind.CHAT) == "reset"


def test_new_topic_begins_anew_in_a_direct_message_alone() -> None:
    assert parse("New topic.", kind=ConversationKind.DM) == "reset"
    assert parse("new topic") is None


@pytest.mark.parametrize("text", ["", " \n\t ", "!", "..."])
def test_a_mention_and_nothing_else_is_greeted(text: str) -> None:
    assert parse(text) == "greeting"
    assert parse(text, attachments=(PICTURE,)) is None


def test_a_text_beyond_the_greatest_length_is_too_long() -> None:
    assert parse("x" * LONGEST) is None
    assert parse("x" * (LONGEST + 1)) == "too_long"
    assert parse("x " * 100_000, source="interaction", attachments=(PICTURE,)) == "too_long"


@pytest.mark.parametrize("what", commands.CHOOSING)
def test_a_word_of_choosing_stands_alone_or_before_one_name(what: str) -> None:
    assert parse(what) == parse(f" {what.upper()}! ") == what
    assert parse(f"{what} code-review") == what
    assert parse(f"{what} code-review please") is None
    assert parse(f"{what} code-review", source="interaction") is None
    assert parse(f"{what} code-review", attachments=(PICTURE,)) is None


def test_a_chosen_name_is_read_as_it_was_written() -> None:
    assert commands.choosing(" Model  Org/Some-Model ") == ("model", "Org/Some-Model")
    assert commands.choosing("Assistant.") == ("assistant", "")
    assert commands.choosing("model a b") is None
    assert commands.choosing("remodel a") is None
    assert commands.choosing("") is None


@pytest.mark.parametrize(("text", "bare"), [("stop", True), (" Stop! ", True), ("stop it", False), ("", False)])
def test_a_bare_stop_is_the_word_alone(text: str, bare: bool) -> None:
    assert commands.is_bare_stop(message(text, mentioned=False)) is bare


@given(st.text(max_size=200))
def test_any_text_is_a_question_or_a_command_that_is_known(text: str) -> None:
    known = {*commands.ALONE, *commands.CHOOSING, "greeting", None}
    assert parse(text) in known
