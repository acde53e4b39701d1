"""Brings events, commands and interactions to the app, and again when no ack comes."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import aiohttp

from bots.playground.slack.faults import SlackFaults
from bots.playground.slack.records import Delivery, Json
from bots.playground.slack.sockets import Sockets
from bots.playground.slack.world import World

DELIVERIES_MAX = 20_000


class Unacknowledged(Exception):
    """No ack came; the message is Slack's word for why."""


@dataclass(frozen=True, slots=True)
class Retry:
    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class HttpReply:
    status: int
    body: bytes

    def json(self) -> Json | None:
        """The body as a JSON object; as {"text": …} where it is plain words; None where it is empty."""
        if not self.body:
            return None
        try:
            parsed = json.loads(self.body)
        except ValueError:
            return {"text": self.body.decode(errors="replace")}
        return parsed if isinstance(parsed, dict) else {"text": str(parsed)}


class Postman:
    """Delivers over Socket Mode, or as signed HTTP requests once `request_url` is set."""

    def __init__(self, world: World, faults: SlackFaults, clock: Callable[[], float], wake: Callable[[], None]) -> None:
        self.world = world
        self.sockets = Sockets(world, self._acknowledged, wake)
        self.request_url: str | None = None
        self.records: OrderedDict[str, Delivery] = OrderedDict()
        self._faults = faults
        self._clock = clock
        self._wake = wake
        self._waiting: dict[str, asyncio.Future[Json | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def deliver_event(self, payload: Json) -> None:
        """Send once before returning; see to retries and faults behind the caller's back."""
        record = await self._send("events_api", payload, None)
        self._spawn(self._follow(payload, record))

    async def deliver_interaction(self, payload: Json) -> None:
        """Send an interaction: once, whatever comes of it."""
        record = await self._send("interactive", payload, None)
        self._spawn(self._attend(record))

    async def deliver_command(self, payload: Json) -> Json | None:
        """Send a slash command once; what came with its ack. Raises Unacknowledged."""
        return await self.answer(await self._send("slash_commands", payload, None))

    async def deliver_form(self, payload: Json) -> Json | None:
        """Send a form once; what came with its ack. Raises Unacknowledged."""
        return await self.answer(await self._send("interactive", payload, None))

    async def answer(self, record: Delivery) -> Json | None:
        """What came with the ack. Raises Unacknowledged after `faults.ack_timeout` seconds or on a refusal."""
        waiting = self._waiting[record.envelope_id]
        done, _ = await asyncio.wait({waiting}, timeout=self._faults.ack_timeout)
        self._waiting.pop(record.envelope_id, None)
        if not done:
            waiting.cancel()
            raise Unacknowledged("http_timeout" if self.request_url else "timeout")
        return waiting.result()

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str = "application/json",
        retry: Retry | None = None,
        timestamp: str | None = None,
        secret: str | None = None,
    ) -> HttpReply:
        """One signed request to the app. `timestamp` and `secret` default to the true ones."""
        stamp = str(int(self._clock())) if timestamp is None else timestamp
        key = (secret or self.world.signing_secret).encode()
        signature = hmac.new(key, f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": f"v0={signature}",
        }
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry.number), "X-Slack-Retry-Reason": retry.reason}
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        limit = aiohttp.ClientTimeout(total=self._faults.ack_timeout)
        async with self._session.post(url, data=body, headers=headers, timeout=limit) as response:
            return HttpReply(response.status, await response.read())

    async def close(self) -> None:
        """End every retry still to come, and every connection."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.drop()
        if self._session is not None:
            await self._session.close()

    async def _follow(self, payload: Json, record: Delivery) -> None:
        reason = await self._outcome(record)
        for number, delay in enumerate(self._faults.retry_delays, start=1):
            if reason is None:
                break
            await asyncio.sleep(delay)
            reason = await self._outcome(await self._send("events_api", payload, Retry(number, reason)))
        if reason is None and self._faults.happens(self._faults.redeliver_share):
            await self._outcome(await self._send("events_api", payload, Retry(1, "timeout")))

    async def _attend(self, record: Delivery) -> None:
        await self._outcome(record)

    async def _outcome(self, record: Delivery) -> str | None:
        try:
            await self.answer(record)
        except Unacknowledged as failure:
            return str(failure)
        return None

    async def _send(self, kind: str, payload: Json, retry: Retry | None) -> Delivery:
        event = payload.get("event") or {}
        record = Delivery(
            envelope_id=str(uuid4()),
            kind=kind,
            event_id=payload.get("event_id"),
            event_type=event.get("type"),
            sent_at=self._clock(),
            retry_num=retry.number if retry else 0,
        )
        self.records[record.envelope_id] = record
        while len(self.records) > DELIVERIES_MAX:
            self.records.popitem(last=False)
        waiting: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[record.envelope_id] = waiting
        if self.request_url is not None:
            self._spawn(self._send_http(self.request_url, record, payload, retry, waiting))
        elif not await self.sockets.send(_frame(record, payload, retry)):
            _refuse(waiting, "connection_failed")
        self._wake()
        return record

    async def _send_http(
        self, url: str, record: Delivery, payload: Json, retry: Retry | None, waiting: asyncio.Future[Json | None]
    ) -> None:
        content_type, body = _http_body(record.kind, payload)
        try:
            reply = await self.post(url, body, content_type=content_type, retry=retry)
        except TimeoutError:
            _refuse(waiting, "http_timeout")
        except aiohttp.ClientError:
            _refuse(waiting, "connection_failed")
        else:
            if 200 <= reply.status < 300:
                self._acknowledged({"envelope_id": record.envelope_id, "payload": reply.json()})
            else:
                _refuse(waiting, "http_error")

    def _acknowledged(self, frame: Json) -> None:
        envelope_id = str(frame.get("envelope_id", ""))
        record = self.records.get(envelope_id)
        if record is None or record.acked_at is not None:
            return
        record.acked_at = self._clock()
        record.reply = frame.get("payload")
        waiting = self._waiting.get(envelope_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(record.reply)
        self._wake()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _frame(record: Delivery, payload: Json, retry: Retry | None) -> Json:
    frame: Json = {
        "type": record.kind,
        "envelope_id": record.envelope_id,
        "payload": payload,
        "accepts_response_payload": record.kind != "events_api",
    }
    if record.kind == "events_api":
        frame |= {"retry_attempt": retry.number if retry else 0, "retry_reason": retry.reason if retry else ""}
    return frame


def _http_body(kind: str, payload: Json) -> tuple[str, bytes]:
    if kind == "events_api":
        return "application/json", json.dumps(payload).encode()
    form = {"payload": json.dumps(payload)} if kind == "interactive" else payload
    return "application/x-www-form-urlencoded", urlencode(form).encode()


def _refuse(waiting: asyncio.Future[Json | None], reason: str) -> None:
    if not waiting.done():
        waiting.set_exception(Unacknowledged(reason))
