"""When a home is given up for a while, and how it is found to be mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from core import errors

if TYPE_CHECKING:  # it brings the messages of the platforms, 20 ms that the client does not need
    from core.ports import Clock

TroubleKind = Literal["unauthorized", "out_of_credit", "unavailable"]
_FAILURES = 5  # in a row
_FIRST_PAUSE = 10.0
_LONGEST_PAUSE = 60.0
_CHECK = 60.0
_OUTAGES = (errors.ModelServerError, errors.ModelUnreachable, errors.ConnectTimeout, errors.FirstByteTimeout)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a home is not called. `since` is aware and UTC."""

    kind: TroubleKind
    since: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that was let through. `era`: between which changes; `trial`: whether all hope rests on it."""

    era: int
    trial: bool


class Circuit:
    """Opens at once on 401 and 402, and after five outages in a row; while open, calls raise ModelGivenUp.

    Now and then one call is let through as a trial, which closes it or not. A refused key is tried so only where nobody
    probes (`trial_unauthorized`). What a call from before a change brings counts for nothing. `on_change` is called
    once per opening and closing and must not raise.
    """

    def __init__(
        self, clock: Clock, on_change: Callable[[Trouble | None], None], *, trial_unauthorized: bool = True
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._trial_unauthorized = trial_unauthorized
        self._trouble: Trouble | None = None
        self._era = 0
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._trial_at = 0.0
        self._trial: Attempt | None = None

    @property
    def trouble(self) -> Trouble | None:
        """Why calls are refused, None while they are not."""
        return self._trouble

    def check(self) -> None:
        """Raises ModelGivenUp if a call would not be let through now."""
        if self._trouble is not None and not self._trial_due():
            raise self.refusal()

    def enter(self) -> Attempt:
        """Lets one call through, which has to tell its end; raises ModelGivenUp instead while open."""
        self.check()
        attempt = Attempt(self._era, self._trouble is not None)
        if attempt.trial:
            self._trial = attempt
        return attempt

    def refusal(self) -> errors.ModelGivenUp:
        """What callers meet while it is open. `retry_after`: when the next trial is due."""
        kind = self._trouble.kind if self._trouble is not None else "unavailable"
        return errors.ModelGivenUp(kind, retry_after=max(self._trial_at - self._clock.monotonic(), 1.0))

    def succeeded(self, attempt: Attempt) -> None:
        """An answer began."""
        if self._ended(attempt):
            self.close()

    def failed(self, attempt: Attempt, error: errors.ModelError) -> None:
        """The call met that error before an answer began."""
        if not self._ended(attempt):
            return
        match error:
            case errors.ModelUnauthorized():
                self._open("unauthorized")
            case errors.ModelOutOfCredit():
                self._open("out_of_credit")
            case _ if isinstance(error, _OUTAGES):
                self._failures += 1
                if attempt.trial or self._failures >= _FAILURES:
                    self._open("unavailable" if self._trouble is None else self._trouble.kind)
            case _ if error.status is not None:
                self._judged()

    def dropped(self, attempt: Attempt) -> None:
        """The call ended before it could tell anything; if it was the trial, another may be."""
        self._ended(attempt)

    def close(self) -> None:
        """It works again."""
        self._failures = 0
        self._pause = _FIRST_PAUSE
        if self._trouble is not None:
            self._trouble = None
            self._era += 1
            self._on_change(None)

    def try_calls(self) -> None:
        """No probe tells whether a refused key is good again: calls have to."""
        self._trial_unauthorized = True

    def _judged(self) -> None:
        """It lives, as it refused a request for that request's sake; of key and credit that proves nothing."""
        if self._trouble is None or self._trouble.kind == "unavailable":
            self.close()
        else:
            self._trial_at = self._clock.monotonic() + _CHECK

    def _open(self, kind: TroubleKind) -> None:
        self._era += 1
        if kind == "unavailable":
            wait, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        else:
            wait = _CHECK
        self._trial_at = self._clock.monotonic() + wait
        if self._trouble is None or self._trouble.kind != kind:
            self._trouble = Trouble(kind, self._clock.now())
            self._on_change(self._trouble)

    def _trial_due(self) -> bool:
        assert self._trouble is not None  # noqa: S101
        if self._trouble.kind == "unauthorized" and not self._trial_unauthorized:
            return False
        return self._trial is None and self._clock.monotonic() >= self._trial_at

    def _ended(self, attempt: Attempt) -> bool:
        """Whether what it tells still counts."""
        if self._trial is attempt:
            self._trial = None
        return attempt.era == self._era
