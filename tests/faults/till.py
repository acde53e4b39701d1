"""The provider's till: what a model truly billed, beside what Bise believes, while calls are cut and processes die."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass, field

from bots.playground.mistral import bill
from bots.playground.mistral.replies import Body, Reply
from bots.playground.mistral.simulator import MistralSimulator
from core.chat import Usage
from core.mistral.catalogue import Catalogue
from tests.books import wrong
from tests.databases import Place

CUT = 0.2  # of the streams break before their usage is told
ECONOMY = "mistral-small-2603"
SHORTEST = 256  # tokens of an answer when money is short
_TOGETHER = "SELECT spent_microusd, reserved_microusd FROM budget WHERE place = 'installation' AND kind = 'month'"
_WORD = "gust"  # one token, as the scripted model counts


@dataclass(slots=True)
class Till:
    """The model behind `simulator`, which says as much as it may, and the limit of the installation's month.

    `pause`: seconds between the pieces of an answer. `over`: micro-dollars that were billed above the limit, or above
    what was spent and held, at the worst look; `looks`: how many there were.
    """

    simulator: MistralSimulator
    place: Place
    limit: int
    seed: int
    pause: float
    over: int = -(2**62)
    looks: int = 0
    cut: int = 0
    _chance: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._chance.seed(self.seed)
        self.simulator.script = self._answer

    async def watch(self) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(0.05)

    async def look(self) -> None:
        """The bill first: what is held or spent covers it then, and still covers it when it is read."""
        billed = self.simulator.billed_microusd
        rows = await asyncio.to_thread(self.place.rows, _TOGETHER)
        spent, reserved = rows[0] if rows else (0, 0)
        self.over = max(self.over, billed - self.limit, billed - spent - reserved)
        self.looks += 1

    @property
    def overspent(self) -> int:
        """Micro-dollars that were billed without cover."""
        return max(self.over, 0)

    def spent(self) -> int:
        return int(self.place.rows(_TOGETHER)[0][0])

    def stranded(self) -> float:
        """The share of the limit that is spent by the ledger and was never billed: estimates at their bound."""
        return (self.spent() - self.simulator.billed_microusd) / self.limit

    def told(self) -> str:
        """The figures, in words."""
        return (
            f"{len(self.simulator.calls)} calls, {self.cut} cut, limit {self.limit}, overspent {self.overspent} µUSD "
            f"at {self.looks} looks, spent {self.spent() / self.limit:.0%}, stranded {self.stranded():.1%}"
        )

    def refused(self) -> tuple[int, int]:
        """How many turns the limits refused, and how many of them although there was room for the shortest call.

        Everybody asks as much, so that each call's prompt says what the shortest one would have cost at worst.
        """
        held = self.place.rows("SELECT max(prompt_tokens) FROM reservation")
        model = Catalogue.load().models[ECONOMY]
        day = self.simulator.calls[0].on
        least = model.cost(Usage(int(held[0][0]), SHORTEST), day)
        notices = self.place.rows("SELECT notices FROM turn WHERE refused_by IS NOT NULL")
        told = [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in notices]
        left = [one["values"]["left"] for found in told for one in found if one["name"] == "budget_refused"]
        assert len(left) == len(told), "each refusal has its sentence"
        return len(left), sum(room >= least for room in left)

    def errors(self) -> list[str]:
        """What is wrong in the books, and holds that are left."""
        held = self.place.rows("SELECT id FROM reservation WHERE state = 'held'")
        return [*wrong(self.place.rows), *(f"hold {number} is left" for (number,) in held)]

    def _answer(self, body: Body) -> Reply:
        """As long as it may be, or shorter; most of it thoughts, which are billed and need not be shown."""
        longest, chance = int(body["max_tokens"]), self._chance
        tokens = longest if chance.random() < 0.4 else chance.randint(8, longest)
        said = ("A wind", " from", " the north.")
        thought = max(tokens - sum(bill.text_tokens(piece) for piece in said), 1)
        cut_after = None
        if chance.random() < CUT:
            self.cut += 1
            cut_after = chance.randint(0, len(said))
        return Reply(chunks=said, thinking=_WORD * thought, chunk_delay=self.pause, cut_after=cut_after)
