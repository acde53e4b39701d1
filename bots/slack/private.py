"""An answer to `/bise ask`, which only the asker sees: written through the command's `response_url`."""

from __future__ import annotations

import asyncio

import aiohttp
import structlog
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bots.rendering import render, stable_prefix
from bots.replies import sentence, status_text
from bots.slack import blocks
from bots.slack.api import LIBRARY_LOG, Json, is_loopback
from bots.slack.posts import NO_FOOT, Foot
from bots.slack.workspace import SlackWorkspace
from bots.splitting import split
from bots.writer import UNFENCED, RateLimited
from core.errors import PlatformError, PlatformUnavailable
from core.messages import Answer, Post, ReplyOrder
from core.ports import Lease

USES = 5  # in 30 minutes
PIECE_MAX = 10_000
UPDATE_AFTER_SECONDS = (3.0, 12.0)  # since the first words; the other uses are the status and the final text
TRIES = 3

log = structlog.get_logger()


class PrivateReply:
    """Honours `core.ports.Reply`. What the `response_url` does not take any more goes into a direct message."""

    def __init__(
        self,
        order: ReplyOrder,
        workspace: SlackWorkspace,
        lease: Lease = UNFENCED,
        pauses: tuple[float, ...] = UPDATE_AFTER_SECONDS,
    ) -> None:
        self._order = order
        self._workspace = workspace
        self._lease = lease
        self._pauses = pauses
        self._text = ""
        self._uses = 0
        self._begun = asyncio.Event()
        self._writing = asyncio.Lock()
        self._progress = asyncio.create_task(self._show_progress(status_text("thinking")))

    def status(self, name: str, count: int = 0) -> None:
        """Each change would cost one of five uses: the first status stays."""

    def write(self, text: str) -> None:
        self._text += text
        self._begun.set()

    async def finish(self, answer: Answer) -> None:
        await self.abandon()
        await self._lease.wait()
        notes = blocks.small_print([sentence(notice, platform="slack") for notice in answer.notices])
        texts = [piece.text for piece in split(render(answer.text, "slack"), PIECE_MAX)]
        if not texts and not notes:
            await self._respond({"delete_original": True})
            return
        foot = Foot(notes=notes if texts else (), again=answer.again, ask_admin=answer.ask_admin)
        for number, text in enumerate(texts or ["\n".join(notes)]):
            last = number >= len(texts) - 1
            body = _body(text, foot if last else NO_FOOT, replace=number == 0)
            await self._lease.wait()
            if not await self._respond(body):
                await self._write_directly(body)

    async def again(self, answer: Answer, posts: tuple[Post, ...]) -> None:  # noqa: ARG002 - it has none that are known
        """Only the first post is ever written over, so only it can have been spoiled by a late write."""
        pieces = split(render(answer.text, "slack"), PIECE_MAX)
        if pieces:
            notes = blocks.small_print([sentence(notice, platform="slack") for notice in answer.notices])
            foot = Foot(notes=notes, again=answer.again, ask_admin=answer.ask_admin) if len(pieces) == 1 else NO_FOOT
            await self._respond(_body(pieces[0].text, foot, replace=True))

    def error(self) -> PlatformError | None:
        """None: what the `response_url` refuses can still be written in a direct message."""
        return None

    async def abandon(self) -> None:
        # A call under way is waited for: cut off, it could still arrive, after the final text.
        async with self._writing:
            self._progress.cancel()
        await asyncio.gather(self._progress, return_exceptions=True)

    async def _show_progress(self, status: str) -> None:
        foot = Foot(stop=self._order.stop)
        await self._show(_body(f"_Bise {status}_", foot, replace=True))
        await self._begun.wait()
        for pause in self._pauses:
            await asyncio.sleep(pause)
            text = render(self._text[: stable_prefix(self._text)], "slack")
            pieces = split(text, PIECE_MAX)
            if pieces:
                await self._show(_body(pieces[0].text, foot, replace=True))

    async def _show(self, body: Json) -> None:
        """What is no final write is left out while the turn may not be written."""
        async with self._writing:
            if self._lease.held():
                await self._respond(body)
                if not self._lease.held():
                    self._lease.overrun()

    async def _respond(self, body: Json) -> bool:
        """Whether Slack took it."""
        url = self._order.address.get("response_url", "")
        if not url or self._uses >= USES:
            return False
        self._uses += 1
        client = AsyncWebhookClient(url, session=self._workspace.session, retry_handlers=[], logger=LIBRARY_LOG)
        if is_loopback(url):
            client.proxy = None
        try:
            answer = await client.send_dict({"response_type": "ephemeral", **body})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("slack.response_failed", turn=self._order.turn, error=type(error).__name__)
            return False
        if answer.status_code != 200:
            log.info("slack.response_refused", turn=self._order.turn, status=answer.status_code)
        return answer.status_code == 200

    async def _write_directly(self, body: Json) -> None:
        message = {"channel": self._order.asker, "text": body["text"], "blocks": body["blocks"]}
        for attempt in range(1, TRIES + 1):
            try:
                await self._workspace.api.call("chat.postMessage", message)
            except RateLimited as error:
                if attempt == TRIES:
                    raise PlatformUnavailable("chat.postMessage: rate limited", code="ratelimited") from error
                await asyncio.sleep(error.retry_after)
            else:
                return


def _body(text: str, foot: Foot, *, replace: bool) -> Json:
    content = [blocks.markdown(text), *blocks.foot_blocks(foot)] if text else blocks.foot_blocks(foot)
    return {"replace_original": replace, "text": blocks.notification(text), "blocks": content}
