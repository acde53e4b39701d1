"""How a platform writes what is in a report: names from outside may neither ping nor write markup."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bots.wording import coded, plain

_CHANNEL = re.compile(r"[CG][A-Z0-9]{1,20}|[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Form:
    """How a platform writes what is not plain words. Names come from outside: none may ping or write markup."""

    strong: Callable[[str], str]
    name: Callable[[str], str]
    channel: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Section:
    """Lines under a heading; without one they need none."""

    heading: str
    lines: tuple[str, ...]


PLAIN = Form(strong=str, name=plain, channel=plain)


def linked(channel: str) -> str:
    """A channel as Slack and Discord link it, which pings nobody; anything else as code."""
    return f"<#{channel}>" if _CHANNEL.fullmatch(channel) else coded(channel)
