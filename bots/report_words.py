"""What people read of a usage report: short lines, for a phone, in one order on every platform."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from bots.report_form import PLAIN, Form, Section
from bots.report_headline import day_and_month, headline, title
from bots.wording import dollars, plain
from core.reports.report import Currency, Movement, Ranking, Report, Share
from core.store.ledger import DIRECT

BUTTONS = {"csv": "CSV", "budget": "Change budget", "mute": "Mute for a week"}
LISTS = ("By model", "By channel", "By person")  # headings of sections that are lists of names and amounts
LIST_PRICE = "US dollars at list price, before tax."
_REFUSED_BY = {
    "installation": "the installation's limit",
    "workspace": "the workspace's limit",
    "channel": "a channel's limit",
    "person": "a person's limit",
    "turn": "the limit of one answer",
}
_SAVED_BY = {"history": "less history", "length": "a shorter answer", "economy": "the economy model"}
_PARTIAL = {
    "first_day": "Bise was first used in this time: it is not whole.",
    "zone": "The time zone changed in this time: a day in it is longer or shorter.",
    "running": "This time is not over yet.",
}
_MOVED = (  # the part, what more of it is called, and what less of it is
    ("turns", "more questions", "fewer questions"),
    ("tokens_per_turn", "longer questions and answers", "shorter questions and answers"),
    ("model_mix", "dearer models", "cheaper models"),
    ("price", "dearer tokens", "cheaper tokens"),
)


def text(report: Report) -> str:
    """The whole report as plain text, for where there is nothing better."""
    sections = (Section("", (title(report),)), headline(report), *details(report), fine_print(report))
    return "\n\n".join(
        "\n".join((*((section.heading,) if section.heading else ()), *section.lines))
        for section in sections
        if section.lines
    )


def details(report: Report, form: Form = PLAIN) -> tuple[Section, ...]:
    """What it went to, what moved it, and what else happened; sections with nothing in them are left out."""
    sections = [
        Section(LISTS[0], _ranked(report.models, form.name)),
        Section(LISTS[1], _ranked(report.channels, lambda name: _channel(name, form))),
        Section(LISTS[2], _ranked(report.people, plain) if report.people is not None else ()),
        Section("What moved it", _moved(report.movement) if report.movement is not None else ()),
        Section("Also", tuple(_also(report))),
    ]
    return tuple(section for section in sections if section.lines)


def fine_print(report: Report) -> Section:
    """What the figures are, and are not."""
    lines = [_PARTIAL[why] for why in report.partial]
    if report.missed:
        days = "1 day" if report.missed == 1 else f"{report.missed:,} days"
        lines.append(f"I was away: there is no report of {days} before this.")
    if report.estimated:
        lines.append(f"{dollars(report.estimated)} of it is estimated: the provider has not told the cost.")
    if report.kind != "monthly" and report.month_estimated > report.estimated:
        lines.append(f"Of {report.last:%B}, {dollars(report.month_estimated)} is estimated and not yet put right.")
    if report.corrections:
        many = "1 correction" if report.corrections == 1 else f"{report.corrections:,} corrections"
        lines.append(f"{many} of earlier days: {signed(report.corrected)}, counted in those days.")
    lines.append(LIST_PRICE)
    if report.currency is not None:
        lines.append(f"{report.currency.code} at {_rate(report.currency)} a dollar.")
    return Section("", tuple(lines))


def alt(report: Report) -> str:
    """What the picture shows, for those who do not see it."""
    if not report.days:
        return "The cost of each of the last 30 days: nothing."
    dearest = max(report.days, key=lambda day: day.cost)
    total = sum(day.cost for day in report.days)
    return (
        f"The cost of each of the last 30 days until {day_and_month(report.last)} by model: {dollars(total)} in all, "
        f"most on {day_and_month(dearest.day)} ({dollars(dearest.cost)})."
    )


def signed(microusd: int) -> str:
    """A change: +$0.20, −$0.10."""
    return f"{'−' if microusd < 0 else '+'}{dollars(abs(microusd))}"


def _ranked(ranking: Ranking, name: Callable[[str], str]) -> tuple[str, ...]:
    lines = [f"{name(share.name)} {dollars(share.cost)}{_change(share)}" for share in ranking.top]
    if ranking.others:
        many = "1 other" if ranking.others == 1 else f"{ranking.others:,} others"
        lines.append(f"{many} {dollars(ranking.others_cost)}")
    return tuple(lines)


def _change(share: Share) -> str:
    return f" ({signed(share.change)})" if share.change else ""


def _channel(name: str, form: Form) -> str:
    return DIRECT if name == DIRECT else form.channel(name)


def _moved(moved: Movement) -> tuple[str, ...]:
    parts = [
        f"{more if amount > 0 else less} {signed(amount)}"
        for name, more, less in _MOVED
        if (amount := getattr(moved, name))
    ]
    return (" · ".join(parts),) if parts else ()


def _also(report: Report) -> Iterable[str]:
    if report.calls:
        tokens = report.prompt_tokens + report.completion_tokens
        counts = [_many(report.turns, "question"), _many(report.calls, "call"), _many(tokens, "token")]
        if report.cache_saved:
            counts.append(f"cache saved {dollars(report.cache_saved)}")
        yield " · ".join(counts)
    if report.first_text_ms is not None:
        yield f"{report.first_text_ms / 1000:.1f} s to the first text (median)"
    if report.refused:
        yield f"Refused: {_counts(report.refused, _REFUSED_BY)}"
    if report.saved:
        yield f"Made cheaper: {_counts(report.saved, _SAVED_BY)}"
    rest = [
        f"failed: {report.failed:,}" if report.failed else "",
        f"added to limits: {dollars(report.topped_up)}" if report.topped_up else "",
        f"👍 {report.helpful:,} 👎 {report.not_helpful:,}"
        if report.helpful is not None and report.not_helpful is not None
        else "",
    ]
    if any(rest):
        line = " · ".join(part for part in rest if part)
        yield line[:1].upper() + line[1:]


def _counts(counts: Iterable[tuple[str, int]], words: dict[str, str]) -> str:
    return ", ".join(f"{turns:,} by {words.get(name, plain(name))}" for name, turns in counts)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _rate(currency: Currency) -> str:
    return f"{currency.per_dollar / 1e6:.6f}".rstrip("0").rstrip(".")
