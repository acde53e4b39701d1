"""The form that a button opens: one amount, typed by an admin, given back to the button's door."""

from __future__ import annotations

from dataclasses import replace

from bots.report_choice_words import ASK_LIMIT, ASK_LIMIT_BUTTON, ASK_LIMIT_HINT, CANCEL, CLOSE
from bots.slack.api import Json
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import PlatformUnavailable
from core.messages import Person, Press, WorkspaceKey

FORM = "bise:form"
_BLOCK, _FIELD = "amount", "typed"
_LONGEST = 40


async def ask(workspace: SlackWorkspace, trigger: str, control: str) -> None:
    """Opens the form for whoever pressed. Raises PlatformError: Slack takes a press's trigger for three seconds."""
    try:
        await workspace.api.call("views.open", {"trigger_id": trigger, "view": _form(control)})
    except RateLimited as limited:
        raise PlatformUnavailable("views.open: Slack asks to wait", code="ratelimited") from limited


def submitted(body: Json, workspace: WorkspaceKey, person: Person) -> Press:
    """A form that was sent, as a press of its button."""
    view: Json = body.get("view") or {}
    field = ((view.get("state") or {}).get("values") or {}).get(_BLOCK, {}).get(_FIELD, {})
    press = Press(workspace, str(view.get("private_metadata") or ""), person)
    return replace(press, typed=str(field.get("value") or ""))


def answer(words: str, *, done: bool) -> Json:
    """What goes back with the acknowledgement: the words in place of the form, or below its field."""
    if not done:
        return {"response_action": "errors", "errors": {_BLOCK: words}}
    said = {"type": "section", "text": {"type": "plain_text", "text": words}}
    return {"response_action": "update", "view": _view([said]) | {"close": _text(CLOSE)}}


def _form(control: str) -> Json:
    field = {
        "type": "input",
        "block_id": _BLOCK,
        "label": _text(ASK_LIMIT),
        "hint": _text(ASK_LIMIT_HINT),
        "element": {"type": "plain_text_input", "action_id": _FIELD, "max_length": _LONGEST},
    }
    buttons = {"submit": _text(ASK_LIMIT_BUTTON), "close": _text(CANCEL)}
    return _view([field]) | buttons | {"private_metadata": control}


def _view(blocks: list[Json]) -> Json:
    return {"type": "modal", "callback_id": FORM, "title": _text(ASK_LIMIT), "blocks": blocks}


def _text(words: str) -> Json:
    return {"type": "plain_text", "text": words}
