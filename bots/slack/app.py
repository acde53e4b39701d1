"""The Slack adapter: puts its parts together, connects, and is the core's ChatPlatform for Slack."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime

import aiohttp
import httpx
import structlog
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp

from bots.replies import sentence
from bots.slack.announcements import Announcements
from bots.slack.api import web_client
from bots.slack.blocks import escaped
from bots.slack.catch_up import CatchUp
from bots.slack.listeners import Listeners
from bots.slack.manifest import EVENTS_PATH, SCOPES
from bots.slack.ports import Core
from bots.slack.private import PrivateReply
from bots.slack.reply import SlackReply
from bots.slack.signs import Signs
from bots.slack.sockets import SocketMode
from bots.slack.webhook import Webhook
from bots.slack.workspace import SlackWorkspace
from bots.writer import RateLimited
from core.errors import AttachmentError, PlaceForbidden, PlaceGone, PlatformUnavailable, SettingsError, TokenRevoked
from core.messages import Announcement, Attachment, ConversationKind, Notice, ReplyOrder, WorkspaceKey
from core.ports import OWNER, PostLog, Reply
from core.settings import Settings
from core.turns.catching_up import CatchingUp

API_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
DOWNLOAD_TIMEOUT = httpx.Timeout(10)

log = structlog.get_logger()


class SlackAdapter:
    """Slack by Socket Mode, or by HTTP where there is a signing secret and no app-level token."""

    name = "slack"

    def __init__(self, settings: Settings, core: Core) -> None:
        self._settings = settings
        self._core = core
        self._workspaces: dict[str, SlackWorkspace] = {}
        self._announcements = Announcements(self._workspaces)
        self._app: AsyncApp | None = None
        self._socket: SocketMode | None = None
        self._listeners: Listeners | None = None
        self._catch_up: CatchUp | None = None
        self._writing = False
        self._open = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Returns when messages come in. Raises SettingsError, TokenRevoked or PlatformUnavailable, in one line."""
        await self._or_close(self._connect(self._settings))

    async def start_writing(self) -> None:
        """Returns when answers can be written and files read, though no message comes in. Raises as `start` does."""
        await self._or_close(self._connect_to_write(self._settings))
        self._writing = True

    async def _or_close(self, connecting: Awaitable[object]) -> None:
        try:
            await connecting
        except TokenRevoked as error:
            await self.close()
            raise TokenRevoked(
                f"Slack refuses a token ({error.code}): set SLACK_BOT_TOKEN and SLACK_APP_TOKEN anew", code=error.code
            ) from error
        except RateLimited as error:
            await self.close()
            raise PlatformUnavailable(f"Slack asks to wait {error.retry_after:.0f} s", code="ratelimited") from error
        except BaseException:
            await self.close()
            raise

    async def _connect_to_write(self, settings: Settings) -> aiohttp.ClientSession:
        """The workspace, by the Web API alone; the session that its calls share."""
        if settings.slack_bot_token is None:
            raise SettingsError("SLACK_BOT_TOKEN is not set. Example: SLACK_BOT_TOKEN=xoxb-…")
        session = await self._open.enter_async_context(aiohttp.ClientSession(timeout=API_TIMEOUT))
        http = await self._open.enter_async_context(httpx.AsyncClient(timeout=DOWNLOAD_TIMEOUT))
        token, url = settings.slack_bot_token.get_secret_value(), settings.slack_api_url
        workspace = await SlackWorkspace.open(token, url, session, http)
        if settings.postgres:
            # Any process may run the turn: the sign cannot wait to see whether its reply begins, it would come late.
            workspace = replace(workspace, signs=Signs(workspace.api, workspace.writer, patience=0.0))
        self._open.push_async_callback(workspace.close)
        self._workspaces[workspace.bot.team] = workspace
        if missing := sorted(set(SCOPES) - workspace.scopes):
            log.warning("slack.scopes_missing", team=workspace.bot.team, scopes=missing)
        log.info("slack.ready_to_write", team=workspace.bot.team)
        return session

    async def _connect(self, settings: Settings) -> None:
        session = await self._connect_to_write(settings)
        url = settings.slack_api_url
        admins = frozenset(who.removeprefix("slack:") for who in settings.admins if who.startswith("slack:"))
        secret = settings.slack_signing_secret
        missed = CatchingUp.of(self.name, self._core)
        self._listeners = listeners = Listeners(self._core, self._find, admins, settings, missed)
        if missed is not None:
            self._catch_up = CatchUp(missed, self._workspaces, listeners.take_missed, self._session)
            self._catch_up.start()
        app = listeners.bolt(web_client(url, session), secret.get_secret_value() if secret else "")
        if settings.slack_app_token is not None:
            self._socket = SocketMode(app, web_client(url, session, settings.slack_app_token.get_secret_value()))
            await self._open_socket(self._socket)
        self._app = app
        if self._catch_up is not None:
            self._catch_up.look()
        log.info("slack.ready", teams=sorted(self._workspaces), mode="socket" if self._socket else "http")

    async def _open_socket(self, socket: SocketMode) -> None:
        try:
            await socket.open()
        except PlaceForbidden as error:
            raise SettingsError(
                "SLACK_APP_TOKEN may not open a Socket Mode connection: make one with the scope connections:write "
                "(api.slack.com/apps, Basic Information, App-Level Tokens)"
            ) from error

    async def stop_receiving(self) -> None:
        """What is being stored is still acknowledged; answers go on."""
        self._app = None
        if self._socket is not None:
            socket, self._socket = self._socket, None
            await socket.close()
        if self._catch_up is not None:
            catch_up, self._catch_up = self._catch_up, None
            await catch_up.close()

    async def close(self) -> None:
        await self.stop_receiving()
        if self._listeners is not None:
            await self._listeners.close()
        self._workspaces.clear()
        self._writing = False
        await self._open.aclose()

    def not_ready(self) -> str | None:
        """Why no message can come in; None when one can, or where none is wanted."""
        if self._writing:
            return None
        if self._app is None:
            return "slack: not started"
        if self._socket is not None and not self._socket.is_connected:
            return "slack: Socket Mode is not connected"
        return None

    def _session(self) -> object | None:
        """What brings events: another object after each new connection; None while none come."""
        if self.not_ready() is not None:
            return None
        return self._app if self._socket is None else self._socket.session

    def mount(self, app: web.Application) -> None:
        """POST /slack/events, in HTTP mode."""
        secret = self._settings.slack_signing_secret
        if secret is None or self._settings.slack_app_token is not None:
            return
        webhook = Webhook(secret.get_secret_value(), lambda: self._app)
        app.router.add_post(EVENTS_PATH, webhook.handle)

    def reply(self, order: ReplyOrder, posts: PostLog) -> Reply:
        """Raises PlatformUnavailable where the workspace is not connected."""
        workspace = self._workspaces.get(order.workspace.id)
        if workspace is None:
            raise PlatformUnavailable(f"{order.workspace} is not connected", code="not_installed")
        if order.kind is ConversationKind.PRIVATE:
            return PrivateReply(order, workspace, posts.lease)
        return SlackReply(order, workspace, posts)

    async def download(self, workspace: WorkspaceKey, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes. Raises AttachmentError."""
        known = self._workspaces.get(workspace.id)
        if known is None:
            raise AttachmentError("unavailable", attachment.name)
        return await known.files.read(attachment, limit)

    async def tell(self, to: str, notice: Notice, *, privately: bool = False) -> None:  # noqa: ARG002
        """In the workspace that knows `to`, the id of a channel or a person: Slack tells the two apart by themselves.

        Raises PlatformError. Slack says of nobody that the bot belongs to them.
        """
        if to == OWNER:
            raise PlaceGone("Slack tells no owner", code="owner_unknown")
        if not self._workspaces:
            raise PlatformUnavailable("slack is not connected", code="not_installed")
        message = {"channel": to, "text": escaped(sentence(notice, platform="slack"))}
        refusals: list[PlaceGone] = []
        for workspace in self._workspaces.values():
            try:
                await workspace.api.call("chat.postMessage", message)
            except PlaceGone as error:  # it may be another workspace's
                refusals.append(error)
            except RateLimited as error:
                raise PlatformUnavailable("chat.postMessage: rate limited", code="ratelimited") from error
            else:
                return
        raise refusals[-1]

    async def announce(self, to: str, announcement: Announcement, *, privately: bool = False) -> str:  # noqa: ARG002
        """In the workspace that knows `to`, a channel or a person. Raises PlatformError."""
        return await self._announcements.announce(to, announcement)

    async def find_announcement(
        self, to: str, announcement: Announcement, since: datetime, *, privately: bool = False
    ) -> str | None:
        """Raises PlatformError."""
        return await self._announcements.find(to, announcement, since, privately=privately)

    async def admins_of(self, workspace: WorkspaceKey) -> tuple[str, ...]:
        """Raises PlatformError."""
        return await self._announcements.admins_of(workspace)

    def _find(self, team: str | None, enterprise: str | None) -> SlackWorkspace | None:
        # On Enterprise Grid a command names the team of the channel it was given in, which may be a sister.
        if team in self._workspaces:
            return self._workspaces[team]
        sisters = (known for known in self._workspaces.values() if enterprise and known.bot.enterprise == enterprise)
        return next(sisters, None)
