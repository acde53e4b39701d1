"""What goes wrong in the simulated Slack, switched on and off while it runs."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

# Calls a minute per workspace, by Slack's tiers (2: 20, 3: 50, 4: 100); the streams' tiers are not documented.
TIERS: Mapping[str, int] = {
    "assistant.threads.setStatus": 600,
    "bots.info": 50,
    "chat.appendStream": 100,
    "chat.delete": 50,
    "chat.postEphemeral": 100,
    "chat.startStream": 20,
    "chat.stopStream": 20,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
    "files.info": 100,
    "team.info": 50,
    "users.info": 100,
    "users.list": 20,
}


@dataclass(slots=True)
class SlackFaults:
    """Faults and clocks of the simulated Slack; mutable, read at each use. Shares are 0–1, times seconds.

    `ack_timeout`, `retry_delays`: an event without an ack in time is sent again after each of these delays.
    `redeliver_share`: acknowledged events that are sent once more all the same, as if the ack had been lost.
    `mention_first_share`: posts whose `app_mention` leaves before its twin `message`.
    `check_file_info`: files in events carry only an id, and `files.info` has the rest.
    `rate_limits`: True for Slack's tiers and one post a second in a channel, or calls per `rate_window` by method.
    `limit_posts`: one `chat.postMessage` a second in a channel, also without `rate_limits`.
    `stream_seconds`: a stream dies at that age, however active it is. `status_seconds`: a status fades after that.
    `refuse_streaming`: the error that `chat.startStream` answers, such as "unknown_method".
    `refused`: the errors that other methods answer, by their names.
    `commit_then_502_share`: writes that are carried out and then answered with a 502 page.
    `not_in_channels`, `archived`: channels the bot is not a member of, and channels that are closed.
    `slow_seconds`: how long each Web API answer takes.
    """

    ack_timeout: float = 3.0
    retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0)
    redeliver_share: float = 0.0
    mention_first_share: float = 0.0
    check_file_info: bool = False
    html_instead_of_file: bool = False
    rate_limits: bool | Mapping[str, int] = False
    rate_window: float = 60.0
    limit_posts: bool = False
    stream_seconds: float = 300.0
    status_seconds: float = 120.0
    refuse_streaming: str | None = None
    refused: dict[str, str] = field(default_factory=dict)
    commit_then_502_share: float = 0.0
    token_revoked: bool = False
    not_in_channels: set[str] = field(default_factory=set)
    archived: set[str] = field(default_factory=set)
    slow_seconds: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def happens(self, share: float) -> bool:
        """Draw whether a fault of this share strikes; 0 and 1 draw nothing, so that they disturb no sequence."""
        if share <= 0:
            return False
        return share >= 1 or self.random.random() < share

    def calls_allowed(self, method: str) -> int | None:
        """Calls of a method that fit into one `rate_window`; None where there is no limit."""
        if isinstance(self.rate_limits, Mapping):
            return self.rate_limits.get(method)
        return TIERS.get(method) if self.rate_limits else None

    @property
    def posts_limited(self) -> bool:
        return self.limit_posts or self.rate_limits is True
