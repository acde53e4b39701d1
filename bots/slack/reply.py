"""An answer in a channel's thread or a direct message."""

from __future__ import annotations

from bots.replies import sentence, status_text
from bots.slack.aside import Aside
from bots.slack.blocks import small_print
from bots.slack.outlet import Outlet
from bots.slack.posts import Foot
from bots.slack.status import StatusLine
from bots.slack.workspace import SlackWorkspace
from core.errors import PlatformError, PlatformUnavailable
from core.messages import Answer, ConversationKind, Post, ReplyOrder
from core.ports import PostLog


class SlackReply:
    """Honours `core.ports.Reply`: a status at once, a native stream as text comes, edits where it is refused."""

    def __init__(self, order: ReplyOrder, workspace: SlackWorkspace, posts: PostLog) -> None:
        self._words = status_text("thinking", 0)
        thread_ts, sign = order.address["thread_ts"], workspace.signs.take_over(order.turn)
        self._status = StatusLine(
            workspace.api, order.channel, thread_ts, self._post_status, earlier=sign, lease=posts.lease
        )
        self._order, self._api = order, workspace.api
        self._outlet = Outlet(order, workspace, posts, self._status)
        self._writer, self._lease = workspace.writer, posts.lease
        self._lane = self._writer.open(self._outlet, self._lease)
        self._status.show(self._words)

    def status(self, name: str, count: int = 0) -> None:
        self._words = status_text(name, count)
        self._status.show(self._words)

    def write(self, text: str) -> None:
        self._outlet.text += text
        self._lane.touch()

    async def finish(self, answer: Answer) -> None:
        self._conclude(answer)
        try:
            await self._lane.finish()
        finally:
            unseen = not answer.text and (self._hidden(answer) or not answer.notices)
            await self._status.end(clear=unseen and self._lease.held())

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:
        self._conclude(answer)
        self._outlet.aside = None  # what the asker alone was shown is nowhere that a late write could reach
        self._outlet.begin_again(posts)
        self._lane = self._writer.open(self._outlet, self._lease)
        await self._lane.finish()

    def error(self) -> PlatformError | None:
        """Why Slack takes nothing more here. That it cannot be reached right now is no such reason."""
        error = self._lane.error
        return error if isinstance(error, PlatformError) and not isinstance(error, PlatformUnavailable) else None

    async def abandon(self) -> None:
        self._lane.close()
        await self._lane.rest()
        await self._status.end()

    def _conclude(self, answer: Answer) -> None:
        self._outlet.text = answer.text
        notes = small_print([sentence(notice, platform="slack") for notice in answer.notices])
        foot = Foot(notes=notes, again=answer.again, ask_admin=answer.ask_admin)
        self._outlet.foot = foot
        self._outlet.aside = Aside(self._order, self._api, foot) if self._hidden(answer) else None

    def _hidden(self, answer: Answer) -> bool:
        """Whether what is said is for the asker's eyes alone, and others would read it here."""
        return answer.only_asker and not answer.text and self._order.kind is not ConversationKind.DM

    def _post_status(self) -> None:
        """Where Slack shows no status, the answer's own post says what is going on."""
        self._outlet.placeholder = f"_{self._words}_"
        self._lane.touch()
