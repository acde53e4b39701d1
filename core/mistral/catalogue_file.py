"""The catalogue as it is written: TOML rows, checked, laid over each other, made into models."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import msgspec

from core import operator_file
from core.chat import ReasoningEffort
from core.mistral.models import ImageGrid, Model, PagePrice, Price, Status

EXAMPLE = (  # a whole file in one line, to be pasted
    'model = [{ id = "my-model", status = "current", context = 32_000, vision = false, '
    "prices = [{ from = 2026-01-01, input_microusd = 100_000, output_microusd = 300_000 }] }]"
)
Document = dict[str, Any]
Money = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Name = Annotated[str, msgspec.Meta(min_length=1)]


class _Row(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    pass


class _PriceRow(_Row, frozen=True):
    since: date = msgspec.field(name="from")
    input_microusd: Money
    output_microusd: Money
    cached_microusd: Money | None = None


class _PagePriceRow(_Row, frozen=True):
    since: date = msgspec.field(name="from")
    thousand_pages_microusd: Money


class _GridRow(_Row, frozen=True):
    patch: Count
    merge: Count
    max_side: Count


class _ModelRow(_Row, frozen=True):
    id: Name
    status: Status
    aliases: tuple[Name, ...] = ()
    chat: bool = True
    context: Count | None = None
    output_limit: Count | None = None
    vision: bool = False
    audio: bool = False
    tools: bool | None = None
    reasoning: tuple[ReasoningEffort, ...] = ()
    image_grid: _GridRow | None = None
    retired_on: date | None = None
    replacement: Name | None = None
    prices: tuple[_PriceRow, ...] = ()
    page_prices: tuple[_PagePriceRow, ...] = ()


class _CatalogueRows(_Row, frozen=True):
    model: tuple[_ModelRow, ...] = ()
    tiers: dict[str, str] = {}


def read(path: Path) -> Document:
    """The file's rows as they stand; ValueError says why there are none to read."""
    return operator_file.read(path)


def merged(built_in: Document, own: Document) -> Document:
    """The operator's rows laid over the built-in ones: field by field for a known id, added for a new one."""
    rows = own.get("model", [])
    tiers = own.get("tiers", {})
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows) or not isinstance(tiers, dict):
        raise ValueError("models are written as [[model]] and tiers as [tiers]")
    by_id = {row["id"]: row for row in built_in["model"]}
    own_ids: set[str] = set()
    for row in rows:
        id_ = row.get("id")
        if not isinstance(id_, str) or not id_ or id_ in own_ids:
            raise ValueError("each [[model]] has an id of its own")
        own_ids.add(id_)
        by_id[id_] = {**by_id.get(id_, {}), **row}
    rest = {key: value for key, value in own.items() if key not in ("model", "tiers")}
    return {"model": list(by_id.values()), "tiers": {**built_in["tiers"], **tiers}, **rest}


def models_and_tiers(document: Document) -> tuple[tuple[Model, ...], dict[str, str]]:
    """Checked models and tiers; ValueError says which row's which field is wrong."""
    try:
        rows = msgspec.convert(document, _CatalogueRows)
    except msgspec.ValidationError as exc:
        raise ValueError(_with_id(str(exc), document)) from exc
    return tuple(_model(row) for row in rows.model), rows.tiers


def _model(row: _ModelRow) -> Model:
    if row.chat and (row.context is None or not row.prices):
        raise ValueError(f"{row.id}: a chat model has a context and at least one price")
    if row.chat and row.vision and row.image_grid is None:
        raise ValueError(f"{row.id}: a model that sees has an image_grid")
    for prices in (row.prices, row.page_prices):
        if len({price.since for price in prices}) != len(prices):
            raise ValueError(f"{row.id}: two prices from the same day")
    grid = row.image_grid
    return Model(
        id=row.id,
        status=row.status,
        context=row.context or 0,
        aliases=row.aliases,
        chat=row.chat,
        output_limit=row.output_limit,
        vision=row.vision,
        audio=row.audio,
        tools=row.tools,
        reasoning=row.reasoning,
        image_grid=ImageGrid(grid.patch, grid.merge, grid.max_side) if grid is not None else None,
        retired_on=row.retired_on,
        replacement=row.replacement,
        prices=tuple(sorted((_price(price) for price in row.prices), key=lambda price: price.since)),
        page_prices=tuple(
            sorted(
                (PagePrice(price.since, price.thousand_pages_microusd) for price in row.page_prices),
                key=lambda price: price.since,
            )
        ),
    )


def _price(row: _PriceRow) -> Price:
    # Cached input costs a tenth of input; a price that does not divide is rounded up.
    cached = row.cached_microusd if row.cached_microusd is not None else -(-row.input_microusd // 10)
    return Price(row.since, row.input_microusd, row.output_microusd, cached)


def _with_id(problem: str, document: Document) -> str:
    """The same problem with the model's id where msgspec gives its position."""
    for position, row in enumerate(document.get("model", ())):
        place = f"$.model[{position}]"
        if problem.endswith((f"`{place}`",)) or f"`{place}." in problem:
            return problem.replace(place, str(row.get("id", place)))
    return problem
