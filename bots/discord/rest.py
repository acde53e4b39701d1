"""Discord's REST interface for what a streaming answer writes: one call is one request, and none waits.

discord.py's own client sleeps inside the call that spends a bucket's last token, sleeps through each 429 and sends a
POST again after a 502, so that an edit could come out seconds late and stale. Here such a moment is a RateLimited that
the writer of the place obeys, with newer text in hand.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from http import HTTPStatus
from json import dumps
from mimetypes import guess_type
from types import MappingProxyType
from typing import Any, Self

import aiohttp
import structlog

from bots.discord.errors import converted, platform_error
from bots.writer import RateLimited
from core.errors import PlatformUnavailable

JSON = Mapping[str, Any]
Files = Mapping[str, bytes]
_AGENT = "DiscordBot (https://github.com/bise, 0.1)"
_EVERYWHERE = 45  # requests in any second with the bot's token; Discord takes 50, and bans after many refusals
_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
_log = structlog.get_logger()


class Rest:
    """Calls Discord with the bot's token. `base`: such as https://discord.com/api/v10."""

    def __init__(self, token: str, base: str) -> None:
        self._token = token
        self._base = base.rstrip("/")
        self._session: aiohttp.ClientSession | None = None
        self._shut: dict[str, float] = {}  # bucket → the monotonic second at which it opens again
        self._all_shut = 0.0
        self._lately: deque[float] = deque()  # when the requests of the last second left
        self._own_id: str | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(
        self,
        method: str,
        path: str,
        json: JSON | None = None,
        *,
        bucket: str = "",
        token: bool = True,
        files: Files = MappingProxyType({}),
    ) -> Any:
        """One request; gives the decoded body (None where there is none).

        `files`: bytes by name, sent beside the body, which names them as attachments 0, 1 …. `bucket` names calls that
        share a limit; those without one obey only Discord's global limit.
        Raises RateLimited (nothing was done: call again after it), PlatformError.
        """
        self._wait_out(bucket)
        headers = {"User-Agent": _AGENT}
        if token:  # an interaction's own calls are authorised by the token in their path, and count for no other
            self._count()
            headers["Authorization"] = f"Bot {self._token}"
        try:
            body_of = {"data": _form(json, files)} if files else {"json": json}
            async with self._opened().request(method, self._base + path, headers=headers, **body_of) as response:
                body = await _body(response)
                self._note(response, bucket, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise converted(error) from error
        if response.status < HTTPStatus.BAD_REQUEST:
            return body
        told = body if isinstance(body, dict) else {}
        raise platform_error(response.status, told.get("code"), str(told.get("message", "")))

    async def own_id(self) -> str:
        """The id of the bot's own user, asked for once. Raises RateLimited, PlatformError."""
        if self._own_id is None:
            self._own_id = str((await self.call("GET", "/users/@me"))["id"])
        return self._own_id

    async def patiently(
        self,
        method: str,
        path: str,
        json: JSON | None = None,
        *,
        bucket: str = "",
        tries: int = 4,
        repeatable: bool = True,
        files: Files = MappingProxyType({}),
    ) -> Any:
        """The same, but waits limits out, and tries again when Discord is unwell if the call is `repeatable`."""
        for attempt in range(1, tries + 1):
            try:
                return await self.call(method, path, json, bucket=bucket, files=files)
            except RateLimited as limited:
                if attempt == tries:
                    raise PlatformUnavailable("Discord limits our calls", code="429") from limited
                pause = limited.retry_after
            except PlatformUnavailable:
                if attempt == tries or not repeatable:
                    raise
                pause = 0.25 * 2**attempt
            await asyncio.sleep(pause)
        raise AssertionError("unreachable")

    async def room(self) -> None:
        """Returns when a request that discord.py makes fits into the limit of the whole bot, and counts it."""
        while True:
            try:
                self._wait_out("")
                self._count()
            except RateLimited as limited:
                await asyncio.sleep(limited.retry_after)
            else:
                return

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        return self._session

    def _wait_out(self, bucket: str) -> None:
        now = time.monotonic()
        opens = max(self._all_shut, self._shut.get(bucket, 0.0) if bucket else 0.0)
        if opens > now:
            raise RateLimited(opens - now, everywhere=self._all_shut > now)

    def _count(self) -> None:
        """Counts a request. Raises RateLimited where it would be one too many for a second."""
        now = time.monotonic()
        while self._lately and self._lately[0] <= now - 1.0:
            self._lately.popleft()
        if len(self._lately) >= _EVERYWHERE:
            raise RateLimited(self._lately[0] + 1.0 - now, everywhere=True)
        self._lately.append(now)

    def _note(self, response: aiohttp.ClientResponse, bucket: str, body: Any) -> None:
        """Remembers what the answer says about limits; raises RateLimited on a 429."""
        now = time.monotonic()
        if response.status == HTTPStatus.TOO_MANY_REQUESTS:
            told = body.get("retry_after") if isinstance(body, dict) else None
            seconds = float(told if told is not None else response.headers.get("Retry-After", 1.0))
            everywhere = response.headers.get("X-RateLimit-Global") or (isinstance(body, dict) and body.get("global"))
            _log.warning("discord_rate_limited", seconds=seconds, everywhere=bool(everywhere))
            if everywhere or not bucket:
                self._all_shut = now + seconds if everywhere else self._all_shut
            else:
                self._shut[bucket] = now + seconds
            raise RateLimited(seconds, everywhere=bool(everywhere))
        if bucket and response.headers.get("X-RateLimit-Remaining") == "0":
            self._shut = {name: opens for name, opens in self._shut.items() if opens > now}
            self._shut[bucket] = now + float(response.headers.get("X-RateLimit-Reset-After", 0.0))


def _form(json: JSON | None, files: Files) -> aiohttp.FormData:
    """Made anew for each request: a form is spent once it was sent."""
    form = aiohttp.FormData()
    form.add_field("payload_json", dumps(json or {}), content_type="application/json")
    for number, (name, data) in enumerate(files.items()):
        kind = guess_type(name)[0] or "application/octet-stream"
        form.add_field(f"files[{number}]", data, filename=name, content_type=kind)
    return form


async def _body(response: aiohttp.ClientResponse) -> Any:
    if response.content_type != "application/json":
        await response.read()
        return None
    try:
        return await response.json()
    except ValueError:
        return None
