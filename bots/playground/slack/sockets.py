"""Socket Mode: tickets, open WebSockets, and frames to any one of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from bots.playground.slack.records import Json
from bots.playground.slack.world import World

SOCKETS_MAX = 10

log = structlog.get_logger()


class Sockets:
    """At most ten WebSockets of the app; a frame goes to one of them, in turn. `on_ack` gets every frame back."""

    def __init__(self, world: World, on_ack: Callable[[Json], None], wake: Callable[[], None]) -> None:
        self._world = world
        self._on_ack = on_ack
        self._wake = wake
        self._open: list[tuple[web.WebSocketResponse, web.Request]] = []
        self._tickets: set[str] = set()

    @property
    def count(self) -> int:
        """Sockets that get events; those told to reconnect are not among them."""
        return len(self._open)

    def issue_url(self) -> str:
        """A WebSocket address for one connection."""
        ticket = self._world.new_id("ticket-")
        self._tickets.add(ticket)
        return f"{self._world.socket_address}?ticket={ticket}&app_id={self._world.app_id}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden(text="invalid ticket")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        if len(self._open) >= SOCKETS_MAX:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets", "debug_info": {}})
            await socket.close()
            return socket
        entry = (socket, request)
        self._open.append(entry)
        await self._write(entry, self._hello())
        self._wake()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._read(message.data)
        finally:
            self._leave(entry)
        return socket

    async def send(self, frame: Json) -> bool:
        """Send to the next socket in turn; False when none took it."""
        while self._open:
            entry = self._open.pop(0)
            self._open.append(entry)
            if await self._write(entry, frame):
                return True
        return False

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask every socket to reconnect, as Slack does every few hours; they get no more events."""
        for entry in list(self._open):
            self._leave(entry)
            await self._write(entry, {"type": "disconnect", "reason": reason, "debug_info": {"host": "play"}})

    async def drop(self, *, abruptly: bool = False) -> None:
        """Close every socket; `abruptly` cuts the connection without a close frame."""
        for socket, request in list(self._open):
            if abruptly and request.transport is not None:
                self._leave((socket, request))
                request.transport.abort()
            else:
                await socket.close(code=WSCloseCode.GOING_AWAY)

    async def _write(self, entry: tuple[web.WebSocketResponse, web.Request], frame: Json) -> bool:
        try:
            await entry[0].send_json(frame)
        except (ConnectionError, RuntimeError):  # closed, or closing: both mean that nobody reads it
            self._leave(entry)
            return False
        return True

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": self._world.app_id},
            "debug_info": {"host": "play", "build_number": 1, "approximate_connection_time": 18060},
        }

    def _read(self, text: str) -> None:
        try:
            frame = json.loads(text)
        except ValueError:
            log.warning("slack_simulator.frame_not_json")
            return
        if isinstance(frame, dict):
            self._on_ack(frame)

    def _leave(self, entry: tuple[web.WebSocketResponse, web.Request]) -> None:
        if entry in self._open:
            self._open.remove(entry)
            self._wake()
