"""What plans and headers say about limits, and how a refusal slows a model down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.mistral.throttle.limits import Limits, Told
from core.mistral.throttle.slowdown import Slowdown


def test_an_experiment_is_careful_and_ones_own_server_is_free() -> None:
    assert Limits.of_plan("experiment", self_hosted=False).requests_per_second == 1.0
    assert Limits.of_plan("scale", self_hosted=True) == Limits()
    careful, generous = (Limits.of_plan(plan, self_hosted=False) for plan in ("experiment", "scale"))
    unknown = Limits.of_plan(None, self_hosted=False)
    for limits in (careful, unknown, generous):
        assert limits.tokens_per_minute is not None
    assert (careful.tokens_per_minute or 0) < (unknown.tokens_per_minute or 0) < (generous.tokens_per_minute or 0)


def test_headers_put_the_plan_right_and_leave_what_they_do_not_name() -> None:
    told = Told.of({"x-ratelimit-limit-tokens-minute": "12345", "x-ratelimit-tokens-query-cost": " 17 "})
    assert told == Told(None, None, 12345, None, 17)
    assert Limits(1.0, 30, 99).told(told) == Limits(1.0, 30, 12345)


@pytest.mark.parametrize("value", ["", "none", "1.5", "1e9", "９", "--1", "9" * 40, "0"])
def test_a_limit_that_is_no_sensible_number_is_not_learned(value: str) -> None:
    told = Told.of({"x-ratelimit-limit-req-minute": value})
    assert told.requests_limit is None


@given(st.dictionaries(st.sampled_from(["x-ratelimit-limit-req-minute", "x-ratelimit-tokens-query-cost"]), st.text()))
def test_no_header_can_break_the_reading(headers: dict[str, str]) -> None:
    told = Told.of(headers)
    assert told.requests_limit is None or told.requests_limit > 0
    assert told.tokens_cost is None or told.tokens_cost >= 0


def running(rate: float) -> tuple[Slowdown, float]:
    """A model that was called at that rate for ten seconds, and the instant."""
    slowdown, now = Slowdown(), 100.0
    for _ in range(int(rate * 10)):
        now += 1 / rate
        slowdown.took(now)
    return slowdown, now


def test_a_refusal_halves_the_rate_and_successes_bring_it_back() -> None:
    slowdown, now = running(4.0)
    assert slowdown.refused(now, now, 0.0)
    assert slowdown.rate == pytest.approx(2.0, rel=0.1)
    slowdown.took(now)
    assert slowdown.wait(now) == pytest.approx(0.5, rel=0.1)
    for _ in range(11):
        slowdown.succeeded(now + 1)
    assert slowdown.rate is None
    assert slowdown.wait(now) == 0.0


def test_a_wave_of_refusals_counts_once() -> None:
    slowdown, now = running(8.0)
    first = [slowdown.refused(now - 1, now + step / 10, 1.0) for step in range(10)]
    assert first == [True, *[False] * 9]
    assert slowdown.rate == pytest.approx(4.0, rel=0.1)
    slowdown.succeeded(now - 1)
    assert slowdown.rate == pytest.approx(4.0, rel=0.1), "what left before the refusal says nothing"


def test_without_a_retry_after_each_wave_waits_longer() -> None:
    slowdown, now = running(4.0)
    pauses = []
    for _ in range(6):
        slowdown.refused(now, now, None)
        pauses.append(slowdown.paused_until - now)
        now = slowdown.paused_until + 0.1
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]


def test_the_rate_never_falls_to_nothing() -> None:
    slowdown, now = running(1.0)
    for _ in range(50):
        now += 1.0
        slowdown.refused(now, now, None)
    assert slowdown.rate == 0.1
