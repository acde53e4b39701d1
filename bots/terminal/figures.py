"""`bise usage` and `bise models`: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime
from typing import Any

import migrations
from bots import replies
from bots.figure_words import unclear_text
from bots.terminal.tables import print_table
from core.errors import ModelError
from core.messages import Tokens, WorkspaceKey
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient
from core.mistral.models import Model
from core.reports import figures
from core.service import home_of
from core.settings import Settings
from core.store.database import Database
from core.store.ledger import Grouping


async def usage(
    settings: Settings,
    workspace: WorkspaceKey,
    *,
    since: date | None,
    until: date | None,
    by: Grouping | None,
    as_json: bool,
) -> int:
    """Prints what a workspace has used. Raises WrongUse for one that nothing is known of."""
    database = Database.open(settings.database_url)
    try:
        await database.check(migrations.NEWEST)
        table = await figures.table(database, workspace, since=since, until=until, by=by)
        unclear = await figures.unclear(database, workspace, datetime.now(UTC))
        if by == "user" and not table.pseudonyms:
            await figures.named_people(database, workspace, "usage", by=None, now=datetime.now(UTC))
    finally:
        await database.close()
    if unclear is not None:
        sys.stderr.write(unclear_text(unclear) + "\n")
    if as_json:
        body: dict[str, Any] = {"total": _figures(table.total)}
        if by is not None:
            body["by"] = [{by: name, **_figures(tokens)} for name, tokens in table.by]
        sys.stdout.write(json.dumps(body) + "\n")
        return 0
    heads = (by or "", "calls", "tokens in", "cached", "tokens out", "cost", "estimated")
    rows = [_row(name, tokens) for name, tokens in table.by]
    print_table(heads, [*rows, _row("total", table.total)])
    if table.pseudonyms:
        sys.stderr.write(
            "Who spent what is not shown until the workspace turns that on: people have numbers instead.\n"
        )
    return 0


async def estimated(
    settings: Settings, workspace: WorkspaceKey, *, since: date | None, until: date | None, as_json: bool
) -> int:
    """Prints the calls whose cost is estimated, with their numbers. Raises WrongUse for an unknown workspace."""
    database = Database.open(settings.database_url)
    try:
        await database.check(migrations.NEWEST)
        calls = await figures.estimated(database, workspace, since=since, until=until)
    finally:
        await database.close()
    if as_json:
        body = [
            {
                "call": call.number,
                "at": call.at.isoformat(),
                "day": call.local_date.isoformat(),
                "model": call.model,
                "outcome": call.outcome,
                "cost_microusd": call.cost_microusd,
                "estimated_microusd": call.estimated_microusd,
            }
            for call in calls
        ]
        sys.stdout.write(json.dumps({"calls": body}) + "\n")
        return 0
    if not calls:
        sys.stderr.write("The cost of every call is known.\n")
        return 0
    print_table(
        ("call", "day", "model", "outcome", "estimated"),
        [
            (
                str(call.number),
                call.local_date.isoformat(),
                call.model,
                call.outcome,
                replies.dollars(call.estimated_microusd),
            )
            for call in calls
        ],
        left=4,
    )
    sys.stderr.write(f"`bise budget correct {calls[0].number} --cost 0.0123` puts the first one right.\n")
    return 0


async def models(settings: Settings, *, as_json: bool) -> int:
    """Prints the models: what each costs, whether the home has it, and what replaces it."""
    catalogue = Catalogue.load(settings.catalogue_file)
    today = datetime.now(UTC).date()
    live, why = await _live(settings)
    rows = [_model(model, today, live, settings, catalogue) for model in catalogue.models.values()]
    if as_json:
        sys.stdout.write(json.dumps({"models": rows, "live_known": live is not None}) + "\n")
        return 0
    heads = ("model", "status", "context", "$ in / out per M", "sees", "live", "instead")
    print_table(
        heads,
        [
            (
                row["id"],
                row["status"],
                f"{row['context'] // 1000}k" if row["context"] else "–",
                f"{row['input_usd']} / {row['output_usd']}" if row["input_usd"] is not None else "–",
                "yes" if row["vision"] else "no",
                {True: "yes", False: "no", None: "?"}[row["live"]],
                row["replacement"] or "",
            )
            for row in rows
        ],
    )
    if why:
        sys.stderr.write(why + "\n")
    return 0


async def _live(settings: Settings) -> tuple[frozenset[str] | None, str]:
    if not settings.has_model:
        return None, "What is live is not known: set MISTRAL_API_KEY to ask."
    home = home_of(settings)
    if home.models() is None:
        return None, f"What is live is not known: {home.name} has no list that could be asked for."
    client = MistralClient(home)
    try:
        return frozenset(card.id for card in await client.models()), ""
    except ModelError as error:
        return None, f"What is live is not known: the home did not tell ({error.reason})."
    finally:
        await client.aclose()


def _model(
    model: Model, today: date, live: frozenset[str] | None, settings: Settings, catalogue: Catalogue
) -> dict[str, Any]:
    price = model.price(today) if model.prices else None
    factor = home_of(settings).price_tenths / 10
    successor = catalogue.replacement(model.id, today=today)
    return {
        "id": model.id,
        "aliases": list(model.aliases),
        "status": "retired" if model.retired(today) else model.status,
        "context": model.context,
        "input_usd": round(price.input_microusd * factor / 1_000_000, 4) if price else None,
        "output_usd": round(price.output_microusd * factor / 1_000_000, 4) if price else None,
        "vision": model.vision,
        "live": None if live is None else any(name in live for name in (model.id, *model.aliases)),
        "replacement": successor.id if successor else None,
    }


def _figures(tokens: Tokens) -> dict[str, int]:
    return {
        "calls": tokens.calls,
        "prompt_tokens": tokens.prompt_tokens,
        "completion_tokens": tokens.completion_tokens,
        "cached_tokens": tokens.cached_tokens,
        "cost_microusd": tokens.cost_microusd,
        "estimated_microusd": tokens.estimated_microusd,
    }


def _row(name: str, tokens: Tokens) -> tuple[str, ...]:
    counts = (tokens.calls, tokens.prompt_tokens, tokens.cached_tokens, tokens.completion_tokens)
    money = (replies.dollars(tokens.cost_microusd), replies.dollars(tokens.estimated_microusd))
    return (name, *(f"{count:,}" for count in counts), *money)
