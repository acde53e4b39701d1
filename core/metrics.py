"""What `/metrics` shows: counts and times, never words or names of people."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

from core.store.ledger import Call

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """One registry per core, so that several can live in a process. `model_trouble`: how the newest call failed."""

    def __init__(self, *, waiting: Callable[[], int]) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._turns = Counter(
            "bise_turns", "Turns that ended, by how.", ("platform", "outcome"), registry=self.registry
        )
        self._calls = Counter(
            "bise_model_calls", "Model calls, by how they ended.", ("home", "model", "outcome"), registry=self.registry
        )
        self._tokens = Counter(
            "bise_tokens",
            "Tokens, by kind: prompt, completion, cached.",
            ("home", "model", "kind"),
            registry=self.registry,
        )
        self._cost = Counter("bise_cost_microusd", "Cost in micro-dollars.", ("home", "model"), registry=self.registry)
        self._above = Counter(
            "bise_above_bound_microusd",
            "What calls have cost more than was held for them.",
            ("home", "model"),
            registry=self.registry,
        )
        self._first_text = Histogram(
            "bise_first_text_seconds",
            "From a call to its first text.",
            ("home", "model"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._seconds = Histogram(
            "bise_model_call_seconds",
            "From a call to its end.",
            ("home", "model"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.model_trouble: str | None = None
        queue = Gauge("bise_turns_waiting", "Turns that wait or run.", registry=self.registry)
        queue.set_function(waiting)

    def turn_ended(self, platform: str, outcome: str) -> None:
        self._turns.labels(platform, outcome).inc()

    def called(self, call: Call) -> None:
        """Counts one call as the ledger has it."""
        self._calls.labels(call.home, call.model, call.outcome).inc()
        self.model_trouble = None if call.outcome in ("ok", "tool_calls", "stopped", "abandoned") else call.outcome
        self._tokens.labels(call.home, call.model, "prompt").inc(call.tokens.prompt_tokens)
        self._tokens.labels(call.home, call.model, "completion").inc(call.tokens.completion_tokens)
        self._tokens.labels(call.home, call.model, "cached").inc(call.tokens.cached_tokens)
        self._cost.labels(call.home, call.model).inc(call.tokens.cost_microusd)
        if call.first_text_ms is not None:
            self._first_text.labels(call.home, call.model).observe(call.first_text_ms / 1000)
        self._seconds.labels(call.home, call.model).observe(call.total_ms / 1000)

    def above_bound(self, call: Call, microusd: int) -> None:
        """A call cost that much more than its bound."""
        self._above.labels(call.home, call.model).inc(microusd)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
