"""The kinds of values that settings have, the names of their variables, and the one line for a wrong one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AliasChoices, AliasGenerator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

# Fields whose variables have no BISE_ before them.
OWN_NAMES = ("slack_", "discord_", "mistral_", "database_", "azure_", "google_", "aws_", "sagemaker_")
_DOLLARS = re.compile(r"\d{1,9}(\.\d{1,6})?")
_CURRENCY = re.compile(r"([A-Z]{3}):(\d{1,6}(?:\.\d{1,6})?)")


@dataclass(frozen=True, slots=True)
class SecondCurrency:
    """A currency that amounts are shown in besides dollars; a dollar is `per_dollar` millionths of it."""

    code: str
    per_dollar: int


def variable(field: str) -> str:
    """The name of the variable that sets a field, unless the field says otherwise."""
    return field.upper() if field.startswith(OWN_NAMES) else f"BISE_{field.upper()}"


def _dollars(value: Any) -> Any:
    """US dollars as text to integer micro-dollars; `none` to None."""
    if value is None or isinstance(value, int):
        return value
    text = str(value).strip()
    if text.lower() == "none":
        return None
    if not _DOLLARS.fullmatch(text):
        raise ValueError("is not an amount of US dollars such as 20.00 (or the word none)")
    try:
        return int(Decimal(text) * 1_000_000)
    except InvalidOperation as error:  # pragma: no cover - the pattern above leaves none
        raise ValueError("is not an amount of US dollars such as 20.00") from error


def _currency(value: Any) -> Any:
    """`EUR:0.92` to a SecondCurrency."""
    if value is None or isinstance(value, SecondCurrency):
        return value
    match = _CURRENCY.fullmatch(str(value).strip())
    if match is None or match[1] == "USD" or not (per_dollar := int(Decimal(match[2]) * 1_000_000)):
        raise ValueError("is not a currency and what a dollar is worth in it, such as EUR:0.92")
    return SecondCurrency(match[1], per_dollar)


def _count_or_none(value: Any) -> Any:
    return None if str(value).strip().lower() == "none" else value


def _yes(value: Any) -> Any:
    words = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
    if isinstance(value, bool):
        return value
    if (word := words.get(str(value).strip().lower())) is None:
        raise ValueError("must be yes or no")
    return word


def _list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Dollars = Annotated[int | None, BeforeValidator(_dollars)]
Currency = Annotated[SecondCurrency | None, BeforeValidator(_currency)]
YesNo = Annotated[bool, BeforeValidator(_yes)]
Names = Annotated[tuple[str, ...], BeforeValidator(_list)]
PerMinute = Annotated[int | None, Field(gt=0), BeforeValidator(_count_or_none)]


# How every class of settings reads its variables.
FORM = ConfigDict(
    frozen=True,
    extra="ignore",
    hide_input_in_errors=True,
    alias_generator=AliasGenerator(validation_alias=variable),
    populate_by_name=True,
    str_strip_whitespace=True,
)


def variables(field: FieldInfo) -> tuple[str, ...]:
    """Every variable that sets a field, the one that wins first."""
    alias = field.validation_alias
    return tuple(str(name) for name in alias.choices) if isinstance(alias, AliasChoices) else (str(alias),)


def what_it_is(token: str) -> str:
    """The end of a sentence that says which token of Slack's this is; "" if it is none."""
    kinds = {
        "xoxb-": "a Slack bot token (for SLACK_BOT_TOKEN)",
        "xapp-": "a Slack app token (for SLACK_APP_TOKEN)",
        "xoxp-": "a Slack user token, which Bise does not use",
    }
    kind = next((name for prefix, name in kinds.items() if token.startswith(prefix)), None)
    return f"; this one is {kind}" if kind else ""


def one_line(error: ValidationError, fields: Mapping[str, FieldInfo]) -> str:
    """The first fault: the variable, what is wrong, an example. Never the value: it may be a secret."""
    fault = error.errors(include_input=False, include_url=False)[0]
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return message
    name = str(fault["loc"][0])
    if not message.startswith(("is ", "must ", "has ", "names ")):
        message = _plain_words(fault)
    default = next((info.default for info in fields.values() if name in variables(info)), None)
    example = _EXAMPLES.get(name) or (f"{name}={default}" if isinstance(default, str | int) else "")
    if example and example in message.replace(" such as ", f" such as {name}="):  # it is said already
        example = ""
    return f"{name} {message}.{f' Example: {example}' if example else ''}"


def _plain_words(fault: Any) -> str:
    """A fault of a number or a choice, without the validator's jargon."""
    limits = fault.get("ctx", {})
    match fault["type"]:
        case "int_parsing" | "int_type" | "int_from_float":
            return "must be a whole number"
        case "greater_than_equal":
            return f"must be {limits['ge']} or more"
        case "greater_than":
            return f"must be more than {limits['gt']}"
        case "less_than_equal":
            return f"must be {limits['le']} or less"
        case "literal_error":
            return f"must be {limits['expected']}"
        case "string_too_long":
            return f"must have {limits['max_length']} characters at most"
        case _:
            return f"is wrong: {fault['msg'][0].lower()}{fault['msg'][1:]}"


_EXAMPLES = {
    "SLACK_BOT_TOKEN": "SLACK_BOT_TOKEN=xoxb-…",
    "SLACK_APP_TOKEN": "SLACK_APP_TOKEN=xapp-…",
    "BISE_MONTHLY_BUDGET": "BISE_MONTHLY_BUDGET=20.00",
    "BISE_SELF_HOSTED": "BISE_SELF_HOSTED=yes",
    "BISE_ALLOW_EXTERNAL": "BISE_ALLOW_EXTERNAL=no",
    "BISE_SECRETS": "BISE_SECRETS=mask",
    "BISE_TIMEZONE": "BISE_TIMEZONE=Europe/Paris",
    "MISTRAL_BASE_URL": "MISTRAL_BASE_URL=http://127.0.0.1:8000/v1",
}
