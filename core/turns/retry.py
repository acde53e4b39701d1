"""What to do after a failed attempt: a pure decision. What acts on it is `core/turns/asking.py`."""

from __future__ import annotations

from dataclasses import dataclass

from core import errors

MAX_ATTEMPTS = 4
MAX_WAIT = 30.0  # seconds over all waits of a turn: people are waiting
_FIRST_WAIT = 0.5

_PASSING = (
    errors.ModelRateLimited,
    errors.ModelOverloaded,
    errors.ModelServerError,
    errors.ModelUnreachable,
    errors.ConnectTimeout,
    errors.FirstByteTimeout,
    errors.SilenceTimeout,
    errors.StreamCut,
)
# What another home may do better: the first is down, has no room, or does not let us in.
_OF_THE_HOME = (
    *_PASSING,
    errors.ModelGivenUp,
    errors.ModelUnauthorized,
    errors.ModelOutOfCredit,
    errors.ModelNotFound,
)
_TRIES_BEFORE_ELSEWHERE = 2
_WAIT_BEFORE_ELSEWHERE = 5.0  # seconds; for longer nobody is kept waiting while another home could answer


@dataclass(frozen=True, slots=True)
class Again:
    """Try the same once more after `wait` seconds."""

    wait: float


@dataclass(frozen=True, slots=True)
class Replace:
    """The model is gone: call its replacement, at once."""


@dataclass(frozen=True, slots=True)
class Trim:
    """Too many tokens: show half the history, once."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The home is down or full: call the next of the fallback chain, at once."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Tell the person."""


Decision = Again | Replace | Trim | Elsewhere | GiveUp


def decide(
    error: errors.ModelError,
    *,
    attempt: int,
    shown: bool,
    waited: float,
    replaced: bool,
    trimmed: bool,
    jitter: float,
    elsewhere: bool = False,
) -> Decision:
    """What follows an attempt that failed with `error`.

    `attempt` counts the tries of this round at this home from 1; `shown`: people have seen text of it; `waited`:
    seconds waited so far in this turn; `jitter`: a random number in [0, 1); `elsewhere`: there is a fallback, and
    nothing of the answer has been shown yet.
    """
    if shown:  # another attempt would take back what people have read, and be paid for twice
        return GiveUp()
    decision = _here(error, attempt, waited, replaced=replaced, trimmed=trimmed, jitter=jitter)
    if not elsewhere or not isinstance(error, _OF_THE_HOME):
        return decision
    in_vain = isinstance(decision, Again) and (
        attempt >= _TRIES_BEFORE_ELSEWHERE or decision.wait > _WAIT_BEFORE_ELSEWHERE
    )
    return Elsewhere() if in_vain or isinstance(decision, GiveUp) else decision


def _here(
    error: errors.ModelError, attempt: int, waited: float, *, replaced: bool, trimmed: bool, jitter: float
) -> Decision:
    """What follows at the same home."""
    if isinstance(error, errors.ModelNotFound):
        return GiveUp() if replaced else Replace()
    if isinstance(error, errors.ContextTooLong):
        return GiveUp() if trimmed else Trim()
    if isinstance(error, errors.EmptyAnswer):
        return Again(0.0) if attempt == 1 else GiveUp()
    if isinstance(error, errors.ModelHeldBack):  # it has waited long enough already
        return GiveUp()
    if not isinstance(error, _PASSING) or attempt >= MAX_ATTEMPTS:
        return GiveUp()
    wait = _FIRST_WAIT * 2.0 ** (attempt - 1) * (1.0 + jitter)
    if error.retry_after is not None:
        wait = max(error.retry_after * (1.0 + jitter / 10), wait)
    return Again(wait) if waited + wait <= MAX_WAIT else GiveUp()
