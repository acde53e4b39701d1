"""What people read when they choose about their reports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from bots.wording import Values, coded, day_and_time, dollars

ASK_LIMIT = "The month's limit"
ASK_LIMIT_HINT = "US dollars, such as 25.00, or none, or default"
ASK_LIMIT_BUTTON = "Change"
CANCEL, CLOSE = "Cancel", "Close"
_COMMANDS = {"slack": "/bise report", "discord": "/bise-admin report", "local": "bise report --workspace W settings"}
_KINDS = {"daily": "every day", "weekly": "every week", "monthly": "every month"}
SENTENCES = {
    "report_not_admin": "Only an admin can change when and where reports come.",
    "report_not_yours": "Only an admin can do that with a report.",
    "report_table": "The figures are in the file {name}, a table for a spreadsheet.",
    "report_table_sent": "I have sent you the file {name}, a table for a spreadsheet: it is in our direct messages.",
    "report_before": "That report was posted before, or is on its way: a report is posted once.",
    "report_on_its_way": "Done: the report is on its way to where reports go.",
    "report_no_use": "Nobody has used me here yet, so there is nothing to report.",
    "report": "Here is the usage report.",
}


def report_choices(values: Values, platform: str) -> str:
    """What holds, and how to change it."""
    command = _COMMANDS.get(platform, _COMMANDS["slack"])
    lines = [_coming(values)]
    lines.append(f"They are posted in {_place(values, platform)}.")
    extras = [
        words
        for name, words in (
            ("weekdays_only", "nothing comes at weekends"),
            ("zero_days", "days without use have a report, too"),
            ("people", "they say what each person has spent"),
        )
        if values.get(name)
    ]
    if extras:
        lines.append(f"{', '.join(extras).capitalize()}.")
    lines.append(
        f"An admin changes this with `{command}` and one of: `hour 8`, `channel`, `daily off`, `weekly on`, `monthly "
        "on`, `weekdays on`, `zero-days on`, `people on`, `mute week`, `mute off`, `off`, `now`."
    )
    return "\n".join(lines)


def report_choice_made(values: Values, platform: str) -> str:
    """One of them was made."""
    return f"Done. {_coming(values)} They are posted in {_place(values, platform)}."


def report_choice_how(values: Values, platform: str) -> str:  # noqa: ARG001
    """What can be written."""
    command = _COMMANDS.get(platform, _COMMANDS["slack"])
    return (
        f"Write `{command}` and one of: `hour 8`, `channel` with a channel, `daily on`, `weekly on`, `monthly on`, "
        "`weekdays on`, `zero-days on`, `people on` (each also with off), `mute week`, `mute off`, `off`, `now`."
    )


def report_muted(values: Values, platform: str) -> str:
    """The button below a report was pressed."""
    command = _COMMANDS.get(platform, _COMMANDS["slack"])
    until = day_and_time(datetime.fromisoformat(str(values["until"]))) if values.get("until") else "next week"
    return f"Done: no report until {until} (UTC). `{command} mute off` brings them back earlier."


def report_limit_set(values: Values, platform: str) -> str:  # noqa: ARG001
    """The budget button's amount was taken."""
    if values.get("none"):
        return "Done: there is no limit for a month any more, besides those of the installation."
    limit, spent = int(values.get("limit", 0)), int(values.get("spent", 0))
    over = " That is no more than what is spent: I refuse new questions until the month is over." * (spent >= limit)
    return f"Done: {dollars(limit)} may be spent each month. {dollars(spent)} of this month's is spent.{over}"


def wrong_use(values: Values, platform: str) -> str:  # noqa: ARG001
    """What was typed cannot be taken; the core says why in a sentence of its own."""
    return str(values.get("why", "")) or "That cannot be taken as it is written."


def _coming(values: Values) -> str:
    kinds = [kind for kind in str(values.get("kinds", "")).split(",") if kind in _KINDS]
    if not kinds:
        return "No reports come: they are turned off."
    zone, hour = coded(values["zone"]), int(values["hour"])
    how_often = " and ".join(_KINDS[kind] for kind in kinds)
    muted = " They are muted until then." if values.get("muted") else ""
    following = datetime.fromisoformat(str(values["next"]))
    return f"A report comes {how_often} at {hour:02}:00 ({zone}); the next on {day_and_time(following)}.{muted}"


def _place(values: Values, platform: str) -> str:
    if channel := str(values.get("channel", "")):
        return f"<#{channel}>" if platform in ("slack", "discord") and channel.isalnum() else coded(channel)
    return "the channel that was set up for reports, or else told to admins privately"


SAID: dict[str, Callable[[Values, str], str]] = {
    "report_choices": report_choices,
    "report_choice_made": report_choice_made,
    "report_choice_how": report_choice_how,
    "report_muted": report_muted,
    "report_limit_set": report_limit_set,
    "wrong_use": wrong_use,
}
