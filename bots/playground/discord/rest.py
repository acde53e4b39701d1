"""The REST interface: finds a request's route, checks its token, counts it, answers it, and keeps a record."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog
from aiohttp import BodyPartReader, web

from bots.playground.discord.faults import DiscordFaults, Limit
from bots.playground.discord.limits import RateLimits
from bots.playground.discord.records import Json, UploadedFile
from bots.playground.discord.refusals import Refused, invalid, not_found, unauthorized
from bots.playground.discord.views import RestCall
from bots.playground.discord.world import World

log = structlog.get_logger()

CALLS_MAX: Final = 20_000
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_FILE_FIELD: Final = re.compile(r"files?\[?(\d*)\]?")
_MAJORS: Final = ("channel", "guild", "token")
Answer = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """A request that found its route. `files` in the order of their numbers."""

    parameters: dict[str, str]
    query: dict[str, str]
    body: Any
    files: tuple[UploadedFile, ...]

    def __getitem__(self, name: str) -> str:
        return self.parameters[name]

    @property
    def fields(self) -> Json:
        """The body as an object. Raises Refused where it is none."""
        if not isinstance(self.body, dict):
            raise invalid("_", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
        return self.body


@dataclass(frozen=True, slots=True)
class Route:
    """One method and path. `limit` names its rate limit in the faults; `by_token`: the path's own token admits it.

    `commits`: a write that a fault may carry out and yet answer with a 502.
    """

    method: str
    path: str
    answer: Callable[[Request], Answer]
    limit: str = "others"
    bucket: str = ""
    by_token: bool = False
    commits: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        pattern = re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", self.path))
        object.__setattr__(self, "pattern", pattern)


class Rest:
    """Serves the routes. `calls`: the latest requests with their answers' status."""

    def __init__(
        self,
        world: World,
        faults: DiscordFaults,
        limits: RateLimits,
        routes: Iterable[Route],
        wake: Callable[[], None],
    ) -> None:
        self.calls: deque[RestCall] = deque(maxlen=CALLS_MAX)
        self._world = world
        self._faults = faults
        self._limits = limits
        self._routes: dict[str, list[Route]] = {}
        for route in routes:
            self._routes.setdefault(route.method, []).append(route)
        self._wake = wake

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request below the API's root."""
        path = "/" + request.match_info["tail"]
        body: Any = None
        headers: dict[str, str] = {}
        try:
            body, files = await _read(request)
            status, answer, headers = self._answer(request, path, body, files)
        except Refused as refusal:
            status, answer = refusal.status, refusal.body
        self.calls.append(RestCall(request.method, path, self._world.now(), status, body))
        self._wake()
        if self._faults.answer_delay:
            await asyncio.sleep(self._faults.answer_delay)
        if status == 502:
            return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
        if answer is None:
            return web.Response(status=status, headers=headers)
        # Exactly this type, without a charset: the client compares the whole header.
        headers["Content-Type"] = "application/json"
        return web.Response(status=status, body=msgspec.json.encode(answer), headers=headers)

    def _answer(
        self, request: web.Request, path: str, body: Any, files: Sequence[UploadedFile]
    ) -> tuple[int, Any, dict[str, str]]:
        found = self._find(request.method, path)
        if found is None:
            log.info("discord.unknown_route", method=request.method)
            raise not_found()
        route, parameters = found
        if not route.by_token and (
            self._faults.token_revoked or request.headers.get("Authorization") != f"Bot {self._world.token}"
        ):
            raise unauthorized()
        limit: Limit = getattr(self._faults, route.limit)
        major = "+".join(parameters[name] for name in _MAJORS if name in parameters)
        bucket = route.bucket or f"{route.method} {route.path}"
        verdict = self._limits.admit(bucket, major, limit, counts_globally=not route.by_token)
        if verdict.refusal is not None:
            return 429, verdict.refusal, verdict.headers
        try:
            status, answer = route.answer(Request(parameters, dict(request.query), body, tuple(files)))
        except Refused as refusal:
            return refusal.status, refusal.body, verdict.headers
        if route.commits and self._faults.strikes(self._faults.commit_then_502_share):
            status = 502
        return status, answer, verdict.headers

    def _find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        for route in self._routes.get(method, ()):
            match = route.pattern.fullmatch(path)
            if match is not None:
                return route, match.groupdict()
        return None


async def _read(request: web.Request) -> tuple[Any, tuple[UploadedFile, ...]]:
    """The JSON part of a body and its files. Raises Refused where it is neither JSON nor a form."""
    if request.content_type == "multipart/form-data":
        return await _read_form(request)
    text = await request.read()
    if not text:
        return None, ()
    return _json(text), ()


async def _read_form(request: web.Request) -> tuple[Any, tuple[UploadedFile, ...]]:
    body: Any = None
    files: dict[int, UploadedFile] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise _malformed()
        data = bytes(await part.read(decode=True))
        if part.name == "payload_json":
            body = _json(data)
        elif match := _FILE_FIELD.fullmatch(part.name or ""):
            name = part.filename or "unknown"
            files[int(match[1] or 0)] = UploadedFile(name, data, _mime(name, part.headers.get("Content-Type", "")))
    return body, tuple(files[number] for number in sorted(files))


def _mime(name: str, told: str) -> str:
    """Discord looks at the file's name where the sender says nothing useful."""
    known = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
    known |= {"txt": "text/plain; charset=utf-8", "csv": "text/csv", "json": "application/json"}
    if told and told != "application/octet-stream":
        return told
    return known.get(name.rpartition(".")[2].lower(), "application/octet-stream")


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as fault:
        raise _malformed() from fault


def _malformed() -> Refused:
    return Refused(400, 50109, "The request body contains invalid JSON.")
