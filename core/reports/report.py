"""A usage report: every figure of one workspace's day, week or month, frozen before anybody sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, Self

import msgspec

Kind = Literal["daily", "weekly", "monthly"]
# Why days are not whole ones: Bise was first used in them, the workspace's zone changed, they are not over.
Partial = Literal["first_day", "zone", "running"]
KINDS: tuple[Kind, ...] = ("daily", "weekly", "monthly")


@dataclass(frozen=True, slots=True)
class Share:
    """What a part of the cost went to. `before`: the same in the time compared with; None: nothing to compare."""

    name: str
    cost: int
    before: int | None

    @property
    def change(self) -> int | None:
        return None if self.before is None else self.cost - self.before


@dataclass(frozen=True, slots=True)
class Ranking:
    """The dearest parts, dearest first, and what the `others` (so many) cost together."""

    top: tuple[Share, ...] = ()
    others: int = 0
    others_cost: int = 0


@dataclass(frozen=True, slots=True)
class Movement:
    """Why the cost is another than in the time compared with: parts in micro-dollars that add up to the change.

    `price`: of a token of the same model, so also what longer answers and the cache do to it.
    """

    turns: int
    tokens_per_turn: int
    model_mix: int
    price: int

    @property
    def total(self) -> int:
        return self.turns + self.tokens_per_turn + self.model_mix + self.price


@dataclass(frozen=True, slots=True)
class Bar:
    """The month's budget as it stands when the report is made. `limit`: with what was added to it."""

    limit: int
    settled: int
    held: int

    @property
    def free(self) -> int:
        return max(self.limit - self.settled - self.held, 0)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the month will have cost at its end, most likely between `low` and `high`.

    `runs_out`: the day on which the limit will be reached, if one is in this month.
    """

    total: int
    low: int
    high: int
    runs_out: date | None


@dataclass(frozen=True, slots=True)
class Day:
    """A day's cost by model, for the picture."""

    day: date
    models: tuple[tuple[str, int], ...]

    @property
    def cost(self) -> int:
        return sum(cost for _, cost in self.models)


@dataclass(frozen=True, slots=True)
class Currency:
    """A second currency that amounts are shown in: its code, and how many millionths of it a dollar is."""

    code: str
    per_dollar: int


@dataclass(frozen=True, slots=True)
class Report:
    """Amounts in integer micro-dollars, days as local dates (`first` and `last` included), times in milliseconds.

    `workspace`: PLATFORM:ID. `before`: the average of what it is compared with, which are so many (`compared`): days
    of the same weekday, weeks, or the month before; None: there is nothing to compare. `month`: cost of the calendar
    month of `last`, up to it; `limit`: of that month, None: none, or not known any more. `estimated`: what of the cost
    the provider has not told, and nobody put right. `corrections`: rows made in these days about earlier ones, and
    their sum. `refused`, `saved`: turns by what refused them or made them cheaper, as in the table of turns. `people`
    is None unless the workspace wants them named. `days`: the last thirty, without those that cost nothing.
    `missed`: days whose reports were never made. `helpful`: None as long as nobody counts them.
    """

    workspace: str
    name: str | None
    kind: Kind
    first: date
    last: date
    zone: str
    made_at: datetime
    cost: int
    estimated: int
    before: int | None
    compared: int
    month: int
    month_estimated: int
    limit: int | None
    bar: Bar | None
    forecast: Forecast | None
    models: Ranking
    channels: Ranking
    people: Ranking | None
    movement: Movement | None
    turns: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    cache_saved: int
    failed: int
    refused: tuple[tuple[str, int], ...]
    saved: tuple[tuple[str, int], ...]
    first_text_ms: int | None
    topped_up: int
    corrections: int
    corrected: int
    partial: tuple[Partial, ...]
    days: tuple[Day, ...]
    currency: Currency | None
    helpful: int | None = None
    not_helpful: int | None = None
    missed: int = 0

    @property
    def change(self) -> int | None:
        """By how much more it cost than what it is compared with."""
        return None if self.before is None else self.cost - self.before

    @property
    def silent(self) -> bool:
        """Whether nothing happened that is worth a message."""
        counts = (self.cost, self.calls, self.turns, self.failed, self.topped_up, self.corrections)
        return not any(counts) and not self.refused and not self.saved

    def to_json(self) -> dict[str, Any]:
        """As plain values, to be frozen."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        return msgspec.convert(values, cls)
