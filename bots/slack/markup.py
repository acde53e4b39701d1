"""Slack's wire text as plain words: mentions by name, links readable, escapes undone."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOKEN = re.compile(r"<([^<>]+)>")
_SPECIAL = re.compile(r"!(here|channel|everyone)")


def plain(text: str, bot: str, names: Mapping[str, str]) -> str:
    """`text` without the mention of `bot` (a user id); others become "@name" from `names`, else "@id"."""
    own = rf"<@{re.escape(bot)}(?:\|[^<>]*)?>"
    text = re.sub(rf"\A\s*(?:{own}[ \t]*)+[:,]?", "", text)
    text = re.sub(rf"[ \t]*{own}[ \t]*", " ", text)
    text = _TOKEN.sub(lambda token: _words(token[1], names), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _words(token: str, names: Mapping[str, str]) -> str:
    target, _, label = token.partition("|")
    if target.startswith("@"):
        return f"@{label.removeprefix('@') or names.get(target[1:], target[1:])}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if special := _SPECIAL.match(target):
        return f"@{special[1]}"
    if target.startswith("!"):
        return label or target[1:]
    if not label or label in target:
        return target.removeprefix("mailto:")
    return f"{label} ({target})"
