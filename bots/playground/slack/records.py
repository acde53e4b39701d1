"""What the simulator notes of the traffic, for tests and the bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One Web API call. `arguments` without the token; `error` as answered, "bad_gateway" for a 502, else None."""

    method: str
    arguments: Json
    at: float
    error: str | None = None


@dataclass(slots=True)
class Delivery:
    """One envelope or HTTP request to the app. `acked_at` and `reply` are set when its ack arrives, however late.

    `kind`: events_api, slash_commands or interactive. `retry_num`: 0 for the first attempt. Times by the clock.
    """

    envelope_id: str
    kind: str
    event_id: str | None
    event_type: str | None
    sent_at: float
    retry_num: int = 0
    acked_at: float | None = None
    reply: Json | None = None

    @property
    def latency(self) -> float | None:
        """Seconds from sending to the ack; None while there is none."""
        return None if self.acked_at is None else self.acked_at - self.sent_at


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a slash command went. Not `acknowledged`: Slack tells the person `operation_timeout`, and so do we."""

    acknowledged: bool
    body: Json | None
    response_url: str
    trigger_id: str

    @property
    def text(self) -> str:
        """The text that came with the ack; empty where it carried none."""
        return str((self.body or {}).get("text", ""))
