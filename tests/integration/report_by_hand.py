"""What a report of a random ledger must say, added up row after row in plain Python, without a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from core.messages import Tokens
from core.reports.report import Kind
from core.store.ledger import DIRECT
from tests.integration.report_ledger import ON, TENTHS, Call, World

# What a million tokens cost more uncached than cached, from BISE's catalogue of 2026.
CHEAPER = {"mistral-large-2512": 450_000, "mistral-small-2603": 135_000, "pixtral-large-2411": 1_800_000}


@dataclass(frozen=True, slots=True)
class ByHand:
    """The calls of a report's days, and those of each time that it is compared with."""

    world: World
    kind: Kind
    on: date = ON

    @property
    def days(self) -> list[date]:
        length = {"daily": 1, "weekly": 7, "monthly": self.on.day}[self.kind]
        return [self.on - timedelta(days=number) for number in range(length)]

    @property
    def calls(self) -> list[Call]:
        return [call for call in self.world.ours if call.day in self.days]

    @property
    def times_before(self) -> list[list[date]]:
        began = min((call.day for call in self.world.ours), default=None)
        if self.kind == "monthly":
            last = self.on.replace(day=1) - timedelta(days=1)
            times = [[last - timedelta(days=number) for number in range(last.day)]]
        else:
            times = [[day - timedelta(days=7 * weeks) for day in self.days] for weeks in (1, 2, 3, 4)]
        return [time_ for time_ in times if began is not None and min(time_) > began]

    @property
    def calls_before(self) -> list[Call]:
        return [call for days in self.times_before for call in self.world.ours if call.day in days]

    @property
    def before(self) -> int | None:
        count = len(self.times_before)
        return round(Fraction(cost(self.calls_before), count)) if count else None

    @property
    def month(self) -> list[Call]:
        return [call for call in self.world.ours if call.day.month == self.on.month and call.day <= self.on]

    @property
    def turns(self) -> int:
        return len({call.turn for call in self.calls if not call.corrects})

    @property
    def cache_saved(self) -> int:
        saved = sum(
            Fraction(call.cached * CHEAPER.get(call.model, 0) * TENTHS.get(call.home, 0), 10_000_000)
            for call in self.calls
            if call.price_from is not None
        )
        return int(saved // 1)

    @property
    def first_text_ms(self) -> int | None:
        found = sorted(call.first_text_ms for call in self.calls if call.first_text_ms is not None)
        return found[(len(found) - 1) // 2] if found else None

    @property
    def corrections(self) -> list[Call]:
        since = datetime.combine(min(self.days), time(), UTC)
        until = datetime.combine(max(self.days) + timedelta(days=1), time(), UTC)
        return [
            call for call in self.world.ours if call.corrects and since <= call.at < until and call.day < min(self.days)
        ]

    @property
    def failed(self) -> int:
        return sum(
            turn.state == "failed" and turn.refused_by is None for turn in self.world.turns if turn.day in self.days
        )

    @property
    def refused(self) -> dict[str, int]:
        return Counter(turn.refused_by for turn in self.world.turns if turn.day in self.days and turn.refused_by)

    @property
    def saved(self) -> dict[str, int]:
        return Counter(
            means
            for turn in self.world.turns
            if turn.day in self.days and turn.saved_by
            for means in turn.saved_by.split(",")
        )

    @property
    def topped_up(self) -> int:
        return sum(5_000_000 for _ in {(one.day, one.press) for one in self.world.top_ups if one.day in self.days})

    @property
    def by_channel(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for call in self.calls:
            found[DIRECT if call.channel.startswith("D") else call.channel] += call.cost
        return found

    @property
    def by_model(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for call in self.calls:
            found[call.model] += call.cost
        return found


def cost(calls: Iterable[Call]) -> int:
    return sum(call.cost for call in calls)


def estimated(calls: Iterable[Call]) -> int:
    return sum(call.estimated for call in calls)


def tokens(calls: Iterable[Call]) -> Tokens:
    """The figures of `bise usage`."""
    found = list(calls)
    return Tokens(
        calls=sum(not call.corrects for call in found),
        prompt_tokens=sum(call.prompt for call in found),
        completion_tokens=sum(call.completion for call in found),
        cached_tokens=sum(call.cached for call in found),
        cost_microusd=cost(found),
        estimated_microusd=estimated(found),
    )
