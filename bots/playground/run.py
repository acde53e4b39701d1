"""`bise playground`: the real service between two simulated workspaces, and a page to use them from."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import migrations
from bots.playground.local_model import LocalModel
from bots.playground.simulators import Simulators
from bots.playground.site import ModelNotice, Site
from bots.serve import Service
from core.service import home_of
from core.settings import Settings

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_PATIENCE = 0.5  # nothing here outlives the process, so nothing is waited for
_LOCAL_PROMPT = "You are Bise, a helpful assistant in a chat. Answer the last question briefly."
_LOCAL_MAX_TOKENS = 400  # a very small model does not know when to end
_LOCAL_HISTORY_TOKENS = 1200  # it reads some 150 tokens a second


class Playground:
    """Everything that `bise playground` runs; `url` is the page's address."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._settings = settings
        self._port = port
        self._stack = AsyncExitStack()
        self.url = ""
        self.simulators: Simulators
        self.service: Service

    async def __aenter__(self) -> Self:
        """Raises SettingsError, LocalModelFailed."""
        async with AsyncExitStack() as stack:
            settings, notice = await self._with_model(stack)
            self.simulators = Simulators(self._port)
            Site(self.simulators.slack, self.simulators.discord, notice).mount(self.simulators.app)
            await stack.enter_async_context(self.simulators)
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="bise-playground-"))
            database = Path(folder) / "playground.db"
            await asyncio.to_thread(migrations.upgrade, database)
            self.service = Service(self.simulators.settings(settings, database), patience=_PATIENCE)
            await self.service.start()
            stack.push_async_callback(self.service.stop)
            self.url = f"{self.simulators.base_url}/"
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _with_model(self, stack: AsyncExitStack) -> tuple[Settings, ModelNotice]:
        """The settings' own model, else the small one on this machine, and what the page says of it."""
        settings = self._settings
        if settings.has_model:
            home = home_of(settings)
            return settings, ModelNotice(settings.model, f"{settings.model} ({home.name})")
        model = LocalModel()
        if not model.installed():
            await model.install()
        base_url = await model.start()
        stack.push_async_callback(model.stop)
        note = "It is tiny, often wrong, and cannot see images. Set MISTRAL_API_KEY in .env to talk to Mistral."
        local = settings.model_copy(
            update={
                "mistral_base_url": base_url,
                "self_hosted": True,
                "model": model.name,
                "max_tokens": _LOCAL_MAX_TOKENS,
                "history_tokens": _LOCAL_HISTORY_TOKENS,
                "system_prompt": settings.system_prompt or _LOCAL_PROMPT,
            }
        )
        return local, ModelNotice(model.name, f"{model.name}, a very small model on this machine", note)


async def playground(settings: Settings, port: int) -> int:
    """Runs until SIGINT or SIGTERM."""
    for name in _PROXIES:  # the Slack SDK sends even loopback calls through a proxy
        os.environ.pop(name, None)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with Playground(settings, port) as running:
        sys.stderr.write(f"\nThe playground is at {running.url} — open it in a browser. Ctrl-C ends it.\n\n")
        await stopping.wait()
    return 0
