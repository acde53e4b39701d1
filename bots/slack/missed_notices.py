"""The notices of missed questions in Slack: a line with one button."""

from __future__ import annotations

from collections.abc import Callable

from bots.replies import ANSWER_NOW, sentence
from bots.slack.api import Json
from bots.slack.blocks import escaped
from bots.slack.histories import Histories
from bots.slack.manifest import CONTROL_ACTION
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import PlatformUnavailable
from core.messages import Notice
from core.store.missed import MissedNotice

_CLOCK_SKEW_SECONDS = 60.0


class MissedNotices:
    """Honours `core.turns.catching_up.Board`. `find_workspace`: by a team's id. Both raise PlatformError."""

    def __init__(
        self,
        find_workspace: Callable[[str], SlackWorkspace | None],
        histories: Callable[[SlackWorkspace], Histories],
    ) -> None:
        self._find_workspace = find_workspace
        self._histories = histories

    async def find(self, notice: MissedNotice) -> str | None:
        """The channel is looked through for the notice's button, from shortly before it was begun."""
        workspace = self._workspace(notice)
        oldest = f"{notice.since.timestamp() - _CLOCK_SKEW_SECONDS:.6f}"
        for message in await self._histories(workspace).channel(notice.channel, oldest):
            if message.get("user") == workspace.bot.user and notice.control in _values(message):
                return str(message["ts"])
        return None

    async def post(self, notice: MissedNotice) -> str:
        message = {"channel": notice.channel, **_message(sentence(Notice("missed"), platform="slack"), notice.control)}
        try:
            return str((await self._workspace(notice).api.call("chat.postMessage", message))["ts"])
        except RateLimited as limited:
            raise PlatformUnavailable("chat.postMessage: Slack asks to wait", code="ratelimited") from limited

    def _workspace(self, notice: MissedNotice) -> SlackWorkspace:
        workspace = self._find_workspace(notice.workspace.id)
        if workspace is None:
            raise PlatformUnavailable(f"{notice.workspace} is not connected", code="not_installed")
        return workspace


def _message(words: str, control: str) -> Json:
    said = {"type": "section", "text": {"type": "mrkdwn", "text": escaped(words)}}
    label = {"type": "plain_text", "text": ANSWER_NOW}
    button = {"type": "button", "action_id": CONTROL_ACTION, "text": label, "value": control}
    return {"text": escaped(words), "blocks": [said, {"type": "actions", "elements": [button]}]}


def _values(message: Json) -> set[str]:
    blocks = message.get("blocks") or []
    return {str(element.get("value")) for block in blocks for element in block.get("elements") or []}
