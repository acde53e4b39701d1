"""The simulated Slack as tests, the bench and the playground's page use it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from aiohttp import web

from bots.playground.slack import page
from bots.playground.slack.chat_methods import ChatMethods
from bots.playground.slack.delivery import HttpReply, Postman, Retry
from bots.playground.slack.downloads import Downloads
from bots.playground.slack.events import Events
from bots.playground.slack.faults import SlackFaults
from bots.playground.slack.file_methods import FileMethods
from bots.playground.slack.hands import Hands
from bots.playground.slack.lookup_methods import LookupMethods
from bots.playground.slack.posts import SlackPost, UploadedFile
from bots.playground.slack.records import ApiCall, CommandOutcome, Delivery, Json
from bots.playground.slack.response_urls import ResponseUrls
from bots.playground.slack.stream_methods import StreamMethods
from bots.playground.slack.web_api import WebApi
from bots.playground.slack.workspace import Workspace
from bots.playground.slack.world import ChannelKind, World


class SlackSimulator:
    """One workspace with one app; the real clients of Slack connect to it once it is mounted and `base_url` is set.

    People: U0ADA (admin), U0GRACE, U0GUEST (guest), U0OTHER (another organisation's); channels C0GENERAL and
    C0RANDOM, and a DM with each person (D0ADA …). `clock` gives epoch seconds. `request_url`: where events,
    commands and interactions go as signed HTTP requests instead of over Socket Mode.
    """

    def __init__(self, *, faults: SlackFaults | None = None, clock: Callable[[], float] = time.time) -> None:
        self._faults = faults or SlackFaults()
        self.world = World()
        self._workspace = Workspace(self.world, self._faults, clock)
        self._postman = Postman(self.world, self._faults, clock, self._workspace.changes.wake)
        events = Events(self._workspace, self._postman)
        self._files = FileMethods(self._workspace, events)
        methods = (
            ChatMethods(self._workspace, events).table()
            | StreamMethods(self._workspace, events).table()
            | LookupMethods(self._workspace, self._postman.sockets).table()
            | self._files.table()
        )
        self._web_api = WebApi(self._workspace, methods)
        self._urls = ResponseUrls(self._workspace, events, self._web_api)
        self._hands = Hands(self._workspace, events, self._postman, self._urls)
        self.team_id = self.world.team_id
        self.team_name = self.world.team_name
        self.bot_user_id = self.world.bot_user_id
        self.bot_id = self.world.bot_id
        self.app_id = self.world.app_id
        self.bot_token = self.world.bot_token
        self.app_token = self.world.app_token
        self.signing_secret = self.world.signing_secret

    # Serving

    def mount(self, app: web.Application, prefix: str = "/slack") -> None:
        """Add the routes: {prefix}/api/{method}, /socket, /files/…, /preview/…, /response/{id}; closing comes along."""
        self.world.prefix = prefix
        downloads = Downloads(self._workspace)
        app.router.add_route("*", f"{prefix}/api/{{method}}", self._web_api.handle)
        app.router.add_get(f"{prefix}/socket", self._postman.sockets.serve)
        app.router.add_get(f"{prefix}/files/{{file}}/{{name}}", downloads.private)
        app.router.add_get(f"{prefix}/preview/{{file}}/{{name}}", downloads.preview)
        app.router.add_post(f"{prefix}/response/{{id}}", self._urls.handle)
        app.router.add_post(f"{prefix}/upload/{{file}}", self._files.upload)
        app.on_shutdown.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        await self._postman.close()

    @property
    def base_url(self) -> str:
        """Where the server is reached, without the prefix ("http://127.0.0.1:8765"); set by whoever starts it."""
        return self.world.base_url

    @base_url.setter
    def base_url(self, url: str) -> None:
        self.world.base_url = url

    @property
    def api_url(self) -> str:
        return f"{self.world.address}/api/"

    @property
    def granted_scopes(self) -> set[str]:
        """The bot token's scopes; missing ones refuse methods and hold events back."""
        return self.world.granted_scopes

    @granted_scopes.setter
    def granted_scopes(self, scopes: set[str]) -> None:
        self.world.granted_scopes = scopes

    @property
    def faults(self) -> SlackFaults:
        """The faults in force; change its fields at any time."""
        return self._faults

    # The world

    def add_person(
        self, user_id: str, name: str, *, admin: bool = False, team: str | None = None, guest: bool = False
    ) -> None:
        """A person with a DM of their own, in every open channel; `team`: of another organisation."""
        self.world.add_person(user_id, name, admin=admin, team=team, guest=guest)

    def add_channel(
        self, channel_id: str, name: str, *, kind: ChannelKind = "channel", members: set[str] | None = None
    ) -> None:
        """A channel that the bot is in (see `faults.not_in_channels`)."""
        self.world.add_channel(channel_id, name, kind=kind, members=members)

    # What a person does

    async def post(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread_ts: str | None = None,
        files: Sequence[UploadedFile] = (),
    ) -> str:
        """Write a message and return its ts once its events are sent; mentions are written `<@U0BISE>`."""
        return await self._hands.post(user, channel, text, thread_ts=thread_ts, files=files)

    async def post_as_bot(
        self,
        channel: str,
        text: str,
        *,
        bot_id: str = "B0OTHER",
        name: str = "Other bot",
        thread_ts: str | None = None,
    ) -> str:
        """Another app's bot writes; returns the ts."""
        return await self._hands.post_as_bot(channel, text, bot_id=bot_id, name=name, thread_ts=thread_ts)

    async def edit(self, user: str, channel: str, ts: str, text: str) -> None:
        await self._hands.edit(user, channel, ts, text)

    async def unfurl(self, channel: str, ts: str) -> None:
        """Slack adds a link's preview: `message_changed` with the same words."""
        await self._hands.unfurl(channel, ts)

    async def delete(self, user: str, channel: str, ts: str) -> None:
        await self._hands.delete(user, channel, ts)

    async def react(self, user: str, channel: str, ts: str, name: str) -> None:
        await self._hands.react(user, channel, ts, name)

    async def command(self, user: str, channel: str, command: str, text: str) -> CommandOutcome:
        """Give a slash command and wait for its ack, `faults.ack_timeout` seconds at most."""
        return await self._hands.command(user, channel, command, text)

    async def press(self, user: str, channel: str, ts: str, action_id: str, *, value: str | None = None) -> None:
        """Press a message's button, an ephemeral one's too; `value` chooses among buttons of one action."""
        await self._hands.press(user, channel, ts, action_id, value=value)

    async def submit(self, user: str, typed: str) -> Json | None:
        """Send the form that somebody has open, with this in its only field; returns what the app answers."""
        return await self._hands.submit(user, typed)

    async def shortcut(self, user: str, channel: str, ts: str, callback_id: str) -> None:
        """Choose an entry of a message's menu."""
        await self._hands.shortcut(user, channel, ts, callback_id)

    # What a person sees

    def messages(self, channel: str, thread_ts: str | None = None) -> list[SlackPost]:
        """What everybody sees in a channel, replies included, or in one thread with its root; oldest first."""
        if thread_ts is not None:
            return self._workspace.thread(channel, thread_ts)
        return [post for post in self._workspace.posts() if post.channel == channel and post.only_for is None]

    def status(self, channel: str, thread_ts: str) -> str | None:
        """The status line at a thread's foot, such as "is thinking…"."""
        return self._workspace.statuses().get((channel, thread_ts))

    def form(self, user: str) -> Json | None:
        """The form that this person has open."""
        return self._workspace.forms.get(user)

    def ephemerals(self, user: str) -> list[SlackPost]:
        """What only this person sees, oldest first."""
        return [post for post in self._workspace.posts() if post.only_for == user]

    async def until(self, predicate: Callable[[], bool], timeout: float = 10) -> None:  # noqa: ASYNC109
        """Return once the predicate holds; it is asked after each change. Raises TimeoutError after `timeout` s."""
        try:
            await self._workspace.changes.until(predicate, timeout)
        except TimeoutError:
            last = ", ".join(call.method + (f" ({call.error})" if call.error else "") for call in self.calls[-8:])
            raise TimeoutError(f"not so within {timeout} s; last calls: {last or 'none'}") from None

    # For the page

    def snapshot(self) -> Json:
        """The whole workspace as the page shows it."""
        return page.snapshot(self.world, self._workspace.posts(), self._workspace.statuses())

    def subscribe(self) -> AbstractContextManager[asyncio.Queue[Json]]:
        """A queue of changes since now: message, deleted, status, or resync (take a new snapshot)."""
        return self._workspace.changes.subscribe()

    # What went over the wire

    @property
    def calls(self) -> list[ApiCall]:
        """The last 20,000 Web API calls and uses of response URLs (method "response_url"), oldest first."""
        return list(self._web_api.calls)

    @property
    def deliveries(self) -> list[Delivery]:
        """The last 20,000 deliveries to the app, retries too, oldest first."""
        return list(self._postman.records.values())

    @property
    def sockets(self) -> int:
        """WebSockets that get events."""
        return self._postman.sockets.count

    async def drop_sockets(self, *, abruptly: bool = False) -> None:
        """Close every WebSocket; `abruptly`: without a word."""
        await self._postman.sockets.drop(abruptly=abruptly)

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Send the `disconnect` frame on every WebSocket."""
        await self._postman.sockets.disconnect(reason)

    # HTTP mode

    @property
    def request_url(self) -> str | None:
        return self._postman.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self._postman.request_url = url

    async def post_event_http(
        self,
        url: str,
        payload: Json,
        *,
        retry: Retry | None = None,
        timestamp: str | None = None,
        secret: str | None = None,
    ) -> HttpReply:
        """POST one signed payload to the app and return its answer; a wrong timestamp or secret can be given."""
        return await self._postman.post(
            url, json.dumps(payload).encode(), retry=retry, timestamp=timestamp, secret=secret
        )

    async def verify_url(self, url: str) -> bool:
        """Slack's `url_verification`: whether the app answers 200 with the challenge."""
        challenge = self.world.new_id("challenge")
        payload = {"type": "url_verification", "token": "deprecated", "challenge": challenge}
        reply = await self.post_event_http(url, payload)
        return reply.status == 200 and challenge.encode() in reply.body
