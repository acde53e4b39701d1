"""The gateway: sessions that get every event they asked for, in order, and can be resumed by sequence."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import structlog
from aiohttp import WSMsgType, web

from bots.playground.discord.faults import DiscordFaults
from bots.playground.discord.guild_payloads import GuildPayloads
from bots.playground.discord.payloads import Payloads
from bots.playground.discord.records import Json
from bots.playground.discord.sockets import Socket
from bots.playground.discord.world import World

log = structlog.get_logger()

GUILDS, MEMBERS, PRESENCES = 1 << 0, 1 << 1, 1 << 8
GUILD_MESSAGES, GUILD_REACTIONS, GUILD_TYPING = 1 << 9, 1 << 10, 1 << 11
DIRECT_MESSAGES, DIRECT_REACTIONS, DIRECT_TYPING = 1 << 12, 1 << 13, 1 << 14
MESSAGE_CONTENT: Final = 1 << 15
ALWAYS: Final = 0  # events that need no intent
INTENTS_KNOWN: Final = (1 << 26) - 1
HEARTBEAT_MS: Final = 41_250
_ROUND_TRIP: Final = 0.05  # seconds
BUFFER_MAX: Final = 2_000
SESSIONS_MAX: Final = 50

DISPATCH, HEARTBEAT, IDENTIFY, RESUME, RECONNECT, MEMBERS_ASKED, INVALID, HELLO, ACK = 0, 1, 2, 6, 7, 8, 9, 10, 11
_IGNORED: Final = frozenset({3, 4, 31})  # presence, voice, soundboard


@dataclass(slots=True)
class Session:
    """What one IDENTIFY began. `buffer`: the latest events with their sequence; `socket`: None while disconnected."""

    id: str
    intents: int
    shard: tuple[int, int]
    seq: int = 0
    buffer: deque[Json] = field(default_factory=lambda: deque(maxlen=BUFFER_MAX))
    socket: Socket | None = None

    def has(self, intent: int) -> bool:
        return bool(self.intents & intent)

    def serves(self, guild: str) -> bool:
        """Whether that guild is of this session's shard."""
        number, count = self.shard
        return (int(guild) >> 22) % count == number


Data = Json | Callable[[Session], Json]


class Gateway:
    """Accepts sockets and sends events. `identifies` and `resumes` count what succeeded, `too_soon` what came early."""

    def __init__(
        self, world: World, faults: DiscordFaults, payloads: Payloads, wake: Callable[[], None], url: Callable[[], str]
    ) -> None:
        self.sessions: dict[str, Session] = {}
        self.identifies = 0
        self.resumes = 0
        self.too_soon = 0
        self._world = world
        self._faults = faults
        self._payloads = payloads
        self._guilds = GuildPayloads(world, faults, payloads)
        self._wake = wake
        self._url = url
        self._sockets: set[Socket] = set()
        self._keys: dict[int, float] = {}  # rate-limit key → when it was used last

    @property
    def shards(self) -> list[tuple[int, int]]:
        """Number and count of every shard that is connected, one entry for each connection, in order."""
        return sorted(session.shard for session in self.sessions.values() if session.socket is not None)

    @property
    def connected(self) -> bool:
        return any(session.socket is not None for session in self.sessions.values())

    def dispatch(self, event: str, data: Data, intent: int, *, guild: bool) -> None:
        """Sends an event to each session with that intent (ALWAYS: to all), now or on its RESUME.

        `data` may depend on the session, as the content of messages does. `guild`: goes to the guild's shard.
        """
        for session in self.sessions.values():
            if intent and not session.has(intent):
                continue
            if not (session.serves(self._world.guild_id) if guild else session.shard[0] == 0):
                continue
            self._send(session, event, data(session) if callable(data) else data)

    def _send(self, session: Session, event: str, data: Json) -> None:
        session.seq += 1
        frame = {"op": DISPATCH, "t": event, "s": session.seq, "d": data}
        session.buffer.append(frame)
        if session.socket is not None:
            session.socket.send(frame)

    def drop(self) -> None:
        """Cuts every socket without a word; the sessions can be resumed."""
        for socket in list(self._sockets):
            self._detach(socket)
            socket.abort()

    def close(self, code: int) -> None:
        """Closes every socket with that code; the sessions can be resumed."""
        for socket in list(self._sockets):
            self._detach(socket)
            socket.close(code)

    def ask_to_reconnect(self) -> None:
        """Op 7."""
        for socket in list(self._sockets):
            self._detach(socket)
            socket.send({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool) -> None:
        """Op 9. Not resumable: the sessions are over, and what happens until the next IDENTIFY is lost."""
        for socket in list(self._sockets):
            self._detach(socket)
            socket.send({"op": INVALID, "d": resumable})
        if not resumable:
            self.sessions.clear()

    def _detach(self, socket: Socket) -> Session | None:
        session = self.sessions.get(socket.session or "")
        if session is not None and session.socket is socket:
            session.socket = None
        return session

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, from HELLO to its end."""
        socket = Socket(request)
        await socket.ws.prepare(request)
        self._sockets.add(socket)
        socket.send({"op": HELLO, "t": None, "s": None, "d": {"heartbeat_interval": HEARTBEAT_MS, "_trace": []}})
        pump = asyncio.create_task(socket.pump())
        try:
            async for frame in socket.ws:
                if frame.type is not WSMsgType.TEXT:
                    socket.close(4002)
                    continue
                self._receive(socket, frame.data)
        finally:
            self._sockets.discard(socket)
            session = self._detach(socket)
            if session is not None and not socket.closed_by_us and socket.ws.close_code in (1000, 1001):
                self.sessions.pop(session.id, None)  # the client said goodbye
            pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pump
            self._wake()
        return socket.ws

    def _receive(self, socket: Socket, text: str) -> None:
        try:
            frame = msgspec.json.decode(text, type=Json)
            op, data = int(frame["op"]), frame.get("d")
        except (msgspec.DecodeError, KeyError, TypeError, ValueError):
            socket.close(4002)
            return
        if op == HEARTBEAT:
            # As over a network: discord.py notes when it sent only after sending, and would take an acknowledgement
            # that is there before for one of the heartbeat before.
            ack = {"op": ACK, "t": None, "s": None, "d": None}
            asyncio.get_running_loop().call_later(_ROUND_TRIP, socket.send, ack)
        elif op in (IDENTIFY, RESUME):
            if socket.session is not None:
                socket.close(4005)
            elif not isinstance(data, dict) or data.get("token") != self._world.token or self._faults.token_revoked:
                socket.close(4004)
            elif op == IDENTIFY:
                self._identify(socket, data)
            else:
                self._resume(socket, data)
        elif socket.session is None:
            socket.close(4003)
        elif op == MEMBERS_ASKED and isinstance(data, dict):
            self._tell_members(self.sessions[socket.session], data)
        elif op not in _IGNORED:
            socket.close(4001)

    def _identify(self, socket: Socket, data: Json) -> None:
        intents = data.get("intents")
        shard = data.get("shard") or [0, 1]
        if self.identifies >= self._faults.sessions_a_day:
            self._faults.token_revoked = True
            socket.close(4004)
            return
        if not isinstance(intents, int) or intents & ~INTENTS_KNOWN:
            socket.close(4013)
            return
        if not 0 <= shard[0] < shard[1]:
            socket.close(4010)
            return
        refused = MEMBERS | PRESENCES if self._faults.refuse_members else 0
        if self._faults.refuse_message_content:
            refused |= MESSAGE_CONTENT
        if intents & refused:
            log.info("discord.intents_refused", intents=intents & refused)
            socket.close(4014)
            return
        if self._is_too_soon(shard[0] % self._faults.max_concurrency):
            self.too_soon += 1
            socket.send({"op": INVALID, "d": False})
            return
        session = Session(secrets.token_hex(16), intents, (shard[0], shard[1]), socket=socket)
        self.sessions[session.id] = session
        socket.session = session.id
        self.identifies += 1
        self._forget_old_sessions()
        self._send(session, "READY", self._ready(session))
        if not self._world.left and session.has(GUILDS) and session.serves(self._world.guild_id):
            self._send(session, "GUILD_CREATE", self._guilds.guild())
        self._wake()

    def _is_too_soon(self, key: int) -> bool:
        now = time.monotonic()
        soon = now - self._keys.get(key, -math.inf) < self._faults.identify_every
        self._keys[key] = now
        return soon

    def _ready(self, session: Session) -> Json:
        there = not self._world.left and session.serves(self._world.guild_id)
        guilds = [{"id": self._world.guild_id, "unavailable": True}] if there else []
        return {
            "v": 10,
            "user": {**self._payloads.user(self._world.bot), "verified": True, "mfa_enabled": False, "flags": 0},
            "guilds": guilds,
            "private_channels": [],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._url(),
            "shard": list(session.shard),
            "application": {"id": self._world.application_id, "flags": self._guilds.application()["flags"]},
            "_trace": [],
        }

    def _resume(self, socket: Socket, data: Json) -> None:
        session = self.sessions.get(str(data.get("session_id")))
        seq = data.get("seq")
        # What left the buffer cannot be replayed.
        oldest = session.buffer[0]["s"] if session is not None and session.buffer else 1
        if session is None or not isinstance(seq, int) or not oldest - 1 <= seq <= session.seq:
            socket.send({"op": INVALID, "d": False})
            return
        if session.socket is not None:
            session.socket.close(4000)
        session.socket = socket
        socket.session = session.id
        for frame in [frame for frame in session.buffer if frame["s"] > seq]:
            socket.send(frame)
        self._send(session, "RESUMED", {"_trace": []})
        self.resumes += 1
        self._wake()

    def _tell_members(self, session: Session, data: Json) -> None:
        wanted = data.get("user_ids") or []
        asked = {str(id_) for id_ in (wanted if isinstance(wanted, list) else [wanted])}
        start = str(data.get("query") or "").lower()
        found = [
            self._payloads.member(person)
            for person in self._world.people.values()
            if (person.id in asked if asked else person.name.lower().startswith(start))
        ]
        chunk: Json = {
            "guild_id": self._world.guild_id,
            "members": found,
            "chunk_index": 0,
            "chunk_count": 1,
            "not_found": sorted(asked - set(self._world.people)),
        }
        if data.get("nonce") is not None:
            chunk["nonce"] = data["nonce"]
        self._send(session, "GUILD_MEMBERS_CHUNK", chunk)

    def _forget_old_sessions(self) -> None:
        for session in list(self.sessions.values()):
            if len(self.sessions) <= SESSIONS_MAX:
                return
            if session.socket is None:
                del self.sessions[session.id]
