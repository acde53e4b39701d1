"""Every figure of a report is what the ledger's rows add up to, by hand, on both databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots import report_words
from bots.wording import dollars
from core.budgets.terms import Terms
from core.messages import Tokens
from core.mistral.catalogue import Catalogue
from core.reports import figures as usage
from core.reports.basis import Basis
from core.reports.daily import figures
from core.reports.prices import Prices
from core.reports.ranking import TOP
from core.reports.report import KINDS, Currency, Kind, Report
from core.reports.rows import csv as table
from core.store.ledger import DIRECT
from tests.databases import Place
from tests.integration.report_by_hand import ByHand, cost, estimated, tokens
from tests.integration.report_ledger import NOW, ON, OURS, TEAM, TENTHS, World, lay_down, worlds

CATALOGUE = Catalogue.load()
some = settings(
    max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def basis(place: Place) -> Basis:
    terms = Terms.of(place.settings())
    return Basis(NOW, terms, Prices(CATALOGUE, TENTHS), Currency("EUR", 920_000))


def made(place: Place, kind: Kind, on: date = ON) -> Report:
    with place.connected() as connection:
        return figures(connection, OURS, TEAM, kind, on, basis=basis(place))


@some
@given(world=worlds, kind=st.sampled_from(KINDS))
def test_each_figure_is_the_sum_of_its_rows(place: Place, world: World, kind: Kind) -> None:
    lay_down(place, world)
    report, hand = made(place, kind), ByHand(world, kind)
    assert (report.first, report.last) == (min(hand.days), max(hand.days))
    assert (report.cost, report.estimated) == (cost(hand.calls), estimated(hand.calls))
    assert (report.month, report.month_estimated) == (cost(hand.month), estimated(hand.month))
    assert (report.before, report.compared) == (hand.before, len(hand.times_before))
    counted = Tokens(
        report.calls,
        report.prompt_tokens,
        report.completion_tokens,
        report.cached_tokens,
        report.cost,
        report.estimated,
    )
    assert counted == tokens(hand.calls)
    assert (report.turns, report.first_text_ms) == (hand.turns, hand.first_text_ms)
    assert report.cache_saved == hand.cache_saved
    assert (report.failed, dict(report.refused), dict(report.saved)) == (hand.failed, hand.refused, hand.saved)
    assert report.topped_up == hand.topped_up
    assert (report.corrections, report.corrected) == (len(hand.corrections), cost(hand.corrections))
    for ranking, by_hand in ((report.models, hand.by_model), (report.channels, hand.by_channel)):
        assert {share.name: share.cost for share in ranking.top}.items() <= by_hand.items()
        assert [share.cost for share in ranking.top] == sorted(by_hand.values(), reverse=True)[:TOP]
        assert sum(share.cost for share in ranking.top) + ranking.others_cost == report.cost
        assert len(ranking.top) + ranking.others == len(by_hand)
    assert Report.from_json(report.to_json()) == report


@some
@given(world=worlds, kind=st.sampled_from(KINDS))
def test_what_moved_it_adds_up_to_the_change(place: Place, world: World, kind: Kind) -> None:
    lay_down(place, world)
    report = made(place, kind)
    assert (report.movement.total if report.movement is not None else None) == report.change


@some
@given(world=worlds)
def test_the_budgets_bar_is_the_month_as_it_stands(place: Place, world: World) -> None:
    lay_down(place, world)
    report = made(place, "daily")
    settled = cost(call for call in world.ours if call.day.month == ON.month)
    limit = 20_000_000 + world.extra
    assert report.limit == limit
    assert report.bar is not None
    assert (report.bar.limit, report.bar.settled, report.bar.held) == (limit, settled, world.held)
    assert report.bar.free == max(limit - settled - world.held, 0)


@some
@given(world=worlds, kind=st.sampled_from(KINDS))
def test_the_message_says_the_same_amounts(place: Place, world: World, kind: Kind) -> None:
    lay_down(place, world)
    report, hand = made(place, kind), ByHand(world, kind)
    lines = report_words.text(report).split("\n")
    euros = cost(hand.calls) * 92 / 100_000_000
    assert lines[2].startswith(f"{dollars(cost(hand.calls))} (EUR {euros:,.2f})")
    found = "\n".join(lines)
    if kind != "monthly":
        assert f"\nNovember so far: {dollars(cost(hand.month))} (EUR" in found
    for by_hand in (hand.by_model, hand.by_channel):
        for name in sorted(by_hand, key=lambda name: (-by_hand[name], name))[:TOP]:
            assert any(line.startswith(f"{name.replace('_', '')} {dollars(by_hand[name])}") for line in lines)
    if any(not call.corrects for call in hand.calls):
        counted = tokens(hand.calls)
        assert f"{counted.calls:,} call" in found
        assert f" {counted.prompt_tokens + counted.completion_tokens:,} token" in found
    if hand.cache_saved and report.calls:
        assert f"cache saved {dollars(hand.cache_saved)}" in found
    if hand.topped_up:
        assert f"dded to limits: {dollars(hand.topped_up)}" in found
    if estimated(hand.calls) > 0:
        assert f"{dollars(estimated(hand.calls))} of it is estimated" in found


@some
@given(world=worlds)
def test_the_file_adds_up_to_the_same(place: Place, world: World) -> None:
    lay_down(place, world)
    first = ON - timedelta(days=30)
    with place.connected() as connection:
        lines = list(csv.DictReader(io.StringIO(table(connection, OURS, TEAM, first, ON))))
    calls = [call for call in world.ours if first <= call.day <= ON]
    for name in {call.model for call in calls}:
        of_model = tokens(call for call in calls if call.model == name)
        assert summed(line for line in lines if line["model"] == name) == of_model
    direct = tokens(call for call in calls if call.channel.startswith("D"))
    assert summed(line for line in lines if line["channel"] == DIRECT) == direct
    for day in {call.day for call in calls}:
        of_day = tokens(call for call in calls if call.day == day)
        assert summed(line for line in lines if line["day"] == day.isoformat()) == of_day
    assert summed(iter(lines)) == tokens(calls)


def summed(lines: Iterator[dict[str, str]]) -> Tokens:
    found = list(lines)
    counts = [sum(int(line[name]) for line in found) for name in COUNTS]
    amounts = [sum(Decimal(line[name]) for line in found) * 1_000_000 for name in ("cost_usd", "estimated_usd")]
    return Tokens(*counts, *(int(amount) for amount in amounts))


COUNTS = ("calls", "prompt_tokens", "completion_tokens", "cached_tokens")


@some
@given(world=worlds)
async def test_usage_says_the_same(place: Place, world: World) -> None:
    lay_down(place, world)
    hand = ByHand(world, "weekly")
    database = place.open()
    try:
        span = {"since": min(hand.days), "until": max(hand.days)}
        by_model = await usage.table(database, TEAM, by="model", **span)
        by_channel = await usage.table(database, TEAM, by="channel", **span)
    finally:
        await database.close()
    report = made(place, "weekly")
    assert by_model.total == tokens(hand.calls)
    assert by_model.total.cost_microusd == report.cost
    assert {name: found.cost_microusd for name, found in by_model.by} == hand.by_model
    assert {name: found.cost_microusd for name, found in by_channel.by} == hand.by_channel
