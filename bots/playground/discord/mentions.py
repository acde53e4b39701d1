"""Whom a text names, and whom it would wake: Discord's rules of mentions and `allowed_mentions`."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass

from bots.playground.discord.records import Json
from bots.playground.discord.refusals import invalid

_PERSON = re.compile(r"<@!?(\d{15,20})>")
_ROLE = re.compile(r"<@&(\d{15,20})>")
_EVERYONE = re.compile(r"@(everyone|here)\b")
_CODE = re.compile(r"```.*?```|``.*?``|`[^`\n]*`", re.DOTALL)
_KINDS = frozenset({"users", "roles", "everyone"})


@dataclass(frozen=True, slots=True)
class Mentions:
    """Ids named in a text, in order, and "everyone" or "here" where it calls to all."""

    people: tuple[str, ...]
    roles: tuple[str, ...]
    all: tuple[str, ...]


def named(content: str, people: Container[str], roles: Container[str]) -> Mentions:
    """What a text mentions; code names nobody."""
    plain = _CODE.sub(" ", content)
    return Mentions(
        _known(_PERSON.findall(plain), people),
        _known(_ROLE.findall(plain), roles),
        tuple(dict.fromkeys(_EVERYONE.findall(plain))),
    )


def _known(found: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    return tuple(id_ for id_ in dict.fromkeys(found) if id_ in known)


def allowed(mentions: Mentions, rules: Json | None, replied_to: str | None) -> Mentions:
    """What of it counts under `allowed_mentions`; without rules everything does, the author replied to included."""
    if rules is None:
        return Mentions(_with(mentions.people, replied_to), mentions.roles, mentions.all)
    kinds = rules.get("parse") or []
    people = tuple(id_ for id_ in mentions.people if "users" in kinds or id_ in (rules.get("users") or []))
    roles = tuple(id_ for id_ in mentions.roles if "roles" in kinds or id_ in (rules.get("roles") or []))
    return Mentions(
        _with(people, replied_to if rules.get("replied_user") else None),
        roles,
        mentions.all if "everyone" in kinds else (),
    )


def _with(people: tuple[str, ...], more: str | None) -> tuple[str, ...]:
    return people if more is None or more in people else (*people, more)


def check(rules: object) -> Json | None:
    """The `allowed_mentions` of a body. Raises Refused where Discord would not take them."""
    if rules is None:
        return None
    if not isinstance(rules, dict):
        raise invalid("allowed_mentions", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
    parse = rules.get("parse") or []
    for kind in parse:
        if kind not in _KINDS:
            raise invalid("allowed_mentions.parse", "BASE_TYPE_CHOICES", "Value must be one of users, roles, everyone.")
    for kind in ("users", "roles"):
        ids = rules.get(kind) or []
        if ids and kind in parse:
            words = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise invalid("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", words)
        if len(ids) > 100:
            raise invalid(f"allowed_mentions.{kind}", "BASE_TYPE_MAX_LENGTH", "Must be 100 or fewer in length.")
    # Ids may come as numbers; compare them as text.
    lists = {kind: [str(id_) for id_ in rules.get(kind) or []] for kind in ("users", "roles")}
    return {**rules, **lists}
