"""The HTTP side: `/healthz`, `/readyz`, `/metrics`, and what adapters mount."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from core.errors import SettingsError, StoreUnavailable
from core.service import Core

NotReady = Callable[[], str | None]


class WebServer:
    """Serves on the settings' host and port; port 0 takes a free one, which `port` then tells."""

    def __init__(self, core: Core, not_ready: Mapping[str, NotReady]) -> None:
        self._core = core
        self._not_ready = not_ready
        self._runner: web.AppRunner | None = None
        self.port = core.settings.http_port
        self.app = web.Application(client_max_size=1024 * 1024)
        self.app.router.add_get("/healthz", self._healthz)
        self.app.router.add_get("/readyz", self._readyz)
        self.app.router.add_get("/metrics", self._metrics)

    async def start(self) -> None:
        """Raises SettingsError when the port is taken."""
        self._runner = web.AppRunner(self.app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._core.settings.http_host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"BISE_HTTP_PORT {self.port} on {self._core.settings.http_host} cannot be used: {error.strerror}. "
                "Example: BISE_HTTP_PORT=8081"
            ) from error
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, _: web.Request) -> web.Response:
        """503 with the reasons while the database does not answer or a configured platform is not connected."""
        reasons = {name: reason for name, ask in self._not_ready.items() if (reason := ask()) is not None}
        try:
            await self._core.database.ping()
        except StoreUnavailable as error:
            reasons["database"] = str(error)
        body: dict[str, Any] = {"status": "not ready" if reasons else "ready", "reasons": reasons}
        if (trouble := self._core.model_trouble()) is not None:
            body["model"] = trouble
        if (waiting := self._core.leases.waiting) > 0:
            body["answers_waiting_for_the_database"] = waiting
        return web.json_response(body, status=503 if reasons else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._core.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})
