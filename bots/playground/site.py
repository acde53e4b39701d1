"""The playground's page over HTTP: its files, the state of both workspaces, their changes, and hands to act."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import web

from bots.playground.hands import ACTIONS, Hands
from bots.playground.outbox import Outbox
from bots.playground.requests import Request, read
from bots.playground.world import DiscordWorld, SlackWorld, World
from core.errors import BiseError, WrongUse

PAGE = Path(__file__).parent / "page"
HEARTBEAT_SECONDS = 15.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".svg": "image/svg+xml"}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data: http://127.0.0.1:* http://localhost:*; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ModelNotice:
    """Which model answers, in words for people: "Answers come from {label}. {note}"."""

    name: str
    label: str
    note: str = ""


class Site:
    """The page's server. It answers this machine's own browser only: loopback hosts, same origin."""

    def __init__(self, slack: SlackWorld, discord: DiscordWorld, model: ModelNotice) -> None:
        self._worlds: dict[str, World] = {"slack": slack, "discord": discord}
        self._hands = Hands(slack, discord)
        self._model = model
        self._outboxes: set[Outbox] = set()

    def mount(self, app: web.Application) -> None:
        """Adds the page's routes to an application that has not started."""
        app.router.add_get("/", _guarded(self._index, page=True))
        app.router.add_get("/static/{name}", _guarded(self._static))
        app.router.add_get("/playground/state", _guarded(self._state))
        app.router.add_get("/playground/events", _guarded(self._events))
        app.router.add_post("/playground/{place}/{action}", _guarded(self._act))
        app.on_shutdown.append(self._close)

    async def close_pages(self) -> None:
        """Ends every open page's stream of changes; a page comes back by itself while the server is there."""
        for outbox in self._outboxes:
            outbox.close()

    async def _close(self, _: web.Application) -> None:
        await self.close_pages()

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return await _file("index.html")

    async def _static(self, request: web.Request) -> web.StreamResponse:
        return await _file(request.match_info["name"])

    async def _state(self, _: web.Request) -> web.StreamResponse:
        state = {place: world.snapshot() for place, world in self._worlds.items()}
        return _json({**state, "model": asdict(self._model)})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        outbox = Outbox()
        self._outboxes.add(outbox)
        pumps = [asyncio.create_task(_pump(place, world, outbox)) for place, world in self._worlds.items()]
        try:
            await asyncio.sleep(0)  # lets both pumps subscribe before the page asks for the state
            await response.write(b'data: {"hello":true}\n\n')
            while (events := await outbox.take(HEARTBEAT_SECONDS)) is not None:
                data = b"".join(b"data: " + msgspec.json.encode(event) + b"\n\n" for event in events)
                await response.write(data or b": still here\n\n")
        except ConnectionError:
            log.debug("playground.page_left")
        finally:
            self._outboxes.discard(outbox)
            for pump in pumps:
                pump.cancel()
            for end in await asyncio.gather(*pumps, return_exceptions=True):
                if isinstance(end, Exception):
                    log.error("playground.pump_failed", exc_info=end)
        return response

    async def _act(self, request: web.Request) -> web.StreamResponse:
        place, action = request.match_info["place"], request.match_info["action"]
        if place not in self._worlds or action not in ACTIONS:
            return _error(404, f"There is no {place}/{action} here.")
        try:
            asked: Request = await read(request)
            await self._hands.do(place, action, asked)
        except (BiseError, ValueError, LookupError, PermissionError) as refusal:
            if not isinstance(refusal, WrongUse):
                log.info("playground.refused", place=place, action=action, error=type(refusal).__name__)
            return _error(400, _words(refusal))
        return _json({"ok": True})


def _guarded(handler: Handler, *, page: bool = False) -> Handler:
    """Serves only what this machine's browser asks for itself: DNS rebinding and other sites' forms are refused.

    `page`: may also be reached by a link from another site, as it shows nothing by itself.
    """

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            host = urlsplit(f"//{request.host}").hostname
        except ValueError:
            host = None
        if host not in _LOOPBACK:
            return _error(403, "The playground answers only at 127.0.0.1 and localhost.")
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"{request.scheme}://{request.host}".lower():
            return _error(403, "The playground answers only its own page.")
        if not page and request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
            return _error(403, "The playground answers only its own page.")
        return await handler(request)

    return guard


async def _pump(place: str, world: World, outbox: Outbox) -> None:
    try:
        with world.subscribe() as changes:
            while True:
                outbox.put(place, await changes.get())
    finally:
        outbox.close()  # a page that no longer hears one of its workspaces comes back by itself


async def _file(name: str) -> web.StreamResponse:
    path = PAGE / name
    kind = _TYPES.get(path.suffix)
    if "/" in name or "\\" in name or name.startswith(".") or kind is None:
        return _error(404, "There is no such file.")
    with suppress(FileNotFoundError):
        body = await asyncio.to_thread(path.read_bytes)
        return web.Response(body=body, content_type=kind, charset="utf-8", headers=_HEADERS)
    return _error(404, "There is no such file.")


def _words(refusal: Exception) -> str:
    """A refusal's own message; KeyError would quote it."""
    first = refusal.args[0] if refusal.args else ""
    return str(first) or "That did not work."


def _json(data: object, status: int = 200) -> web.Response:
    body = msgspec.json.encode(data)
    return web.Response(body=body, status=status, content_type="application/json", headers=_HEADERS)


def _error(status: int, words: str) -> web.Response:
    return _json({"error": words}, status)
