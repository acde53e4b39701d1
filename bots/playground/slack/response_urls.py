"""The addresses at which the app answers a command or a button: five uses in half an hour."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from aiohttp import web

from bots.playground.slack.arguments import ApiError, Arguments
from bots.playground.slack.events import Events
from bots.playground.slack.posts import SlackPost, Via
from bots.playground.slack.records import ApiCall, Json
from bots.playground.slack.web_api import WebApi
from bots.playground.slack.workspace import Workspace

USES = 5
SECONDS = 1800.0
URLS_MAX = 2000


@dataclass(slots=True)
class ResponseUrl:
    """`original`: the message to replace: the pressed button's, or what the command's last answer became."""

    id: str
    user: str
    channel: str
    expires_at: float
    original: SlackPost | None
    via: Via | None
    uses: int = 0


class ResponseUrls:
    def __init__(self, workspace: Workspace, events: Events, web_api: WebApi) -> None:
        self._workspace = workspace
        self._events = events
        self._web_api = web_api
        self._urls: OrderedDict[str, ResponseUrl] = OrderedDict()

    def issue(
        self, user: str, channel: str, *, original: SlackPost | None = None, via: Via | None = None
    ) -> ResponseUrl:
        url = ResponseUrl(
            self._workspace.world.new_id("R"), user, channel, self._workspace.clock() + SECONDS, original, via
        )
        self._urls[url.id] = url
        while len(self._urls) > URLS_MAX:
            self._urls.popitem(last=False)
        return url

    def address(self, url: ResponseUrl) -> str:
        return f"{self._workspace.world.address}/response/{url.id}"

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a POST of the app: 200 `ok`, or 404 and 400 with the error. Recorded as a call "response_url"."""
        url = self._urls.get(request.match_info["id"])
        body: Json = {}
        error: str | None = None
        status = 200
        try:
            parsed = await request.json()
            body = parsed if isinstance(parsed, dict) else {}
        except ValueError:
            error, status = "invalid_payload", 400
        if error is None and (url is None or self._workspace.clock() > url.expires_at):
            error, status = "expired_url", 404
        elif error is None and url is not None:
            error, status = await self._use(url, body)
        self._web_api.calls.append(ApiCall("response_url", body, self._workspace.clock(), error))
        self._workspace.changes.wake()
        return web.json_response({"ok": error is None, **({"error": error} if error else {})}, status=status)

    async def _use(self, url: ResponseUrl, body: Json) -> tuple[str | None, int]:
        if url.uses >= USES:
            return "used_url", 404
        url.uses += 1
        try:
            await self.respond(url, body)
        except ApiError as refusal:
            return refusal.error, 400
        return None, 200

    async def respond(self, url: ResponseUrl, body: Json) -> None:
        """Post, replace or delete as the body says; ephemeral unless it says "in_channel". Raises ApiError."""
        original = url.original and self._current(url.original)
        if body.get("delete_original"):
            if original is not None:
                self._workspace.remove(original)
            return
        content = Arguments(body).content()
        if body.get("replace_original") and original is not None:
            url.original = self._workspace.change(original, **content)
            return
        post = self._workspace.add(
            url.channel,
            self._workspace.world.bot_user_id,
            bot_id=self._workspace.world.bot_id,
            thread_ts=body.get("thread_ts") or (original.thread_ts if original else None),
            only_for=None if body.get("response_type") == "in_channel" else url.user,
            via=url.via,
            **content,
        )
        if url.original is None:
            url.original = post
        if post.only_for is None:
            await self._events.posted(post)

    def _current(self, post: SlackPost) -> SlackPost | None:
        find = self._workspace.find if post.only_for is None else self._workspace.find_ephemeral
        return find(post.channel, post.ts)
