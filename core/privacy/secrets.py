"""Secrets that people paste into messages: where they stand, of what kind they are, the text without them. Pure.

Every pattern takes time linear in the text. What is found depends on the text alone, so that a message always looks the
same to the model and the provider's prompt cache is hit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from core.privacy import cards, private_keys

Kind = Literal["private_key", "slack_token", "aws_key", "github_token", "mistral_key", "api_key", "card_number"]
Handling = Literal["mask", "refuse", "off"]
HANDLINGS: tuple[Handling, ...] = get_args(Handling)
MARKS: dict[Kind, str] = {
    "private_key": "[private key left out]",
    "slack_token": "[Slack token left out]",
    "aws_key": "[AWS key left out]",
    "github_token": "[GitHub token left out]",
    "mistral_key": "[Mistral key left out]",
    "api_key": "[API key left out]",
    "card_number": "[card number left out]",
}

# Each begins with letters of its own, for which the text is searched far quicker than for a set or an edge.
_SLACK = (
    re.compile(r"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9%+/=-]{16,}+"),
    re.compile(r"xapp-[0-9]-[A-Z0-9]{6,20}-[0-9]{6,20}-[A-Za-z0-9]{16,}+"),
)
_SLACK_HOOK = re.compile(
    r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Z0-9]{6,20}/[A-Za-z0-9]{6,20}/[A-Za-z0-9/]{16,}+"
)
_SIX_DIGITS = re.compile(r"[0-9]{6}|xox[de]")  # of a token, not of the example in its place
_GITHUB = (
    re.compile(r"gh[pousr]_(?![xX]+(?![A-Za-z0-9]))[A-Za-z0-9]{36,}+(?:[._-][A-Za-z0-9._-]{20,}+)?"),
    re.compile(r"github_pat_(?![xX_]+(?![A-Za-z0-9_]))[A-Za-z0-9_]{50,}+"),
)
_AWS_ID = re.compile(r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_AWS_SECRET = tuple(
    re.compile(
        word + r"(?i:[ _-]?(?:access)?[ _-]?(?:key)?)[\"'`]?[ \t]{0,4}(?::|=>?|is)?[ \t]{0,4}[\"'`]?"
        r"([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
    )
    for word in ("ecret", "ECRET")
)
_AWS_SESSION = tuple(
    re.compile(mark + r"[A-Za-z0-9/+=%]{60,}+") for mark in ("IQoJb3JpZ2lu", "FwoGZXIvYXdz", "FQoGZXIvYXdz")
)
_FORTY = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_NEAR_ID = 300  # characters around an access key's id in which its secret is looked for

# A key of Mistral's has no mark of its own: 32 letters and digits, which is also how other APIs make theirs.
_THIRTY_TWO = re.compile(r"[A-Za-z0-9]{32,}+")
_MISTRAL = re.compile(r"[Mm](?:istral|ISTRAL)")
_EDGES, _EDGES_AFTER = ("+", "/", "_", "-"), ("+", "/", "=", "_", "-")  # then it is part of something longer
_NAMED = re.compile(
    r"(?i:key|token|secret|passw(?:or)?d|bearer|credential)s?[\"'`*]{0,3}[ \t]{0,4}(?::|=>?|is)?[ \t]{0,4}[\"'`]{0,3}$"
)
_NEAR_NAME = 80  # characters before a key in which Mistral is named
_LIKELY_CHANGES = 13  # between capitals, small letters and digits; chance makes 19 of 31, words in camel case 6 to 11
# The shape of a text: letters are "a", digits "0"; what may part the digits of a card is blank.
_SHAPE = bytes(
    97 if chr(code).isalpha() else 48 if chr(code).isdigit() else 32 if code in b" -?" else 46 for code in range(128)
).ljust(256, b".")
_ALNUM = bytes.maketrans(b"0", b"a")


@dataclass(frozen=True, slots=True)
class Secret:
    """What looks like a secret, from `begin` up to `end`."""

    begin: int
    end: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Masked:
    """A text without its secrets, and their kinds, each once, in the order in which they stand."""

    text: str
    kinds: tuple[Kind, ...] = ()


def find(text: str) -> list[Secret]:
    """What looks like a secret, in order; none overlaps another."""
    found = [one for looked in _looks(text) for one in looked]
    found.sort(key=lambda one: (one.begin, -one.end))
    kept: list[Secret] = []
    for one in found:
        if not kept or one.begin >= kept[-1].end:
            kept.append(one)
    return kept


def mask(text: str) -> Masked:
    """The text with a short mark in place of each secret. What is masked already stays as it is."""
    found = find(text)
    if not found:
        return Masked(text)
    parts, end = [], 0
    for one in found:
        parts += [text[end : one.begin], MARKS[one.kind]]
        end = one.end
    return Masked("".join((*parts, text[end:])), tuple(dict.fromkeys(one.kind for one in found)))


def _looks(text: str) -> Iterator[Iterator[Secret]]:
    """What is worth looking for: that there can be none is known far sooner than where one is."""
    if "PRIVATE KEY" in text:
        yield (Secret(begin, end, "private_key") for begin, end in private_keys.find(text))
    yield _slack_tokens(text)
    for pattern in _GITHUB:
        yield _of(pattern, text, "github_token")
    yield _aws_keys(text)
    shape = text.encode("ascii", "replace").translate(_SHAPE)
    if b"a" * 32 in shape.translate(_ALNUM):
        yield _bare_keys(text)
    if b"0" * 14 in shape.translate(None, b" "):
        yield (Secret(begin, end, "card_number") for begin, end in cards.find(text))


def _of(pattern: re.Pattern[str], text: str, kind: Kind) -> Iterator[Secret]:
    """Where it stands, unless a word goes before it."""
    for match in pattern.finditer(text):
        if not text[match.start() - 1 : match.start()].isalnum():
            yield Secret(*match.span(), kind)


def _slack_tokens(text: str) -> Iterator[Secret]:
    """Tokens, and the addresses of incoming webhooks, which open a channel to whoever knows them."""
    for pattern in _SLACK:
        for one in _of(pattern, text, "slack_token"):
            if _SIX_DIGITS.search(text, one.begin, one.end):
                yield one
    yield from _of(_SLACK_HOOK, text, "slack_token")


def _aws_keys(text: str) -> Iterator[Secret]:
    """Ids of access keys, the secrets beside them or after their usual names, and tokens of sessions."""
    looked = 0
    for one in _of(_AWS_ID, text, "aws_key"):
        yield one
        begin = max(looked, one.begin - _NEAR_ID)
        looked = one.end + _NEAR_ID
        for near in _FORTY.finditer(text, begin, looked):
            if _mixed(near[0]):
                yield Secret(*near.span(), "aws_key")
    for pattern in _AWS_SECRET:
        for match in pattern.finditer(text):
            if _mixed(match[1]):
                yield Secret(*match.span(1), "aws_key")
    for pattern in _AWS_SESSION:
        yield from _of(pattern, text, "aws_key")


def _bare_keys(text: str) -> Iterator[Secret]:
    """Keys of 32 letters and digits: Mistral's where it is named before them, another API's where chance made them."""
    named = _MISTRAL.search(text) is not None
    for match in _THIRTY_TWO.finditer(text):
        word = match[0]
        if len(word) != 32 or not (_mixed(word) or named):
            continue
        begin, end = match.span()
        before = text[max(0, begin - _NEAR_NAME) : begin]
        if before.endswith(_EDGES) or text.startswith(_EDGES_AFTER, end) or word.isalpha() or word.isdigit():
            continue
        called = _NAMED.search(before) is not None
        if named and _MISTRAL.search(before) and (called or _random(word)):
            yield Secret(begin, end, "mistral_key")
        elif _random(word) or (called and _mixed(word)):
            yield Secret(begin, end, "api_key")


def _mixed(word: str) -> bool:
    """Capitals, small letters and digits in one word, as no checksum has them."""
    return not (word.islower() or word.isupper() or word.isalpha())


def _random(word: str) -> bool:
    """Whether a word is surely no name: its capitals, small letters and digits change places as chance has it."""
    kinds = [letter.isdigit() * 2 + letter.isupper() for letter in word]
    changes = sum(one != other for one, other in pairwise(kinds))
    return _mixed(word) and kinds.count(2) >= 2 and changes >= _LIKELY_CHANGES
