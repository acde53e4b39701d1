"""HTTP mode: Slack's signed requests at POST /slack/events."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

BODY_MAX = 1024 * 1024
_TIMESTAMP = re.compile(r"[0-9]{1,12}")

log = structlog.get_logger()


class Webhook:
    """Lets in what Slack has signed within five minutes. `app` gives None while nothing is to be taken."""

    def __init__(self, signing_secret: str, app: Callable[[], AsyncApp | None]) -> None:
        self._verifier = SignatureVerifier(signing_secret)
        self._app = app

    async def handle(self, request: web.Request) -> web.Response:
        app = self._app()
        if app is None:
            return web.Response(status=503, text="not ready")
        if (request.content_length or 0) > BODY_MAX:
            return web.Response(status=413, text="too large")
        try:
            body = (await request.read()).decode()
        except UnicodeDecodeError:
            return web.Response(status=400, text="not text")
        if not self._is_signed(request, body):
            log.warning("slack.request_refused", reason="signature")
            return web.Response(status=401, text="not signed by Slack")
        try:
            bolt_request = AsyncBoltRequest(body=body, query=request.query_string, headers=_headers(request))
        except ValueError:
            return web.Response(status=400, text="not JSON")
        return await to_aiohttp_response(await app.async_dispatch(bolt_request))

    def _is_signed(self, request: web.Request, body: str) -> bool:
        # Bolt checks again, but only after parsing the body, and a timestamp that is no number makes it fail with 500,
        # as one of thousands of digits does.
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not (_TIMESTAMP.fullmatch(timestamp) and signature.isascii()):
            return False
        return self._verifier.is_valid(body, timestamp, signature)


def _headers(request: web.Request) -> dict[str, str | Sequence[str]]:
    return {name: request.headers.getall(name) for name in request.headers}
