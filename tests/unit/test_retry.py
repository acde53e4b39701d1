"""What follows a failed attempt: a pure decision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.turns import retry
from core.turns.retry import Again, Elsewhere, GiveUp, Replace, Trim

PASSING = (
    errors.ModelRateLimited,
    errors.ModelOverloaded,
    errors.ModelServerError,
    errors.ModelUnreachable,
    errors.ConnectTimeout,
    errors.FirstByteTimeout,
    errors.SilenceTimeout,
    errors.StreamCut,
)
FINAL = (
    errors.ModelUnauthorized,
    errors.ModelOutOfCredit,
    errors.ModelForbidden,
    errors.RequestRejected,
    errors.UnknownModel,
)


def decide(error: errors.ModelError, **changes: Any) -> retry.Decision:
    state = {"attempt": 1, "shown": False, "waited": 0.0, "replaced": False, "trimmed": False, "jitter": 0.0}
    return retry.decide(error, **(state | changes))


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_tried_again_after_growing_waits(kind: type[errors.ModelError]) -> None:
    assert decide(kind()) == Again(0.5)
    assert decide(kind(), attempt=2) == Again(1.0)
    assert decide(kind(), attempt=3, jitter=0.5) == Again(3.0)
    assert decide(kind(), attempt=retry.MAX_ATTEMPTS) == GiveUp()


@pytest.mark.parametrize("kind", FINAL)
def test_what_no_second_try_can_mend_is_told_at_once(kind: type[errors.ModelError]) -> None:
    assert decide(kind()) == GiveUp()


@pytest.mark.parametrize("kind", [*PASSING, *FINAL, errors.ModelNotFound, errors.ContextTooLong, errors.EmptyAnswer])
def test_what_people_have_read_is_never_taken_back(kind: type[errors.ModelError]) -> None:
    assert decide(kind(retry_after=0.1), shown=True) == GiveUp()


def test_the_providers_own_wait_is_kept() -> None:
    assert decide(errors.ModelRateLimited(retry_after=7.0)) == Again(7.0)
    assert decide(errors.ModelRateLimited(retry_after=0.1)) == Again(0.5)
    again = decide(errors.ModelRateLimited(retry_after=10.0), jitter=0.999)
    assert isinstance(again, Again)
    assert 10.0 <= again.wait <= 11.0


def test_nobody_waits_longer_than_half_a_minute() -> None:
    assert decide(errors.ModelRateLimited(retry_after=31.0)) == GiveUp()
    assert decide(errors.ModelRateLimited(retry_after=20.0), waited=11.0, attempt=2) == GiveUp()


def test_a_model_that_is_gone_is_replaced_once() -> None:
    assert decide(errors.ModelNotFound()) == Replace()
    assert decide(errors.ModelNotFound(), replaced=True, attempt=2) == GiveUp()


def test_too_many_tokens_are_trimmed_once() -> None:
    assert decide(errors.ContextTooLong()) == Trim()
    assert decide(errors.ContextTooLong(), trimmed=True, attempt=2) == GiveUp()


def test_an_empty_answer_is_asked_for_once_more() -> None:
    assert decide(errors.EmptyAnswer()) == Again(0.0)
    assert decide(errors.EmptyAnswer(), attempt=2) == GiveUp()


# with a fallback

KEPT_OUT = (errors.ModelUnauthorized, errors.ModelOutOfCredit, errors.ModelGivenUp, errors.ModelHeldBack)


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_tried_once_more_before_another_home_is(kind: type[errors.ModelError]) -> None:
    assert decide(kind(), elsewhere=True) == Again(0.5)
    assert decide(kind(), attempt=2, elsewhere=True) == Elsewhere()


@pytest.mark.parametrize("kind", KEPT_OUT)
def test_a_home_that_does_not_let_us_in_is_left_for_another_at_once(kind: type[errors.ModelError]) -> None:
    assert decide(kind(), elsewhere=True) == Elsewhere()
    assert decide(kind()) == GiveUp()


def test_nobody_waits_long_for_a_home_while_another_could_answer() -> None:
    assert decide(errors.ModelRateLimited(retry_after=4.0), elsewhere=True) == Again(4.0)
    assert decide(errors.ModelRateLimited(retry_after=20.0), elsewhere=True) == Elsewhere()
    assert decide(errors.ModelRateLimited(retry_after=60.0), elsewhere=True) == Elsewhere()


@pytest.mark.parametrize("kind", [errors.ModelForbidden, errors.RequestRejected, errors.EmptyAnswer])
def test_what_no_other_home_does_better_is_not_carried_there(kind: type[errors.ModelError]) -> None:
    assert decide(kind(), attempt=2, elsewhere=True) == GiveUp()


def test_a_model_that_is_gone_is_replaced_where_it_was_before_another_home_is_asked() -> None:
    assert decide(errors.ModelNotFound(), elsewhere=True) == Replace()
    assert decide(errors.ModelNotFound(), replaced=True, elsewhere=True) == Elsewhere()


def test_too_many_tokens_are_trimmed_before_and_told_after() -> None:
    assert decide(errors.ContextTooLong(), elsewhere=True) == Trim()
    assert decide(errors.ContextTooLong(), trimmed=True, elsewhere=True) == GiveUp()


@pytest.mark.parametrize("kind", [*PASSING, *KEPT_OUT, errors.ModelNotFound])
def test_no_other_home_goes_on_with_what_people_have_read(kind: type[errors.ModelError]) -> None:
    assert decide(kind(), shown=True, elsewhere=True) == GiveUp()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*PASSING, *FINAL, errors.ModelNotFound, errors.ContextTooLong, errors.EmptyAnswer]),
            st.none() | st.floats(0, 100),
            st.floats(0, 1, exclude_max=True),
        ),
        min_size=20,
        max_size=20,
    )
)
def test_every_row_of_failures_ends_within_its_attempts_and_its_time(
    failures: list[tuple[type[errors.ModelError], float | None, float]],
) -> None:
    waited, replaced, trimmed = 0.0, False, False
    for attempt, (kind, retry_after, jitter) in enumerate(failures, start=1):
        decision = retry.decide(
            kind(retry_after=retry_after),
            attempt=attempt,
            shown=False,
            waited=waited,
            replaced=replaced,
            trimmed=trimmed,
            jitter=jitter,
        )
        waited += decision.wait if isinstance(decision, Again) else 0.0
        replaced |= isinstance(decision, Replace)
        trimmed |= isinstance(decision, Trim)
        assert waited <= retry.MAX_WAIT
        if decision == GiveUp():
            assert attempt <= retry.MAX_ATTEMPTS + 2
            return
    pytest.fail("it never gave up")
