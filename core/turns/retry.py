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
class GiveUp:
    """Tell the person."""


Decision = Again | Replace | Trim | GiveUp


def decide(
    error: errors.ModelError, *, attempt: int, shown: bool, waited: float, replaced: bool, trimmed: bool, jitter: float
) -> Decision:
    """What follows an attempt that failed with `error`.

    `attempt` counts from 1; `shown`: people have seen text of it; `waited`: seconds waited so far in this turn;
    `jitter`: a random number in [0, 1).
    """
    if shown:  # another attempt would take back what people have read, and be paid for twice
        return GiveUp()
    if isinstance(error, errors.ModelNotFound):
        return GiveUp() if replaced else Replace()
    if isinstance(error, errors.ContextTooLong):
        return GiveUp() if trimmed else Trim()
    if isinstance(error, errors.EmptyAnswer):
        return Again(0.0) if attempt == 1 else GiveUp()
    if not isinstance(error, _PASSING) or attempt >= MAX_ATTEMPTS:
        return GiveUp()
    wait = _FIRST_WAIT * 2.0 ** (attempt - 1) * (1.0 + jitter)
    if error.retry_after is not None:
        wait = max(error.retry_after * (1.0 + jitter / 10), wait)
    return Again(wait) if waited + wait <= MAX_WAIT else GiveUp()
