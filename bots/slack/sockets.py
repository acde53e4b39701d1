"""Socket Mode: the connection over which Slack brings events, kept up and drained."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bots.slack.api import LIBRARY_LOG, SlackApi, is_loopback
from core.errors import PlatformUnavailable

PING_SECONDS = 5.0
LOOK_SECONDS = 0.25
CONNECT_SECONDS = 15.0
STALE_TICKET_SECONDS = 20.0
DRAIN_SECONDS = 2.0

log = structlog.get_logger()


class SocketMode:
    """One connection of the app. `web`: a client that holds the app-level token."""

    def __init__(self, app: AsyncApp, web: AsyncWebClient) -> None:
        self._app = app
        self._web = web
        self._client: SocketModeClient | None = None
        self._watch: asyncio.Task[None] | None = None
        self._reconnecting: asyncio.Task[None] | None = None
        self._handling: set[asyncio.Task[Any]] = set()
        self._draining = False

    @property
    def session(self) -> object | None:
        """The connection that is open at the moment, another object each time; None where there is none."""
        client = self._client
        if client is None or client.stale or client.current_session is None or client.current_session.closed:
            return None
        return client.current_session

    @property
    def is_connected(self) -> bool:
        return self.session is not None

    async def open(self) -> None:
        """Returns when connected. Raises TokenRevoked, PlaceForbidden (no `connections:write`), PlatformUnavailable."""
        # The client by itself asks for ever, also with a token that is refused: ask once here, where it is an error.
        ticket = await SlackApi(self._web).call("apps.connections.open", {})
        client = SocketModeClient(
            app_token=self._web.token or "", web_client=self._web, logger=LIBRARY_LOG, ping_interval=PING_SECONDS
        )
        self._client = client
        if is_loopback(self._web.base_url):
            client.proxy = None
        client.wss_uri = str(ticket["url"])
        client.socket_mode_request_listeners.append(self._handle)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await _untyped(client.connect)()
        except TimeoutError as error:
            await self.close()
            raise PlatformUnavailable("Socket Mode: no connection in time", code="not_connected") from error
        self._watch = asyncio.create_task(self._watch_over(client))

    async def close(self) -> None:
        """Takes nothing more, lets what is being stored be acknowledged, then hangs up."""
        self._draining = True
        if self._handling:
            await asyncio.wait(set(self._handling), timeout=DRAIN_SECONDS)
        tasks = [task for task in (self._watch, self._reconnecting) if task is not None]
        for task in tasks:
            task.cancel()  # first: nobody opens again what is closed now
        if self._client is not None:
            await _untyped(self._client.close)()
            ours = (self._client.message_processor, self._client.current_session_monitor, self._client.message_receiver)
            tasks += [task for task in ours if isinstance(task, asyncio.Task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._client = None

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        if self._draining:
            return  # not acknowledged: Slack brings it again, to whoever is there then
        task = asyncio.current_task()
        if task is None:  # pragma: no cover - a listener always runs in a task
            return
        self._handling.add(task)  # the library keeps no reference to it
        try:
            response = await run_async_bolt_app(self._app, request)
            await send_async_response(client, request, response, 0.0)
        except (ConnectionError, AttributeError) as error:
            log.info("slack.ack_not_sent", envelope=request.envelope_id, error=type(error).__name__)
        finally:
            self._handling.discard(task)

    async def _watch_over(self, client: SocketModeClient) -> None:
        # Two quirks of the library. It sees only every PING_SECONDS that a connection broke, and each second counts:
        # Slack gives an event up after a few tries. And `connect()` retries with the ticket it has, which does not
        # live long: without one it asks for another.
        loop = asyncio.get_running_loop()
        connected_at, was_connected = loop.time(), True
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            connected = self.is_connected
            if connected:
                connected_at = loop.time()
            elif was_connected:
                self._reconnecting = asyncio.create_task(_reconnect(client))
            elif loop.time() - connected_at > STALE_TICKET_SECONDS:
                connected_at = loop.time()
                log.warning("slack.socket_down", seconds=STALE_TICKET_SECONDS)
                client.wss_uri = None
            was_connected = connected


async def _reconnect(client: SocketModeClient) -> None:
    """Once; if Slack does not answer, the library goes on trying."""
    try:
        await _untyped(client.connect_to_new_endpoint)()
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        log.info("slack.not_reconnected", error=type(error).__name__)


def _untyped(method: Callable[..., Any]) -> Callable[[], Awaitable[None]]:
    """The library leaves these without types."""
    return method
