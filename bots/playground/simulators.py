"""The simulated Slack and Discord behind one loopback port, and the settings that lead the real service to them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from pydantic import SecretStr

from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.slack.simulator import SlackSimulator
from core.errors import SettingsError
from core.settings import Settings

HOST = "127.0.0.1"


class Simulators:
    """Both platforms on one port (0: a free one). Mount whatever else belongs there on `app` before entering.

    `clock` gives epoch seconds, the same for both.
    """

    def __init__(self, port: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._port = port
        self.slack = SlackSimulator(clock=clock)
        self.discord = DiscordSimulator(clock=clock)
        self.app = web.Application(client_max_size=64 * 1024 * 1024)
        self.slack.mount(self.app)
        self.discord.mount(self.app)
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=1.0)
        self.base_url = ""

    async def __aenter__(self) -> Self:
        """Raises SettingsError when the port is taken."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"Port {self._port} of this machine is taken ({error.strerror}). Another: bise playground --port 8766"
            ) from error
        self.base_url = f"http://{HOST}:{self._runner.addresses[0][1]}"
        self.slack.base_url = self.base_url
        self.discord.base_url = self.base_url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def settings(self, settings: Settings, database: Path) -> Settings:
        """The same settings, with the simulated platforms' tokens and addresses and a database of its own."""
        return settings.model_copy(
            update={
                "slack_bot_token": SecretStr(self.slack.bot_token),
                "slack_app_token": SecretStr(self.slack.app_token),
                "slack_signing_secret": None,
                "slack_api_url": self.slack.api_url,
                "discord_token": SecretStr(self.discord.token),
                "discord_api_url": self.discord.api_url,
                "discord_gateway_url": self.discord.gateway_url,
                "database_url": f"sqlite+aiosqlite:///{database}",
                "allowed_workspaces": (),
                "http_port": 0,
            }
        )
