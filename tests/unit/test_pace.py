"""The schedule alone, told the time."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bots.pace import Limit, Schedule


def test_a_refusal_pauses_its_bucket_for_all_lanes_and_no_other_bucket() -> None:
    schedule = Schedule(lambda _: Limit(10, 5.0), min_gap=0.1)
    lanes = [schedule.open() for _ in range(3)]
    schedule.want(lanes[0], "edit", final=True, now=0.0)
    schedule.want(lanes[1], "edit", final=False, now=0.0)
    schedule.pause("edit", 7.5)
    assert schedule.next(0.0).wake == 7.5
    schedule.want(lanes[2], "send", final=False, now=0.0)
    assert schedule.next(0.0).lane == lanes[2]
    assert schedule.next(7.5).lane == lanes[0]


def test_a_refusal_for_the_whole_place_pauses_every_bucket() -> None:
    schedule = Schedule(lambda _: Limit(10, 5.0), min_gap=0.1)
    lane = schedule.open()
    schedule.want(lane, "send", final=True, now=0.0)
    schedule.pause("edit", 3.0, everywhere=True)
    assert schedule.next(1.0).wake == 3.0


def test_finals_go_first_and_then_the_lane_written_longest_ago() -> None:
    schedule = Schedule(lambda _: Limit(100, 5.0), min_gap=0.0)
    old, new, final = (schedule.open() for _ in range(3))
    for at, lane in ((1.0, old), (2.0, new), (3.0, final)):
        schedule.want(lane, "edit", final=False, now=at)
        schedule.started(lane, at)
        schedule.ended(lane, at)
    schedule.want(final, "edit", final=True, now=4.0)
    order = []
    for _ in range(3):
        lane = schedule.next(4.0).lane
        assert lane is not None
        order.append(lane)
        schedule.started(lane, 4.0)
        schedule.ended(lane, 4.0)
        schedule.want(lane, None, final=False, now=4.0)
    assert order == [final, old, new]


def test_a_call_holds_its_token_until_a_window_after_it_surely_arrived() -> None:
    schedule = Schedule(lambda _: Limit(1, 5.0, kept=0), min_gap=0.0)
    lane = schedule.open()
    schedule.want(lane, "edit", final=True, now=0.0)
    schedule.started(lane, 0.0)
    schedule.ended(lane, 0.4)
    assert schedule.next(5.3).wake == 5.4
    assert schedule.next(5.4).lane == lane


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32), limit=st.builds(Limit, st.integers(1, 20), st.floats(1, 60), st.integers(0, 2)))
def test_a_lane_that_wants_to_write_waits_no_longer_than_its_share_allows(seed: int, limit: Limit) -> None:
    """Even beside final writes that never end."""
    chance = random.Random(seed)
    schedule = Schedule(lambda _: limit, min_gap=0.5)
    lanes = [schedule.open() for _ in range(chance.randint(1, 10))]
    finals = set(chance.sample(lanes, len(lanes) // 2))
    wrote = dict.fromkeys(lanes, 0.0)
    now, bound = (
        0.0,
        15 + 2 * len(lanes) * limit.seconds / limit.share(len(lanes)) + (len(lanes) + 1) * (limit.seconds + 1),
    )
    for lane in lanes:
        schedule.want(lane, "edit", final=lane in finals, now=now)
    starts: list[float] = []
    while now < 20 * bound and len(starts) < 2000:
        turn = schedule.next(now)
        if turn.lane is None:
            assert turn.wake is not None
            assert turn.wake > now
            now = turn.wake
            continue
        assert now - wrote[turn.lane] <= bound
        wrote[turn.lane] = now
        schedule.started(turn.lane, now)
        schedule.ended(turn.lane, now)
        starts.append(now)
    assert all(later - at >= limit.seconds - 1e-6 for at, later in zip(starts, starts[limit.count :], strict=False))
    assert all(now - at <= bound for at in wrote.values())
