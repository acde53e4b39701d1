"""`bise serve` as a process of its own, led to the simulators; ended by process id."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from bots.playground.mistral.simulator import MistralSimulator
from bots.playground.simulators import Simulators

KEY = "a-key-of-the-tests"
ROOT = Path(__file__).parent.parent


def environment(simulators: Simulators, model: MistralSimulator, database: Path) -> dict[str, str]:
    """The settings that lead a real service to simulated platforms."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(database.parent),
        "PYTHONPATH": str(ROOT),
        "MISTRAL_API_KEY": KEY,
        "MISTRAL_BASE_URL": model.base_url,
        "SLACK_BOT_TOKEN": simulators.slack.bot_token,
        "SLACK_APP_TOKEN": simulators.slack.app_token,
        "SLACK_API_URL": simulators.slack.api_url,
        "DISCORD_TOKEN": simulators.discord.token,
        "DISCORD_API_URL": simulators.discord.api_url,
        "DISCORD_GATEWAY_URL": simulators.discord.gateway_url,
        "DATABASE_URL": f"sqlite+aiosqlite:///{database}",
        "BISE_HTTP_PORT": "0",
        "BISE_LOG_FORMAT": "json",
        # Simulated people ask more and faster than others; what limits them has tests of its own.
        "BISE_MONTHLY_BUDGET": "none",
        "BISE_USER_TURNS_PER_MINUTE": "none",
        "BISE_WORKSPACE_TURNS_PER_MINUTE": "none",
    }


class ServeProcess:
    """One `bise serve`. Its log goes to a file, and is part of a failure's message."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> str:
        return (self._folder / "serve.log").read_text()

    async def start(self) -> None:
        """Returns when it says that it is ready."""
        ready_before = self.log.count('"serve.ready"') if (self._folder / "serve.log").exists() else 0
        with (self._folder / "serve.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bots", "serve", cwd=self._folder, env=self._env, stdout=log, stderr=log
            )
        try:
            async with asyncio.timeout(30):
                while self.log.count('"serve.ready"') == ready_before:
                    if self._process.returncode is not None:
                        raise AssertionError(f"serve ended with {self._process.returncode}: {self.log[-2000:]}")
                    await asyncio.sleep(0.02)
        except BaseException:
            self.send(signal.SIGKILL)  # or it would outlive the test
            raise

    def send(self, number: signal.Signals) -> None:
        """Sends the signal, if the process lives."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and waits; returns the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await asyncio.wait_for(self._process.wait(), 40)
