"""A usage report in Block Kit: a header, a few short sections, small print, and a row of buttons."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bots import report_words
from bots.report_form import Form, Section, linked
from bots.report_headline import headline, title
from bots.report_words import BUTTONS
from bots.slack.api import Json
from bots.slack.blocks import button, escaped
from bots.slack.manifest import CONTROL_ACTION
from bots.wording import coded
from core.messages import Action
from core.reports.report import Report

# Slack wants another action_id for every button of a row: ours are the usual one and the button's kind.
PRESSED = re.compile(rf"{re.escape(CONTROL_ACTION)}:(?:{'|'.join(BUTTONS)})")
_HEADER_MAX = 150
_ALT_MAX = 2000
_SECTION_MAX = 3000
FORM = Form(strong=lambda words: f"*{words}*", name=coded, channel=linked)


def blocks(report: Report, actions: Sequence[Action] = (), picture: str | None = None) -> list[Json]:
    """The report; `picture`: the id of a file that was uploaded to Slack."""
    heading = {"type": "plain_text", "text": title(report)[:_HEADER_MAX]}
    found: list[Json] = [
        {"type": "header", "text": heading},
        _section((headline(report, FORM),)),
    ]
    if picture is not None:
        alt_text = report_words.alt(report)[:_ALT_MAX]
        found.append({"type": "image", "slack_file": {"id": picture}, "alt_text": alt_text})
    details = report_words.details(report, FORM)
    lists = [section for section in details if section.heading in report_words.LISTS]
    others = [section for section in details if section.heading not in report_words.LISTS]
    found += [_section(together) for together in (lists, others) if together]
    small = " ".join(report_words.fine_print(report).lines)
    found.append({"type": "context", "elements": [{"type": "mrkdwn", "text": escaped(small)}]})
    if actions:
        found.append({"type": "actions", "elements": [_button(action) for action in actions]})
    return found


def _section(sections: Sequence[Section]) -> Json:
    parts = ["\n".join((*((f"*{one.heading}*",) if one.heading else ()), *one.lines)) for one in sections]
    return {"type": "section", "text": {"type": "mrkdwn", "text": "\n\n".join(parts)[:_SECTION_MAX]}}


def _button(action: Action) -> Json:
    return button(BUTTONS[action.kind], action.control) | {"action_id": f"{CONTROL_ACTION}:{action.kind}"}
