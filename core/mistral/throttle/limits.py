"""How much a key may ask of one model: what a plan promises, and what a response's headers tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

_MOST = 10**12  # a figure above this is no limit but a slip


@dataclass(frozen=True, slots=True)
class Limits:
    """What one model grants one key; None is no limit. A rate below 1 a second is a pause between calls."""

    requests_per_second: float | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    @classmethod
    def of_plan(cls, plan: str | None, self_hosted: bool) -> Self:
        """What to begin with: the provider's headers put it right from the first response on.

        `plan`: "experiment", "scale" or None for unknown. One's own server has no limits but the concurrency.
        """
        if self_hosted:
            return cls()
        match plan:
            case "experiment":
                return cls(requests_per_second=1.0, requests_per_minute=30, tokens_per_minute=250_000)
            case "scale":
                return cls(requests_per_second=20.0, tokens_per_minute=2_000_000)
            case _:
                return cls(requests_per_second=5.0, tokens_per_minute=500_000)

    def told(self, told: Told) -> Limits:
        """These limits, where the provider says nothing else."""
        return replace(
            self,
            requests_per_minute=told.requests_limit or self.requests_per_minute,
            tokens_per_minute=told.tokens_limit or self.tokens_per_minute,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """The `x-ratelimit-*` headers of one response; None where one is absent or no sensible number."""

    requests_limit: int | None
    requests_remaining: int | None
    tokens_limit: int | None
    tokens_remaining: int | None
    tokens_cost: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Self:
        """Reads headers whose names are lower-case, or a mapping that does not mind case."""
        return cls(
            requests_limit=_count(headers.get("x-ratelimit-limit-req-minute")) or None,
            requests_remaining=_count(headers.get("x-ratelimit-remaining-req-minute")),
            tokens_limit=_count(headers.get("x-ratelimit-limit-tokens-minute")) or None,
            tokens_remaining=_count(headers.get("x-ratelimit-remaining-tokens-minute")),
            tokens_cost=_count(headers.get("x-ratelimit-tokens-query-cost")),
        )


def _count(value: str | None) -> int | None:
    """A whole number; a remainder below zero is none left."""
    text = (value or "").strip()
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        return None
    number = max(int(text), 0)
    return number if number <= _MOST else None
