"""One call of Slack's Web API: sent once, its failures turned into our errors."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bots.slack.errors import Unsure, failure
from bots.writer import RateLimited
from core.errors import PlatformUnavailable

Json = dict[str, Any]

# Below WARNING the SDK and bolt log whole messages, and without a level they build those lines for nothing.
LIBRARY_LOG = logging.getLogger("bise.slack.library")
LIBRARY_LOG.setLevel(logging.WARNING)

_NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def web_client(base_url: str, session: aiohttp.ClientSession, token: str | None = None) -> AsyncWebClient:
    """A client on the shared session. It retries nothing: a second `chat.postMessage` would be a second post."""
    client = AsyncWebClient(
        token=token, base_url=base_url, session=session, retry_handlers=[], logger=LIBRARY_LOG, user_agent_prefix="Bise"
    )
    if is_loopback(base_url):
        client.proxy = None  # the SDK takes HTTPS_PROXY from the environment and ignores NO_PROXY
    return client


class SlackApi:
    """The Web API under one token. Raises RateLimited, or a PlatformError as `errors.failure` maps it.

    `Unsure` says that a call may have been carried out; any other error, that it was not.
    """

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def call(self, method: str, arguments: Mapping[str, object]) -> Json:
        """A method that takes JSON; arguments that are None are left out."""
        body = {name: value for name, value in arguments.items() if value is not None}
        return _body(await self._send(method, json=body))

    async def read(self, method: str, arguments: Mapping[str, str]) -> Json:
        """A method that takes a form only, as those that read do."""
        return _body(await self._send(method, data=dict(arguments)))

    async def identify(self) -> tuple[Json, frozenset[str]]:
        """`auth.test`, and the scopes that Slack says the token has."""
        response = await self._send("auth.test", data={})
        scopes = next((value for name, value in response.headers.items() if name.lower() == "x-oauth-scopes"), "")
        return _body(response), frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())

    async def _send(self, method: str, *, json: Json | None = None, data: Json | None = None) -> AsyncSlackResponse:
        try:
            return await self._client.api_call(method, json=json, data=data)
        except SlackApiError as error:
            raise _converted(method, error) from error
        except _NOT_SENT as error:
            raise PlatformUnavailable(f"{method}: {type(error).__name__}", code="not_connected") from error
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, ValueError) as error:
            raise Unsure(f"{method}: {type(error).__name__}", code="no_answer") from error


def _body(response: AsyncSlackResponse) -> Json:
    return response.data if isinstance(response.data, dict) else {}


def _converted(method: str, error: SlackApiError) -> Exception:
    response = error.response
    if not isinstance(response, AsyncSlackResponse):
        return Unsure(f"{method}: unreadable answer", code="no_answer")
    code = _body(response).get("error")
    if response.status_code == 429 or code in {"ratelimited", "rate_limited"}:
        return RateLimited(retry_after(response.headers))
    return failure(method, str(code) if code else None, response.status_code)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds from a `Retry-After` header; 1 where there is none that can be read."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(0.0, float(value))
    except ValueError:
        return 1.0
