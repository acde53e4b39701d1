"""Marks of what was heard, and what becomes of what was not: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bots.discord.catch_up import gap_after
from bots.slack.catch_up import microseconds, stamp
from core.messages import WorkspaceKey
from core.turns.catching_up import Age, age
from core.turns.marks import Marks

HERE = (WorkspaceKey("discord", "1"), "10")
THERE = (WorkspaceKey("discord", "1"), "20")


def test_a_mark_never_passes_a_message_that_is_not_stored() -> None:
    marks = Marks()
    for number in (5, 6, 7):
        marks.began(HERE, number)
    marks.ended(HERE, 5)
    marks.ended(HERE, 7)
    assert marks.due() == {HERE: 5}
    marks.ended(HERE, 6)
    assert marks.due() == {HERE: 7}


def test_a_mark_is_written_once_and_never_back() -> None:
    marks = Marks()
    marks.began(HERE, 5)
    marks.ended(HERE, 5)
    marks.written(marks.due())
    assert marks.due() == {}
    marks.began(HERE, 4)  # a late twin
    assert marks.due() == {}
    marks.ended(HERE, 4)
    assert marks.due() == {}


def test_while_something_may_be_missing_no_mark_moves_before_its_channel_is_caught_up() -> None:
    marks = Marks()
    marks.began(HERE, 5)
    marks.ended(HERE, 5)
    marks.hold()
    for place in (HERE, THERE):
        marks.began(place, 9)
        marks.ended(place, 9)
    assert marks.due() == {HERE: 5}
    marks.caught_up(THERE, 8)
    assert marks.due() == {HERE: 5, THERE: 8}
    marks.release(marks.holds)
    assert marks.due() == {HERE: 9, THERE: 9}


def test_a_channel_is_behind_from_a_gap_on_until_it_was_looked_at() -> None:
    marks = Marks()
    assert not marks.is_behind(HERE)
    marks.hold()
    assert marks.is_behind(HERE)
    marks.seek([HERE])
    assert (marks.is_behind(HERE), marks.is_behind(THERE)) == (True, False)
    marks.caught_up(HERE, 5)
    assert not marks.is_behind(HERE)
    marks.seek([THERE])
    marks.hold()
    marks.caught_up(THERE, 5)  # by a look that began before the second gap
    assert marks.is_behind(THERE)
    marks.release(marks.holds)
    assert not marks.is_behind(THERE)


def test_a_second_gap_in_the_middle_of_catching_up_keeps_the_first_ones_floor() -> None:
    marks = Marks()
    marks.began(HERE, 5)
    marks.ended(HERE, 5)
    marks.hold()
    marks.began(HERE, 9)
    marks.ended(HERE, 9)
    marks.hold()
    assert marks.due() == {HERE: 5}


def test_what_is_heard_after_a_gap_does_not_raise_the_floor_of_the_next_one() -> None:
    marks = Marks()
    marks.hold()
    marks.began(HERE, 9)
    marks.ended(HERE, 9)
    marks.hold()
    assert marks.due() == {}


def test_a_look_that_ends_in_the_middle_of_a_new_gap_does_not_close_it() -> None:
    marks = Marks()
    marks.hold()
    looked_from = marks.holds
    marks.hold()  # another session was lost meanwhile
    marks.caught_up(HERE, 5)
    marks.began(HERE, 9)
    marks.ended(HERE, 9)
    marks.release(looked_from)
    assert marks.due() == {HERE: 5}
    marks.release(marks.holds)
    assert marks.due() == {HERE: 9}


def test_a_refused_message_holds_its_mark_though_a_later_one_of_its_channel_is_stored() -> None:
    marks = Marks()
    for number in (5, 6, 7):
        marks.began(HERE, number)
    for number in (5, 7):
        marks.ended(HERE, number)
    marks.began(HERE, 8)
    marks.ended(HERE, 8)
    marks.written(marks.due())
    marks.caught_up(HERE, 8)
    assert marks.due() == {HERE: 8}


def test_catching_up_settles_what_could_not_be_stored_before() -> None:
    marks = Marks()
    marks.began(HERE, 5)
    marks.began(HERE, 6)
    assert marks.due() == {HERE: 4}
    marks.caught_up(HERE, 5)
    assert marks.due() == {HERE: 5}


@pytest.mark.parametrize(
    ("minutes", "what"), [(0, "fresh"), (15, "fresh"), (16, "late"), (1440, "late"), (1441, "over")]
)
def test_age_decides_whether_a_question_is_answered(minutes: int, what: Age) -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert age(now - timedelta(minutes=minutes), now) == what


def test_only_channels_with_something_newer_than_their_mark_are_asked_for() -> None:
    assert gap_after(last=9, mark=5, oldest=0) == 5
    assert gap_after(last=9, mark=9, oldest=0) is None
    assert gap_after(last=9, mark=None, oldest=0) is None
    assert gap_after(last=None, mark=5, oldest=0) is None
    assert gap_after(last=9, mark=5, oldest=7) == 7
    assert gap_after(last=9, mark=5, oldest=9) is None


def test_a_ts_is_a_number_and_back() -> None:
    assert microseconds("1700000000.000100") == 1_700_000_000_000_100
    assert stamp(1_700_000_000_000_100) == "1700000000.000100"
    assert microseconds("1700000000") == 1_700_000_000_000_000
