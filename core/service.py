"""The core, put together: the one place where its parts meet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from core.announcing.delivery import Deliveries
from core.budgets.limits import Budgets
from core.budgets.requests import Requests
from core.budgets.terms import Terms
from core.budgets.workspace_settings import WorkspaceSettings
from core.clock import SystemClock
from core.messages import (
    Accepted,
    ConversationKind,
    IncomingMessage,
    Press,
    Pressed,
    Tokens,
    WorkspaceKey,
)
from core.metrics import Metrics
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient
from core.mistral.providers import configured
from core.mistral.providers.provider import Provider
from core.ports import ChatPlatform, Clock, LanguageModel, TurnQueue
from core.reports import figures
from core.reports.basis import Basis
from core.reports.buttons import ReportButtons
from core.reports.choices import ReportChoices
from core.reports.desk import KIND, Reports
from core.reports.pictures import pictures_of
from core.settings import Settings
from core.store import conversations, ledger, turns, workspaces
from core.store.database import Connection, Database
from core.store.spending import PostCost
from core.turns.accept import Acceptance
from core.turns.asking import Asking
from core.turns.assistants import Assistants
from core.turns.billing import Billing
from core.turns.canned import Canned
from core.turns.choices import Choices
from core.turns.choosing import ModelChoice
from core.turns.controls import Controls
from core.turns.estimate import TokenEstimate
from core.turns.images import Images
from core.turns.lease import Leases
from core.turns.names import Names
from core.turns.queues import open_queue, recovery_of
from core.turns.recovery import Recovery
from core.turns.routes import Routes
from core.turns.run import Runner
from core.turns.telling import Telling, TroubleNews


@dataclass(frozen=True, slots=True)
class Parts:
    """What the core is made of; `open_core` fills it, tests may put in another clock."""

    database: Database
    routes: Routes
    catalogue: Catalogue
    choice: ModelChoice
    choices: Choices
    queue: TurnQueue
    recovery: Recovery
    controls: Controls
    acceptance: Acceptance
    pictures: Images
    billing: Billing
    runner: Runner
    platforms: dict[str, ChatPlatform]
    telling: Telling
    news: TroubleNews
    clock: Clock
    metrics: Metrics
    requests: Requests
    deliveries: Deliveries
    budgets: Budgets
    workspace_settings: WorkspaceSettings
    reports: Reports
    report_choices: ReportChoices


class Core:
    """What adapters and commands talk to."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self.settings = settings
        self._parts = parts

    @property
    def database(self) -> Database:
        return self._parts.database

    @property
    def client(self) -> MistralClient:
        return self._parts.routes.client

    @property
    def catalogue(self) -> Catalogue:
        return self._parts.catalogue

    @property
    def choice(self) -> ModelChoice:
        return self._parts.choice

    @property
    def choices(self) -> Choices:
        return self._parts.choices

    @property
    def budgets(self) -> Budgets:
        return self._parts.budgets

    @property
    def workspace_settings(self) -> WorkspaceSettings:
        return self._parts.workspace_settings

    @property
    def home(self) -> Provider:
        return self._parts.routes.home

    @property
    def leases(self) -> Leases:
        return self._parts.runner.leases

    def model_trouble(self) -> str | None:
        """Why models are not called at present, or else how the newest call failed; None: all is well."""
        return self._parts.routes.trouble() or self.metrics.model_trouble

    @property
    def metrics(self) -> Metrics:
        return self._parts.metrics

    @property
    def telling(self) -> Telling:
        return self._parts.telling

    @property
    def queue(self) -> TurnQueue:
        return self._parts.queue

    @property
    def sweep_every(self) -> float:
        """Seconds from one sweep to the next."""
        return self._parts.recovery.every

    def attach(self, platform: ChatPlatform) -> None:
        """Makes a platform known, before `start`."""
        self._parts.platforms[platform.name] = platform

    async def start(self, *, take_up: bool = True) -> None:
        """Begins to run turns, unfinished ones of the platforms attached so far first. Raises StoreUnavailable.

        `take_up` is not for a process beside the one that holds the ServeLock: what is running there is not ours.
        """
        if take_up:
            self._parts.routes.on_trouble = self._parts.news.changed  # a single question says by itself what is amiss
            await self.take_up(*self._parts.platforms)
        await self.queue.start(self._parts.runner.run)

    async def take_up(self, *platforms: str) -> None:
        """Runs turns of these platforms from now on, first what an earlier process left unfinished."""
        await self._parts.recovery.take_up(platforms)

    async def sweep(self) -> None:
        """Takes up whatever lies about: turns that no queue knows, running ones that nobody runs, unpaid calls.

        Raises StoreUnavailable.
        """
        await self._parts.recovery.sweep(tuple(self._parts.platforms))
        await self._parts.billing.pay_all()
        await self._parts.billing.charge_expired()

    async def deliver(self) -> None:
        """Posts what is announced to admins, where that is due. Raises StoreUnavailable."""
        await self._parts.deliveries.deliver()

    @property
    def reports(self) -> Reports:
        return self._parts.reports

    @property
    def report_choices(self) -> ReportChoices:
        return self._parts.report_choices

    async def report(self) -> None:
        """Makes the reports that are due; `deliver` posts them. Raises StoreUnavailable."""
        await self._parts.reports.tick()

    async def stop(self, patience: float = 20.0) -> None:
        """Runs no more turns, waits for those under way, gives the rest back."""
        until = self._parts.clock.monotonic() + patience
        await self.queue.stop(patience)
        await self._parts.runner.mending.stop(max(until - self._parts.clock.monotonic(), 0.0))
        await self._parts.news.aclose()  # the platforms are closed next
        await self._parts.deliveries.stop()

    async def close(self) -> None:
        await self._parts.runner.mending.stop(0.0)  # a stop that was told to hurry did not come to it
        await self._parts.routes.aclose()
        await self._parts.news.aclose()
        await self._parts.pictures.aclose()
        await self._parts.reports.aclose()
        await self.database.close()

    async def expire(self, platform: str) -> None:
        """Fails what a dead process of a platform left running past its lease, and charges holds past theirs."""
        now = self._parts.clock.now()
        await self.database.write(lambda connection: turns.expire(connection, platform, now))
        await self._parts.billing.charge_expired()

    def interrupt(self, turn: int) -> None:
        """Ends the model call of a turn that runs in this process; what came so far is its answer."""
        self._parts.controls.interrupt(turn)

    async def cost_of(self, key: WorkspaceKey, turn: int) -> Tokens:
        """What one turn has used. Raises StoreUnavailable."""

        def look(connection: Connection) -> Tokens:
            workspace = workspaces.find(connection, key)
            return Tokens() if workspace is None else ledger.of_turn(connection, workspace, turn)

        return await self.database.read(look)

    async def accept(self, message: IncomingMessage) -> Accepted:
        """Stores a message before it is acknowledged. Raises StoreUnavailable."""
        return await self._parts.acceptance.accept(message)

    async def press(self, press: Press) -> Pressed:
        """A button was pressed. Raises StoreUnavailable; PlatformError where a platform is asked who may."""
        return await self._parts.controls.press(press)

    async def knows(self, key: WorkspaceKey, channel: str, root: str) -> bool:
        """Whether there is a conversation with this root. Raises StoreUnavailable."""

        def look(connection: Connection) -> bool:
            workspace = workspaces.find(connection, key)
            return workspace is not None and conversations.by_root(connection, workspace, channel, root) is not None

        return await self.database.read(look)

    async def usage_today_and_month(self, key: WorkspaceKey, person: str | None) -> figures.UsageView:
        """What `/bise usage` shows. Raises StoreUnavailable."""
        return await figures.view(self.database, key, person, self._parts.clock.now(), self._parts.billing.terms)

    async def cost_of_post(self, key: WorkspaceKey, platform_id: str) -> PostCost | None:
        """What the answer in a post took, by the id under which the post is stored; None: that is no answer of ours.

        Raises StoreUnavailable.
        """
        return await figures.cost_of_post(self.database, key, platform_id)

    async def reset(self, key: WorkspaceKey, channel: str, root: str | None = None) -> bool:
        """Forgets, for the model, what was said in a thread, or in the channel's newest conversation.

        False: there was none. Raises StoreUnavailable.
        """

        def begin_anew(connection: Connection) -> bool:
            workspace = workspaces.find(connection, key)
            if workspace is None:
                return False
            found = conversations.by_root(connection, workspace, channel, root) if root else None
            for kind in (ConversationKind.DM, ConversationKind.CHAIN) if root is None else ():
                found = found or conversations.latest(connection, workspace, channel, kind)
            if found is None:
                return False
            conversations.change(connection, found.id, history_from_seq=found.last_seq + 1, trimmed_to_seq=0)
            return True

        return await self.database.write(begin_anew)


def home_of(settings: Settings) -> Provider:
    """Where the models are, as the settings say. Raises SettingsError."""
    return configured.provider(settings)


def open_core(
    settings: Settings, *, clock: Clock | None = None, model: LanguageModel | None = None, shared: bool = False
) -> Core:
    """Puts the parts together; nothing is connected yet. Raises SettingsError, StoreUnavailable.

    `model`: what answers instead of the home that the settings name. `shared`: several processes run turns together,
    which then wait in PostgreSQL; else what is asked here is run here.
    """
    clock = clock or SystemClock()
    catalogue = Catalogue.load(settings.catalogue_file)
    assistants = Assistants.load(settings.assistants_file, system_prompt=settings.system_prompt)
    routes = Routes(settings, catalogue, clock, model)
    database = Database.open(settings.database_url)
    choice = ModelChoice(settings, catalogue, clock, routes.home)
    names = Names(settings, catalogue, assistants, clock, routes.home)
    choices = Choices(names, database, clock, secrets=settings.secrets)
    queue = open_queue(settings, database, shared=shared)
    platforms: dict[str, ChatPlatform] = {}
    requests = Requests(settings, database, platforms, clock)
    budgets = Budgets(Terms.of(settings), database, clock)
    report_choices = ReportChoices(settings, database, clock)
    report_buttons = ReportButtons(settings, database, platforms, budgets, report_choices)
    homes = tuple(route.home for route in routes.routes)
    reports = Reports(
        settings, database, platforms, partial(Basis.of, settings, catalogue, homes), pictures_of(settings), clock
    )
    controls = Controls(settings, database, clock, queue, (requests, report_buttons))
    telling = Telling(settings, platforms, clock)
    news = TroubleNews(telling)
    metrics = Metrics(waiting=lambda: queue.length)
    estimate = TokenEstimate()
    billing = Billing(settings, database, estimate, clock, metrics)
    pictures = Images(database, clock)
    asking = Asking(settings, database, routes.routes, choice, assistants, pictures, billing, estimate, clock)
    canned = Canned(settings, database, choices, free=not routes.home.priced)
    runner = Runner(database, asking, canned, controls, platforms, clock, metrics, requests)
    acceptance = Acceptance(settings, database, queue, controls, clock, names)
    parts = Parts(
        database,
        routes,
        catalogue,
        choice,
        choices,
        queue,
        recovery_of(queue, database, runner.leases),
        controls,
        acceptance,
        pictures,
        billing,
        runner,
        platforms,
        telling,
        news,
        clock,
        metrics,
        requests,
        Deliveries(settings, database, platforms, clock, {KIND: reports}),
        budgets,
        WorkspaceSettings(database, clock),
        reports,
        report_choices,
    )
    return Core(settings, parts)
