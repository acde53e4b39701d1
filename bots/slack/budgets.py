"""`/bise budget …` as it is typed: which limit of whom is to be what."""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.budgets.periods import Kind
from core.messages import Notice

_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
CHANNEL = re.compile(r"<#([CGD][A-Z0-9]+)(?:\|[^<>]*)?>")
_ID = re.compile(r"[UW][A-Z0-9]{6,}")
_PERIODS: dict[str, Kind] = {"day": "day", "daily": "day", "month": "month", "monthly": "month"}


@dataclass(frozen=True, slots=True)
class ShowBudget:
    """How the limits stand."""


@dataclass(frozen=True, slots=True)
class SetLimit:
    """A limit to set, for the workspace unless a `person` or a `channel` is named; `here`: the channel it is typed in.

    `amount` as it was typed.
    """

    per: Kind
    amount: str
    person: str | None = None
    channel: str | None = None
    here: bool = False


def parse(text: str) -> ShowBudget | SetLimit | Notice:
    """What was typed behind `/bise budget`, in whatever order; a Notice that says how it is written."""
    word, _, rest = text.partition(" ")
    match word.lower():
        case "" | "show":
            return ShowBudget()
        case "set":
            return _limit(rest.split())
        case _:
            return Notice("budget_set_how")


def _limit(words: list[str]) -> SetLimit | Notice:
    per: Kind | None = None
    person, channel, here, amounts = None, None, False, list[str]()
    named = False  # "user" was said, so that a bare id can follow
    for word in words:
        if (mention := _MENTION.fullmatch(word)) or (named and _ID.fullmatch(word)):
            person = mention[1] if mention else word
        elif place := CHANNEL.fullmatch(word):
            channel = place[1]
        elif word.lower() in _PERIODS and per is None:
            per = _PERIODS[word.lower()]
        elif word.lower() == "channel":
            here = True
        elif word.lower() == "user":
            named = True
        else:
            amounts.append(word)
    if (named and person is None) or any(word.startswith("@") for word in amounts):
        return Notice("budget_who")
    if per is None or len(amounts) != 1:
        return Notice("budget_set_how")
    return SetLimit(per, amounts[0], person, channel, here=here and channel is None)
