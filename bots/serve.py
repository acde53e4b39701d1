"""`bise serve`: start, roles, drain, stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Protocol

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

import migrations
from bots.web import WebServer
from core.clock import SystemClock
from core.errors import PlatformUnavailable, SettingsError, StoreUnavailable, UnknownModel, WrongUse
from core.ports import ChatPlatform
from core.service import Core, open_core
from core.settings import Settings, promised_later
from core.store.processes import Processes
from core.store.serve_lock import ServeLock
from core.store.shards import StoredShards
from migrations import queue_schema

_log = structlog.get_logger()
ROLES = ("slack", "discord", "worker", "reports", "web")
BEAT_SECONDS = 3
DELIVER_SECONDS = 3
REPORT_SECONDS = 30
START_SECONDS = 20.0  # that platforms are given at the start, before the rest goes on in the background
_RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)


class Adapter(ChatPlatform, Protocol):
    """What `serve` needs of a platform besides what the core needs."""

    async def start(self) -> None:
        """Connects for receiving and for writing."""
        ...

    async def start_writing(self) -> None:
        """Connects for writing and downloading only: other processes receive."""
        ...

    async def stop_receiving(self) -> None: ...
    async def close(self) -> None: ...
    def not_ready(self) -> str | None: ...


class Service:
    """One running Bise. `ready` is set once every configured platform is connected."""

    def __init__(self, settings: Settings, roles: Sequence[str] = ROLES, patience: float | None = None) -> None:
        self._settings = settings
        self.patience = settings.drain_seconds if patience is None else patience
        self._roles = checked(roles, shared=settings.postgres)
        self._works = "worker" in self._roles
        self._chores: dict[str, asyncio.Task[None]] = {}
        self._processes: Processes | None = None  # on PostgreSQL: this one among the others
        self._stack = AsyncExitStack()
        self._connecting: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()
        self.core: Core
        self.web: WebServer

    async def start(self) -> None:
        """Opens everything; connecting to the platforms goes on in the background if one is away.

        Raises SettingsError, StoreUnavailable, SchemaOutdated, TokenRevoked.
        """
        async with AsyncExitStack() as stack:
            if not self._settings.postgres:
                lock = ServeLock(self._settings.database_file)
                lock.take()
                stack.callback(lock.free)
            self.core = open_core(self._settings, shared=self._settings.postgres)
            stack.push_async_callback(self.core.close)
            await self.core.database.check(migrations.NEWEST)
            if self._settings.postgres:
                await self.core.database.read(queue_schema.check)
                self._processes = Processes(self.core.database, SystemClock(), self._roles)
                await self._processes.beat()
                stack.push_async_callback(self._leave, self._processes)
            check_models(self.core)
            adapters = self._adapters(self.core)
            self.web = WebServer(self.core, {adapter.name: adapter.not_ready for adapter in adapters})
            for adapter in adapters:
                if adapter.name in self._roles and (mount := getattr(adapter, "mount", None)) is not None:
                    mount(self.web.app)
            await self.web.start()
            stack.push_async_callback(self.web.close)
            stack.push_async_callback(self._unschedule, self._schedule())
            for adapter in adapters:
                stack.push_async_callback(adapter.close)
            stack.push_async_callback(self.core.stop, self.patience)
            for adapter in adapters:
                stack.push_async_callback(adapter.stop_receiving)
            if self._works:
                await self.core.start()
            self._connecting = asyncio.create_task(self._connect(adapters))
            stack.push_async_callback(self._stop_connecting)
            done, _ = await asyncio.wait([self._connecting], timeout=START_SECONDS)
            if done:
                await self._connecting
            else:
                _log.warning("serve.waiting", reasons=[adapter.not_ready() for adapter in adapters])
            self._stack = stack.pop_all()
        for line in promised_later(self._settings):
            _log.warning("serve.not_yet", note=line)

    async def run(self, stopping: asyncio.Event) -> None:
        """Returns when told to stop. Raises what makes a platform give up for good, also long after the start."""
        told = asyncio.create_task(stopping.wait())
        waiting = {told, self._connecting} if self._connecting is not None else {told}
        try:
            while not told.done():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            told.cancel()

    async def stop(self) -> None:
        """Receives no more, lets running turns finish for a while, closes everything."""
        await self._stack.aclose()

    async def _stop_connecting(self) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)

    def _schedule(self) -> AsyncIOScheduler:
        scheduler = AsyncIOScheduler(timezone="UTC")
        often = {"misfire_grace_time": None, "coalesce": True, "max_instances": 2}
        chores: list[tuple[Callable[[], Awaitable[None]], float]] = []
        if self._works:
            chores.append((self.core.sweep, self.core.sweep_every))
        if self._works or "reports" in self._roles:
            chores.append((self.core.deliver, DELIVER_SECONDS))
        if "reports" in self._roles:
            chores.append((self.core.report, REPORT_SECONDS))
        if self._processes is not None:
            chores.append((self._processes.beat, BEAT_SECONDS))
        for chore, seconds in chores:
            scheduler.add_job(self._begin, "interval", args=[chore], seconds=seconds, **often)
        scheduler.start()
        return scheduler

    async def _begin(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Begins a chore, unless the last time is still under way because the database takes its time."""
        name = chore.__name__
        if name not in self._chores:
            self._chores[name] = asyncio.create_task(self._do(name, chore), name=name)

    async def _do(self, name: str, chore: Callable[[], Awaitable[None]]) -> None:
        try:
            await chore()
        except StoreUnavailable as error:
            _log.warning("chore.skipped", chore=name, why=str(error))
        except Exception:  # noqa: BLE001 - the next time may be better
            _log.exception("chore.fault", chore=name)
        finally:
            del self._chores[name]

    async def _unschedule(self, scheduler: AsyncIOScheduler) -> None:
        """Begins no more chores and lets those under way end."""
        scheduler.shutdown(wait=False)
        if self._chores:
            await asyncio.wait(set(self._chores.values()))

    async def _leave(self, processes: Processes) -> None:
        try:
            await processes.leave()
        except StoreUnavailable as error:  # the others notice by themselves, a little later
            _log.warning("leave.skipped", why=str(error))

    async def _connect(self, adapters: Sequence[Adapter]) -> None:
        tasks = [asyncio.create_task(self._connect_one(adapter)) for adapter in adapters]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.ready.set()
        _log.info("serve.ready", platforms=[adapter.name for adapter in adapters], http_port=self.web.port)

    async def _connect_one(self, adapter: Adapter) -> None:
        tries = 0
        while True:
            try:
                await (adapter.start() if adapter.name in self._roles else adapter.start_writing())
                self.core.attach(adapter)
                if self._works:
                    await self.core.take_up(adapter.name)
                return
            except (PlatformUnavailable, StoreUnavailable) as error:
                wait = _RETRY_SECONDS[min(tries, len(_RETRY_SECONDS) - 1)]
                tries += 1
                _log.warning("platform.away", platform=adapter.name, why=str(error), again_in_seconds=wait)
                await asyncio.sleep(wait)

    def _adapters(self, core: Core) -> list[Adapter]:
        """Those of the platforms that are received from here, or written to: that workers and reports do."""
        adapters: list[Adapter] = []
        writes = self._settings.postgres and not self._roles.isdisjoint({"worker", "reports"})
        if self._settings.slack_enabled and (writes or "slack" in self._roles):
            from bots.slack.app import SlackAdapter

            adapters.append(SlackAdapter(self._settings, core))
        if self._settings.discord_enabled and (writes or "discord" in self._roles):
            from bots.discord.adapter import DiscordAdapter

            shards = None
            if self._processes is not None and "discord" in self._roles:
                shards = StoredShards(core.database, SystemClock(), self._processes)
            adapters.append(DiscordAdapter(self._settings, core, shards=shards))
        if not adapters and self._roles != {"web"}:
            raise SettingsError(
                "No chat platform is set up. Set SLACK_BOT_TOKEN=xoxb-… and SLACK_APP_TOKEN=xapp-…, or DISCORD_TOKEN, "
                "or try `bise playground`: it needs no account."
            )
        return adapters


def check_models(core: Core) -> None:
    """Raises SettingsError when the settings name a model that no question could be put to."""
    try:
        core.choice.models()
    except UnknownModel as error:
        raise SettingsError(
            f"BISE_MODEL {core.settings.model[:80]} is not a model with a known price. `bise models` lists them. "
            "Example: BISE_MODEL=mistral-large-2512"
        ) from error


def checked(roles: Sequence[str], *, shared: bool) -> frozenset[str]:
    """The roles, if they can be run; `shared`: other processes may have the others. Raises WrongUse."""
    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise WrongUse(f"{unknown[0]!r} is not a role. Roles are {', '.join(ROLES)}.")
    if not roles:
        raise WrongUse(f"--roles names none. Roles are {', '.join(ROLES)}.")
    if "worker" not in roles and not shared:
        raise WrongUse("On SQLite one process does everything, so --roles must name worker: --roles slack,worker")
    return frozenset(roles)


async def serve(settings: Settings, roles: Sequence[str] = ROLES) -> int:
    """Runs until SIGTERM or SIGINT; a second one ends at once, without waiting for answers under way."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def on_signal() -> None:
        if stopping.is_set() and main is not None:
            main.cancel()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    service = Service(settings, roles)
    try:
        await service.start()
        try:
            await service.run(stopping)
            _log.info("serve.stopping", patience_seconds=service.patience)
        finally:
            await service.stop()
    except asyncio.CancelledError:
        return 1
    return 0
