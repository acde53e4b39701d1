"""A usage report as one Discord embed, within its limits whatever names are in it."""

from __future__ import annotations

from typing import Any

from bots import report_words
from bots.report_form import Form, linked
from bots.report_headline import headline, title
from bots.wording import coded
from core.reports.report import Report

# https://discord.com/developers/docs/resources/message#embed-object-embed-limits
TITLE_MAX, DESCRIPTION_MAX, FIELDS_MAX, NAME_MAX, VALUE_MAX, FOOTER_MAX = 256, 4096, 25, 256, 1024, 2048
_COLOUR = 0xFA500F
FORM = Form(strong=lambda words: f"**{words}**", name=coded, channel=linked)


def embed(report: Report, picture: str | None = None) -> dict[str, Any]:
    """The report; `picture`: the name of a file that is sent with the message."""
    found: dict[str, Any] = {
        "title": title(report)[:TITLE_MAX],
        "description": "\n".join(headline(report, FORM).lines)[:DESCRIPTION_MAX],
        "color": _COLOUR,
        "fields": [
            {
                "name": section.heading[:NAME_MAX],
                "value": _fitting(section.lines),
                "inline": section.heading in report_words.LISTS,
            }
            for section in report_words.details(report, FORM)[:FIELDS_MAX]
        ],
        "footer": {"text": " ".join(report_words.fine_print(report).lines)[:FOOTER_MAX]},
    }
    if picture is not None:
        found["image"] = {"url": f"attachment://{picture}"}
    return found


def _fitting(lines: tuple[str, ...]) -> str:
    """As many whole lines as a field takes."""
    kept: list[str] = []
    room = VALUE_MAX
    for line in lines:
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return "\n".join(kept)
