"""The rolling window: exact, paced, and honest about what is given back."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from core.mistral.throttle.window import Entry, Window

steps = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 40), st.sampled_from(["start", "late", "drop", "less"])), max_size=60
)


@given(steps, st.integers(1, 60))
def test_no_stretch_of_the_windows_length_ever_holds_more_than_the_limit(
    steps: list[tuple[float, int, str]], limit: int
) -> None:
    window, now = Window(limit, 60.0), 0.0
    sent: list[tuple[float, int]] = []
    late: list[Entry] = []
    for pause, weight, fate in steps:
        now += pause
        for entry in late:
            window.start(entry, now)
            sent.append((now, entry.weight))
        late.clear()
        wait = window.wait(weight, now)
        assert wait is not None, "nothing is pending"
        now += wait
        again = window.wait(weight, now)
        assert again is not None
        assert again < 1e-6, "what was told is what it takes"
        now += again
        entry = window.take(weight, now)
        if fate == "drop":
            window.drop(entry)
        elif fate == "late":
            late.append(entry)
        else:
            window.start(entry, now)
            if fate == "less":
                window.correct(entry, entry.weight // 2)
            sent.append((now, entry.weight))
    for at, _ in sent:
        assert sum(weight for other, weight in sent if at - 60.0 + 1e-6 < other <= at) <= limit


def test_a_burst_leaves_the_others_a_share_of_every_second() -> None:
    window, now = Window(60, 60.0), 0.0
    times: list[float] = []
    while len(times) < 180:
        wait = window.wait(1, now)
        assert wait is not None
        now += wait
        window.start(window.take(1, now), now)
        times.append(now)
    assert times[14] == 0.0, "a quarter at once"
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 1.5
    assert times[-1] < 180.0, "and the whole limit in every minute"


def test_what_was_not_used_is_free_at_once() -> None:
    window = Window(1000, 60.0)
    entry = window.take(1000, 0.0)
    window.start(entry, 0.0)
    assert (window.wait(500, 1.0) or 0.0) > 50
    window.correct(entry, 10)
    assert window.wait(500, 1.0) == 0.0
    window.drop(entry)
    assert window.used == 0


def test_what_has_yet_to_start_does_not_grow_old() -> None:
    window = Window(1, 60.0)
    entry = window.take(1, 0.0)
    assert window.wait(1, 300.0) is None
    window.start(entry, 300.0)
    assert window.wait(1, 300.0) == 60.0


def test_a_weight_above_the_limit_is_let_in_alone() -> None:
    window = Window(100, 60.0)
    assert window.wait(5000, 0.0) == 0.0
    window.start(window.take(5000, 0.0), 0.0)
    assert window.wait(1, 1.0) == 59.0
