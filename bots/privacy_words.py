"""What people read of their privacy: what was left out for the model, where their words go."""

from __future__ import annotations

from collections.abc import Callable

from bots.wording import Values, joined, plain
from core.privacy.record import OWN_SERVER

_KINDS = {
    "private_key": "a private key",
    "slack_token": "a Slack token",
    "aws_key": "an AWS key",
    "github_token": "a GitHub token",
    "mistral_key": "a Mistral key",
    "api_key": "an API key",
    "card_number": "a card number",
}
SENTENCES: dict[str, str] = {
    "secrets_which": (
        "Write mask, refuse, off or default. Mask leaves keys, tokens and card numbers out before a message goes to "
        "the model; refuse does not answer such a question; off sends messages as they are."
    ),
}
_HANDLINGS = {
    "mask": (
        "what looks like a key, a token or a card number is left out before a message goes to the model, and whoever "
        "asked is told."
    ),
    "refuse": (
        "I do not answer a question with what looks like a key, a token or a card number in it. Where one stands in "
        "other messages, it is left out before they go to the model."
    ),
    "off": "messages go to the model as they are, also with keys, tokens and card numbers in them.",
}


def _hold(values: Values, _platform: str) -> str:
    return f"Done: {_HANDLINGS.get(str(values.get('handling')), _HANDLINGS['mask'])}"


REGIONS = {"eu": "EU", "us": "US", "global": "not limited"}


def where_words_go(values: Values) -> str:
    """Who computes answers, in which region, on which plan; "" where nothing of it is known."""
    operator = plain(values.get("operator", ""))
    if not operator:
        return ""
    if operator == OWN_SERVER:
        told = "What you write to me is answered by a server of this installation's own."
    else:
        region, plan = str(values.get("region", "")), plain(values.get("plan", ""))
        details = [f"region: {REGIONS.get(region, plain(region))}"] if region else []
        details += [f"plan: {plan.capitalize()}"] if plan else []
        shown = f" ({', '.join(details)})" if details else ""
        told = f"What you write to me goes to {operator}{shown}."
    others = int(values.get("others", 0))
    return told if not others else f"{told} When it cannot be had, another that is set up here is asked."


def _left_out(values: Values, _platform: str) -> str:
    return f"I did not pass on {_looking_like(values)}. It still stands in this chat: if it is real, have it replaced."


def _refused(values: Values, _platform: str) -> str:
    return (
        f"There is {_looking_like(values)} in your message, so I did not pass it on to the model. Please ask again "
        "without it. It still stands in this chat: if it is real, delete it there and have it replaced."
    )


def _looking_like(values: Values) -> str:
    kinds = [_KINDS[kind] for kind in str(values.get("kinds", "")).split(",") if kind in _KINDS]
    return f"what looks like {joined(kinds or ['a secret'])}"


SAID: dict[str, Callable[[Values, str], str]] = {
    "secrets_hold": _hold,
    "secrets_left_out": _left_out,
    "secrets_refused": _refused,
}
