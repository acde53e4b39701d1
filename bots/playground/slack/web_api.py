"""The Web API's door: token, scope, limits and faults, before and after each method."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog
from aiohttp import web

from bots.playground.slack import arguments as reading
from bots.playground.slack.arguments import ApiError, Arguments
from bots.playground.slack.rate_limits import RateLimits
from bots.playground.slack.records import ApiCall, Json
from bots.playground.slack.workspace import Workspace

CALLS_MAX = 20_000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Method:
    """A Web API method.

    `scope`: what the bot token needs for it. `caller`: whose token it takes. `writes`: `commit_then_502_share` applies.
    """

    run: Callable[[Arguments], Awaitable[Json]]
    scope: str | None = None
    caller: Literal["bot", "app", "either"] = "bot"
    writes: bool = False


class WebApi:
    def __init__(self, workspace: Workspace, methods: Mapping[str, Method]) -> None:
        self.calls: deque[ApiCall] = deque(maxlen=CALLS_MAX)
        self._workspace = workspace
        self._world = workspace.world
        self._faults = workspace.faults
        self._methods = methods
        self._limits = RateLimits(workspace.faults, workspace.clock)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one call as Slack does: 200 with `ok`, 429 with `Retry-After`, or a 502 page."""
        name = request.match_info["method"]
        at = self._workspace.clock()
        if self._faults.slow_seconds:
            await asyncio.sleep(self._faults.slow_seconds)
        values: Json = {}
        error: str | None = None
        method = self._methods.get(name)
        headers = {"x-oauth-scopes": ",".join(sorted(self._world.granted_scopes))}
        try:
            values = await reading.read(request)
            body = await self._run(name, method, values, _token(request, values))
        except ApiError as refusal:
            error = refusal.error
            body = {"ok": False, "error": error, **refusal.fields}
        seconds = body.pop("retry_after", None)
        if error is None and method and method.writes and self._faults.happens(self._faults.commit_then_502_share):
            error = "bad_gateway"
        self.calls.append(ApiCall(name, {key: values[key] for key in values if key != "token"}, at, error))
        self._workspace.changes.wake()
        if error is not None:
            log.debug("slack_simulator.call_refused", method=name, error=error)
        if error == "bad_gateway":
            return web.Response(status=502, text="<html>502 Bad Gateway</html>", content_type="text/html")
        if seconds is not None:
            return web.json_response(body, status=429, headers=headers | {"Retry-After": str(seconds)})
        return web.json_response(body, headers=headers)

    async def _run(self, name: str, method: Method | None, values: Json, token: str) -> Json:
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        self._check_token(method, token)
        if method.scope and method.scope not in self._world.granted_scopes:
            provided = ",".join(sorted(self._world.granted_scopes))
            raise ApiError("missing_scope", needed=method.scope, provided=provided)
        given = Arguments({**values, "token": token})
        seconds = self._limits.wait_for(name, given.text("channel"))
        if seconds is not None:
            raise ApiError("ratelimited", retry_after=seconds)
        if name in self._faults.refused:
            raise ApiError(self._faults.refused[name])
        return {"ok": True, **await method.run(given)}

    def _check_token(self, method: Method, token: str) -> None:
        if not token:
            raise ApiError("not_authed")
        if token not in (self._world.bot_token, self._world.app_token):
            raise ApiError("invalid_auth")
        if self._faults.token_revoked:
            raise ApiError("token_revoked")
        kind = "bot" if token == self._world.bot_token else "app"
        if method.caller not in (kind, "either"):
            raise ApiError("not_allowed_token_type")


def _token(request: web.Request, values: Json) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return token.strip()
    return str(values.get("token", "")) if request.content_type != "application/json" else ""
