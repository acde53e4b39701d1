"""A language model behind its limits: callers wait in turn, and a home that is down or unpaid is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING

from core.chat import Admitted, ChatRequest, Delta, Finish
from core.errors import ModelError, ModelGivenUp, ModelOverloaded, ModelRateLimited, ModelUnauthorized
from core.mistral.throttle.circuit import Attempt, Circuit, Trouble
from core.mistral.throttle.gate import Gate
from core.mistral.throttle.lane import Taken
from core.mistral.throttle.limits import Limits, Told

if TYPE_CHECKING:  # it brings the messages of the platforms, 20 ms that the client does not need
    from core.ports import Clock, LanguageModel

_PATIENCE = 60.0
_MINUTE = 60.0
_CHECK = 60.0
# Whose response's headers those are that `learn` is given: it is called within the call that they answer.
_asking: ContextVar[Taken | None] = ContextVar("asking", default=None)


class ThrottledModel:
    """Honours `core.ports.LanguageModel` around the client of one home and key.

    `limits`: of each model, to begin with. `concurrency`: calls at once. `probe`: free of cost, raises ModelError where
    the key is refused; None lets one call a minute find out. `on_change`: told once of each trouble and once of its
    end; it must not raise. `patience`: seconds that a caller waits at most. `minute`: the length of a minute, which
    only benches shorten.
    """

    def __init__(
        self,
        model: LanguageModel,
        *,
        limits: Limits,
        clock: Clock,
        concurrency: int,
        probe: Callable[[], Awaitable[object]] | None,
        on_change: Callable[[Trouble | None], None],
        patience: float = _PATIENCE,
        minute: float = _MINUTE,
    ) -> None:
        self._model = model
        self._clock = clock
        self._probe = probe
        self._on_change = on_change
        self._gate = Gate(limits, clock, concurrency=concurrency, patience=patience, minute=minute)
        self._circuit = Circuit(clock, self._changed, trial_unauthorized=probe is None)
        self._probing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def trouble(self) -> Trouble | None:
        """Why nothing is called at present; None while all is well."""
        return self._circuit.trouble

    @property
    def waiting(self) -> int:
        """How many callers wait for their turn."""
        return self._gate.waiting

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """Waits for a turn, says so by Admitted, then makes exactly one request and yields its deltas.

        Raises ModelHeldBack and ModelGivenUp, both unbilled and without a request, besides the model's own errors.
        """
        if self._closed:
            raise ModelGivenUp("closed")
        self._circuit.check()
        taken = await self._gate.admit(request)
        attempt: Attempt | None = None
        try:
            yield Admitted()
            attempt = self._circuit.enter()
            taken.start(self._clock.monotonic())
            self._gate.look()
            deltas = self._model.stream(request)
            try:
                first = await self._first(deltas, taken)
                self._circuit.succeeded(attempt)
                taken.lane.slowdown.succeeded(taken.started_at or 0.0)
                attempt = None
                if first is not None:
                    self._seen(first, taken)
                    yield first
                async for delta in deltas:
                    if type(delta) is Finish:
                        self._seen(delta, taken)
                    yield delta
            finally:
                if isinstance(deltas, AsyncGenerator):
                    await deltas.aclose()
        except ModelError as error:
            self._failed(error, taken, attempt)
            attempt = None
            raise
        finally:
            if attempt is not None:
                self._circuit.dropped(attempt)
            self._gate.leave(taken)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Takes in a response's headers; those that answer no `stream` (a list of models) say nothing."""
        taken = _asking.get()
        if taken is None:
            return
        lane = taken.lane
        if lane.learn(Told.of(headers), taken, self._clock.monotonic()):
            import structlog  # 20 ms at the start, which those who only import this need not pay

            structlog.get_logger().info(
                "model.limits_learned",
                model=taken.request.model,
                requests_per_minute=lane.limits.requests_per_minute,
                tokens_per_minute=lane.limits.tokens_per_minute,
            )
        self._gate.look()

    async def aclose(self) -> None:
        """Sends away who waits and ends what runs in the background; calls under way go on."""
        self._closed = True
        self._gate.refuse_all(lambda: ModelGivenUp("closed"))
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)

    async def _first(self, deltas: AsyncIterator[Delta], taken: Taken) -> Delta | None:
        """The first delta. What the client learns until then belongs to this call."""
        token = _asking.set(taken)
        try:
            return await anext(deltas, None)
        finally:
            _asking.reset(token)

    def _seen(self, delta: Delta, taken: Taken) -> None:
        if isinstance(delta, Finish) and delta.usage is not None:
            taken.lane.settle(taken, delta.usage)
            self._gate.look()

    def _failed(self, error: ModelError, taken: Taken, attempt: Attempt | None) -> None:
        started_at = taken.started_at
        if started_at is None:  # ours: nothing was sent
            return
        if attempt is not None:
            self._circuit.failed(attempt, error)
        if isinstance(error, (ModelRateLimited, ModelOverloaded)) or error.status == 503:
            lane = taken.lane
            if lane.slowdown.refused(started_at, self._clock.monotonic(), error.retry_after):
                import structlog

                structlog.get_logger().warning(
                    "model.slowed", model=taken.request.model, calls_per_second=round(lane.slowdown.rate or 0.0, 3)
                )
            self._gate.paused(lane)
        elif error.unbilled and error.status is None:  # it never arrived
            taken.drop()

    def _changed(self, trouble: Trouble | None) -> None:
        if trouble is not None:
            self._gate.refuse_all(self._circuit.refusal)
            if trouble.kind == "unauthorized" and self._probe is not None and not self._closed:
                if self._probing is not None:
                    self._probing.cancel()
                self._probing = asyncio.create_task(self._until_authorized(self._probe))
        self._on_change(trouble)

    async def _until_authorized(self, probe: Callable[[], Awaitable[object]]) -> None:
        """Asks every minute whether the key is good again, if the probe is refused as well.

        A home may show its list to anybody: then only a call can tell, and one a minute is let through.
        """
        proven, pause = False, 0.0
        while (trouble := self._circuit.trouble) is not None and trouble.kind == "unauthorized":
            await self._clock.sleep(pause)
            pause = _CHECK
            try:
                await probe()
            except ModelUnauthorized:
                proven = True
                continue
            except Exception as error:  # noqa: BLE001 - also after a fault of ours the next minute asks again
                import structlog

                why = error.reason if isinstance(error, ModelError) else type(error).__name__
                structlog.get_logger().warning("model.probe_failed", why=why)
            else:
                if not proven:
                    self._circuit.try_calls()
                    return
                self._circuit.close()
