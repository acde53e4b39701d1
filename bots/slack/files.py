"""Files that people attach: fetched with the token from Slack's own hosts, and from no other."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx

from bots.slack.api import SlackApi, is_loopback
from bots.writer import RateLimited
from core.errors import AttachmentError, PlatformError
from core.media.download import read_capped
from core.messages import Attachment

REDIRECTS_MAX = 5
TOTAL_SECONDS = 30.0
_HOSTS = ("slack.com", "slack-edge.com", "slack-files.com", "slack-gov.com")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def may_get_token(url: str, api_url: str) -> bool:
    """Whether a bot token may be sent to `url`: Slack by https, or the simulator that `api_url` names."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.username or parts.password:
        return False
    if parts.scheme == "https" and any(host == name or host.endswith(f".{name}") for name in _HOSTS):
        return True
    simulator = urlsplit(api_url)
    return is_loopback(api_url) and (parts.scheme, host, parts.port) == (
        simulator.scheme,
        simulator.hostname,
        simulator.port,
    )


class Files:
    """The files of one workspace. `readable`: whether the token has `files:read`."""

    def __init__(self, http: httpx.AsyncClient, api: SlackApi, api_url: str, token: str, *, readable: bool) -> None:
        self._http = http
        self._api = api
        self._api_url = api_url
        self._token = token
        self._readable = readable

    async def read(self, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes, `limit` at most. Raises AttachmentError."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                url = attachment.url or await self._address(attachment)
                return await self._fetch(url, attachment, limit)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise AttachmentError("unavailable", attachment.name) from error

    async def _address(self, attachment: Attachment) -> str:
        # In shared channels an event may bring `file_access: check_file_info` and nothing but an id.
        try:
            answer = await self._api.read("files.info", {"file": attachment.id})
        except (PlatformError, RateLimited) as error:
            raise AttachmentError("unavailable", attachment.name) from error
        file = answer.get("file") or {}
        return str(file.get("url_private_download") or file.get("url_private") or "")

    async def _fetch(self, url: str, attachment: Attachment, limit: int) -> bytes:
        for _ in range(REDIRECTS_MAX):
            if not may_get_token(url, self._api_url):
                raise AttachmentError("unavailable", attachment.name)
            headers = {"Authorization": f"Bearer {self._token}"}
            async with self._http.stream("GET", url, headers=headers, follow_redirects=False) as response:
                if response.status_code in _REDIRECTS:
                    url = urljoin(url, response.headers.get("Location", ""))
                    continue
                if response.status_code != httpx.codes.OK:
                    raise AttachmentError("unavailable", attachment.name)
                self._refuse_page(response, attachment)
                return await _body(response, attachment, limit)
        raise AttachmentError("unavailable", attachment.name)

    def _refuse_page(self, response: httpx.Response, attachment: Attachment) -> None:
        # Where the token may not read the file, Slack answers 200 with its sign-in page.
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and attachment.mime != "text/html":
            raise AttachmentError("disguised" if self._readable else "unavailable", attachment.name)


async def _body(response: httpx.Response, attachment: Attachment, limit: int) -> bytes:
    announced = response.headers.get("Content-Length", "")
    if announced.isdigit() and int(announced) > limit:
        raise AttachmentError("too_large", attachment.name)
    return await read_capped(response.aiter_bytes(), limit, attachment.name)
