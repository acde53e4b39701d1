"""Fetching attached files: from Discord's own hosts alone, never with the bot's token, so many bytes and no more."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import httpx

from core.errors import AttachmentError
from core.media.download import read_capped
from core.messages import Attachment

HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_TIMEOUT = httpx.Timeout(20, connect=5)
_WHOLE_WITHIN = 30.0  # seconds for one file, however steadily it drips


class Downloads:
    """Reads attachments, each within `within` seconds.

    A simulated Discord on this machine serves them from its API's own address.
    """

    def __init__(self, api_url: str, *, within: float = _WHOLE_WITHIN) -> None:
        self._within = within
        api = urlsplit(api_url)
        self._local = api.netloc if api.hostname in _LOOPBACK else None
        self._client: httpx.AsyncClient | None = None

    async def read(self, attachment: Attachment, limit: int) -> bytes:
        """The file's bytes. Raises AttachmentError: "too_large" over `limit` bytes, "unavailable" otherwise."""
        if attachment.size > limit:
            raise AttachmentError("too_large", attachment.name)
        if not self.trusted(attachment.url):
            raise AttachmentError("unavailable", attachment.name)
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=False)
        try:
            async with asyncio.timeout(self._within), self._client.stream("GET", attachment.url) as response:
                if response.status_code != httpx.codes.OK:
                    raise AttachmentError("unavailable", attachment.name)
                return await read_capped(response.aiter_bytes(), limit, attachment.name)
        except (httpx.HTTPError, TimeoutError) as error:
            raise AttachmentError("unavailable", attachment.name) from error

    def trusted(self, url: str) -> bool:
        """Whether a file's address is one of Discord's."""
        parts = urlsplit(url)
        if self._local is not None and parts.netloc == self._local:
            return parts.scheme == "http"
        return parts.scheme == "https" and parts.hostname in HOSTS and parts.port in {None, 443}

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None
