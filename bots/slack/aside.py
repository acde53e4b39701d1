"""What the asker alone is shown in place of an answer: below the question, else in their direct messages."""

from __future__ import annotations

import structlog

from bots.slack import blocks
from bots.slack.api import Json, SlackApi
from bots.slack.posts import Foot
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import ReplyOrder

log = structlog.get_logger()


class Aside:
    """Sends the words of `foot` with its buttons, a call at a time. Slack lists such a message to nobody afterwards.

    `bucket`: of the next call; None when the asker has them, or when no way was left and `refused` is set: then they
    are for the place of the answer after all.
    """

    def __init__(self, order: ReplyOrder, api: SlackApi, foot: Foot) -> None:
        self._order = order
        self._api = api
        self._foot = foot
        self._ways: list[tuple[str, Json]] = [
            (
                "chat.postEphemeral",
                {"channel": order.channel, "user": order.asker, "thread_ts": order.address["thread_ts"]},
            ),
            ("chat.postMessage", {"channel": order.asker}),
        ]
        self.refused = False
        self._told = False

    @property
    def bucket(self) -> str | None:
        if self._told or not self._ways:
            return None
        method, where = self._ways[0]
        return f"{method}:{where['channel']}" if method == "chat.postMessage" else method

    async def say(self) -> None:
        """Makes the next call. Raises RateLimited, PlatformUnavailable, TokenRevoked."""
        method, where = self._ways[0]
        words = "\n".join(self._foot.notes)
        buttons = blocks.foot_blocks(Foot(again=self._foot.again, ask_admin=self._foot.ask_admin))
        message = {**where, "text": blocks.notification(words), "blocks": [blocks.markdown(words), *buttons]}
        try:
            await self._api.call(method, message)
        except (PlatformUnavailable, TokenRevoked):  # in doubt it is said twice: nobody could look whether it stands
            raise
        except PlatformError as error:
            log.info("slack.aside_refused", turn=self._order.turn, code=error.code)
            self._ways.pop(0)
            self.refused = not self._ways
        else:
            self._told = True
