"""How an answer becomes posts in a Slack thread: which call is next, and what is done when one fails."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.playground.slack.blocks import faults
from bots.rendering import render, stable_prefix
from bots.slack import errors
from bots.slack.allowance import CALLS_PER_WINDOW, WINDOW_SECONDS, StreamAllowance
from bots.slack.api import retry_after
from bots.slack.blocks import SMALL_PRINT_MAX, foot_blocks, notification, small_print, without_buttons
from bots.slack.posts import NO_FOOT, STREAM_SECONDS, Foot, Goal, Posts, Step
from bots.splitting import Piece, Splitter, split
from core.errors import BiseError, PlaceForbidden, PlaceGone, PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import Post

STOP = Foot(stop="control-1")
NOTES = Foot(notes=("Stopped.",))


def piece(text: str, sure: int | None = None, start: int = 0) -> Piece:
    return Piece(text, start, start + len(text), sure=len(text) if sure is None else sure)


def running(*pieces: Piece) -> Goal:
    return Goal(pieces, running=True, foot=STOP)


def final(*pieces: Piece, foot: Foot = NO_FOOT) -> Goal:
    return Goal(pieces, running=False, foot=foot)


def carried_out(posts: Posts, step: Step | None, ts: str = "1.1", now: float = 0.0) -> Step:
    assert step is not None
    posts.done(step, ts, now)
    return step


def test_the_first_words_open_a_stream_and_the_next_are_appended() -> None:
    posts = Posts(())
    first = carried_out(posts, posts.next(running(piece("Hello wor", sure=6)), 0.0))
    assert (first.act, first.text) == ("start", "Hello ")
    assert posts.next(running(piece("Hello world", sure=6)), 1.0) is None
    second = carried_out(posts, posts.next(running(piece("Hello world and", sure=12)), 1.0))
    assert (second.act, second.text) == ("append", "world ")


def test_the_end_comes_with_the_call_that_stops_the_stream() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("Hello world", sure=6)), 0.0))
    last = carried_out(posts, posts.next(final(piece("Hello world."), foot=NOTES), 1.0))
    assert (last.act, last.text, last.foot, last.last) == ("stop", "world.", NOTES, True)
    assert posts.next(final(piece("Hello world."), foot=NOTES), 2.0) is None


def test_an_answer_that_is_ready_at_once_is_one_plain_post() -> None:
    posts = Posts(())
    only = carried_out(posts, posts.next(final(piece("Hello."), foot=NOTES), 0.0))
    assert (only.act, only.text, only.foot) == ("post", "Hello.", NOTES)
    assert posts.next(final(piece("Hello."), foot=NOTES), 0.0) is None


def test_nothing_is_begun_before_a_word_is_sure() -> None:
    assert Posts(()).next(running(piece("Hel", sure=0)), 0.0) is None
    assert Posts(()).next(running(piece("\nHel", sure=1)), 0.0) is None


def test_a_full_piece_is_stopped_and_the_next_begins_in_a_stream_of_its_own() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("one ", sure=4)), 0.0))
    goal = running(piece("one two"), piece("three four", sure=6, start=8))
    stop = carried_out(posts, posts.next(goal, 1.0))
    assert (stop.act, stop.ordinal, stop.text, stop.last) == ("stop", 0, "two", True)
    start = carried_out(posts, posts.next(goal, 1.0), "1.2")
    assert (start.act, start.ordinal, start.text, start.start) == ("start", 1, "three ", 8)


def test_where_streams_are_refused_the_text_is_posted_and_edited_with_a_stop_button() -> None:
    posts = Posts(())
    first = carried_out(posts, posts.next(running(piece("Hello wor", sure=6)), 0.0, streaming=False))
    assert (first.act, first.text, first.foot) == ("post", "Hello wor", STOP)
    second = carried_out(posts, posts.next(running(piece("Hello world", sure=6)), 1.0, streaming=False))
    assert (second.act, second.text, second.foot) == ("update", "Hello world", STOP)
    last = carried_out(posts, posts.next(final(piece("Hello world")), 2.0, streaming=False))
    assert (last.act, last.foot) == ("update", NO_FOOT)


def test_a_stream_is_ended_before_slack_ends_it_and_goes_on_by_edits() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("one two", sure=4)), 0.0))
    stop = carried_out(posts, posts.next(running(piece("one two three", sure=8)), STREAM_SECONDS))
    assert (stop.act, stop.text, stop.last) == ("stop", "two ", False)
    update = carried_out(posts, posts.next(running(piece("one two three four", sure=14)), STREAM_SECONDS + 1))
    assert (update.act, update.text) == ("update", "one two three four")


def test_a_dead_stream_is_written_over_as_a_whole() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("one two", sure=4)), 0.0))
    posts.lost(0, ended=True)
    update = carried_out(posts, posts.next(final(piece("one two three")), 1.0))
    assert (update.act, update.text) == ("update", "one two three")


def test_after_an_append_in_doubt_the_stream_is_closed_and_written_over() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("one two", sure=4)), 0.0))
    posts.lost(0, ended=False)
    assert carried_out(posts, posts.next(running(piece("one two", sure=4)), 1.0)).act == "stop"
    assert carried_out(posts, posts.next(running(piece("one two", sure=4)), 1.0)).act == "update"


def test_a_later_attempt_goes_on_in_the_same_posts_and_removes_those_left_over() -> None:
    earlier = (Post(0, "C1:1.1", 0, closed=True), Post(1, "C1:1.2", 9000, closed=False))
    posts = Posts(earlier)
    goal = final(piece("short"))
    acts = [(carried_out(posts, step).act, step.ordinal) for step in iter(lambda: posts.next(goal, 0.0), None)]
    assert acts == [("update", 0), ("stop", 1), ("delete", 1)]
    assert len(posts) == 1
    assert posts[0].ts == "1.1"


def test_the_last_words_go_ahead_when_stopping_must_wait() -> None:
    posts = Posts(())
    carried_out(posts, posts.next(running(piece("one two", sure=4)), 0.0))
    ahead = carried_out(posts, posts.next(final(piece("one two."), foot=NOTES), 1.0, stops=False))
    assert (ahead.act, ahead.text) == ("append", "two.")
    stop = carried_out(posts, posts.next(final(piece("one two."), foot=NOTES), 1.0, stops=False))
    assert (stop.act, stop.text, stop.foot) == ("stop", "", NOTES)


@dataclass
class Thread:
    """The posts as Slack would have them, and calls that sometimes fail after they were carried out, or before."""

    dice: random.Random
    texts: dict[str, str] = field(default_factory=dict)
    streaming: set[str] = field(default_factory=set)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def carry_out(self, posts: Posts, step: Step, now: float) -> None:
        fate = self.dice.choices(["done", "done but unsure", "unsure"], [8, 1, 1])[0]
        ts = f"1.{next(self.numbers)}" if step.act in {"start", "post"} else posts[step.ordinal].ts
        if fate != "unsure" and not self._take(step, ts):
            posts.lost(step.ordinal, ended=step.act in {"stop", "append"})
        elif fate == "done":
            posts.done(step, ts, now)
        elif step.act in {"start", "post"}:
            if fate == "done but unsure":
                posts.adopt(ts)
        elif step.act == "delete":
            if fate == "done but unsure":
                posts.done(step, ts, now)
        else:
            posts.lost(step.ordinal, ended=step.act == "update")

    def _take(self, step: Step, ts: str) -> bool:
        if step.act in {"append", "stop"} and ts not in self.streaming:
            return False
        if step.act == "update" and ts in self.streaming:
            return False
        if step.act == "delete":
            assert ts not in self.streaming
            del self.texts[ts]
            return True
        self.texts[ts] = step.text if step.act in {"start", "post", "update"} else self.texts[ts] + step.text
        if step.act == "start":
            self.streaming.add(ts)
        if step.act == "stop":
            self.streaming.discard(ts)
        return True


@given(
    words=st.lists(
        st.sampled_from(["word", "\n", "```\n", "longer-word", "\n\n", "é", "- item", "<!here>"]), max_size=150
    ),
    seed=st.integers(0, 2**16),
    streaming=st.booleans(),
)
def test_whatever_fails_the_thread_ends_with_the_whole_answer_once(
    words: list[str], seed: int, streaming: bool
) -> None:
    dice = random.Random(seed)
    thread, posts, splitter = Thread(dice), Posts(()), Splitter(256)
    text, now = "", 0.0
    for word in words:
        text += word + " "
        now += dice.choice([0.1, 1.0, 50.0])
        pieces = splitter.feed(render(text[: stable_prefix(text)], "slack"))
        step = posts.next(running(*pieces), now, streaming=streaming)
        if step is not None and dice.random() < 0.5:
            thread.carry_out(posts, step, now)
    expected = split(render(text, "slack"), 256)
    for _ in range(500):
        step = posts.next(final(*expected), now, streaming=streaming)
        if step is None:
            break
        thread.carry_out(posts, step, now)
    shown = [posts[ordinal].ts for ordinal in range(len(posts))]
    assert [thread.texts[ts] for ts in shown] == [part.text for part in expected]
    assert set(thread.texts) == set(shown)
    assert not thread.streaming


def test_every_code_has_its_error() -> None:
    expected: Mapping[str, type[BiseError]] = {
        "channel_not_found": PlaceGone,
        "is_archived": PlaceGone,
        "not_in_channel": PlaceGone,
        "restricted_action": PlaceForbidden,
        "missing_scope": PlaceForbidden,
        "invalid_auth": TokenRevoked,
        "account_inactive": TokenRevoked,
        "service_unavailable": PlatformUnavailable,
        "internal_error": errors.Unsure,
    }
    for code, kind in expected.items():
        assert type(errors.failure("chat.postMessage", code, 200)) is kind, code
    unknown = errors.failure("chat.postMessage", "something_new", 200)
    assert type(unknown) is PlatformError
    assert unknown.code == "something_new"


@pytest.mark.parametrize("status", [200, 404, 500, 502, 503])
def test_an_answer_without_a_code_leaves_open_whether_the_call_was_carried_out(status: int) -> None:
    assert isinstance(errors.failure("chat.postMessage", None, status), errors.Unsure)


def test_no_code_is_in_two_tables() -> None:
    tables = [errors.GONE, errors.FORBIDDEN, errors.REVOKED, errors.UNAVAILABLE, errors.UNSURE]
    assert sum(map(len, tables)) == len(frozenset().union(*tables))


@pytest.mark.parametrize(("headers", "seconds"), [({"retry-after": "7"}, 7.0), ({}, 1.0), ({"Retry-After": "x"}, 1.0)])
def test_retry_after_is_read_whatever_its_case(headers: dict[str, str], seconds: float) -> None:
    assert retry_after(headers) == seconds


def test_streams_are_rationed_by_the_minute() -> None:
    streams = StreamAllowance()
    for _ in range(CALLS_PER_WINDOW):
        assert streams.may_begin(100.0)
        streams.begun(100.0)
    assert not streams.may_begin(100.0 + WINDOW_SECONDS - 1)
    assert streams.may_begin(100.0 + WINDOW_SECONDS)
    streams.close(200.0)
    assert not streams.may_begin(200.0 + 3599)
    assert streams.may_begin(200.0 + 3600)


def test_small_print_and_notifications_wake_nobody() -> None:
    (context,) = foot_blocks(Foot(notes=("<!channel> & co",)))
    assert context["elements"][0]["text"] == "&lt;!channel&gt; &amp; co"
    assert notification("<!here>\n" + "x" * 500).startswith("&lt;!here&gt; x")
    assert len(notification("x" * 500)) == 150


@given(st.lists(st.text(max_size=300), max_size=600))
def test_small_print_is_never_more_than_slack_takes(notes: list[str]) -> None:
    kept = small_print([f"x{note}" for note in notes])
    blocks = foot_blocks(Foot(notes=kept, stop="control-1"))
    assert faults(blocks) == []
    assert len(blocks) <= 48
    assert (
        sum(
            len(element["text"]["text"] if "value" in element else element["text"])
            for block in blocks
            for element in block["elements"]
        )
        <= SMALL_PRINT_MAX + 50
    )


def test_notes_that_do_not_fit_are_counted() -> None:
    kept = small_print(["x" * 100] * 40)
    assert kept == (*["x" * 100] * 25, "… and 15 more like these.")


def test_the_again_button_stands_below_the_notes_and_goes_without_them() -> None:
    blocks = foot_blocks(Foot(notes=("The model is overloaded.",), again="control-2"))
    context, actions = blocks
    assert actions["elements"][0]["value"] == "control-2"
    assert actions["elements"][0]["text"]["text"] == "Ask again"
    assert without_buttons({"blocks": blocks}) == [context]
    assert without_buttons({"blocks": [actions, {"type": "actions", "elements": [{"action_id": "another's"}]}]}) == [
        {"type": "actions", "elements": [{"action_id": "another's"}]}
    ]
    assert without_buttons({}) == []


def test_the_stop_button_carries_its_control() -> None:
    (actions,) = foot_blocks(STOP)
    assert actions["elements"][0]["value"] == "control-1"
    assert actions["elements"][0]["action_id"] == "bise:control"
