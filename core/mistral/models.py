"""A language model as the catalogue describes it: what it reads, what it costs, when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from core.chat import ReasoningEffort, Usage
from core.errors import UnknownModel

Status = Literal["current", "preview", "retired"]
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Micro-dollars per million tokens, from the day `since` on."""

    since: date
    input_microusd: int
    output_microusd: int
    cached_microusd: int


@dataclass(frozen=True, slots=True)
class PagePrice:
    """Micro-dollars per thousand pages read, from the day `since` on."""

    since: date
    thousand_pages_microusd: int


@dataclass(frozen=True, slots=True)
class ImageGrid:
    """How an encoder cuts an image: squares of `patch * merge` pixels, after shrinking it to `max_side` pixels."""

    patch: int
    merge: int
    max_side: int

    def tokens(self, width: int, height: int) -> int:
        """Tokens of an image of `width` by `height` pixels: one per square, and one per row of them."""
        if width < 1 or height < 1:
            raise ValueError(f"an image has at least one pixel: {width}x{height}")
        longest = max(width, height)
        if longest > self.max_side:
            width, height = self._shrunk(width, longest), self._shrunk(height, longest)
        square = self.patch * self.merge
        columns = (width - 1) // square + 1
        rows = (height - 1) // square + 1
        return rows * (columns + 1)

    def _shrunk(self, side: int, longest: int) -> int:
        # Halves go up: never a token fewer than an encoder that rounds halves to even.
        return max(1, (2 * side * self.max_side + longest) // (2 * longest))


@dataclass(frozen=True, slots=True)
class Model:
    """One dated model. `context` in tokens; `tools` and `output_limit` are None where nobody says.

    `reasoning`: the efforts that it takes as `reasoning_effort`; none where it does not take that field.
    """

    id: str
    status: Status
    context: int
    aliases: tuple[str, ...] = ()
    chat: bool = True
    output_limit: int | None = None
    vision: bool = False
    audio: bool = False
    tools: bool | None = None
    reasoning: tuple[ReasoningEffort, ...] = ()
    image_grid: ImageGrid | None = None
    retired_on: date | None = None
    replacement: str | None = None
    prices: tuple[Price, ...] = ()
    page_prices: tuple[PagePrice, ...] = ()

    @classmethod
    def unlisted(cls, name: str, *, context: int = 8192, vision: bool = False) -> Model:
        """A model that no catalogue has, on a home that costs nothing: it has no price, so it cannot be costed."""
        return cls(id=name, status="current", context=context, vision=vision)

    def retired(self, today: date) -> bool:
        """Whether Mistral has stopped serving it by `today`."""
        if self.retired_on is not None:
            return today >= self.retired_on
        return self.status == "retired"

    def price(self, on: date) -> Price:
        """The price that holds on that day (before the first known one, the first); UnknownModel if it has none."""
        if not self.prices:
            raise UnknownModel(f"{self.id} has no price per token")
        return next((price for price in reversed(self.prices) if price.since <= on), self.prices[0])

    def cost(self, usage: Usage, on: date, *, price_tenths: int = 10) -> int:
        """Micro-dollars of one call, rounded up once, on the sum. `price_tenths`: the home's factor (11 is x 1.1)."""
        price = self.price(on)
        cached = min(usage.cached_tokens, usage.prompt_tokens)
        per_million = (
            (usage.prompt_tokens - cached) * price.input_microusd
            + cached * price.cached_microusd
            + usage.completion_tokens * price.output_microusd
        )
        return -(-per_million * price_tenths // (10 * MILLION))

    def image_tokens(self, width: int, height: int) -> int:
        """Tokens of an image of that many pixels; 0 for a model that cannot see, as it is shown none."""
        return self.image_grid.tokens(width, height) if self.image_grid is not None else 0
