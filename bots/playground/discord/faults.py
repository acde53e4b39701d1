"""What goes wrong in the simulated Discord, switched on and off while it runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests in a window of so many seconds that begins with the first of them."""

    count: int
    seconds: float


@dataclass(slots=True)
class DiscordFaults:
    """Faults and clocks of the simulated Discord; mutable, read at each use. Shares are 0–1, times seconds.

    `refuse_message_content`, `refuse_members`: intents that are not switched on for the bot; asking for one of them
    closes the socket with 4014. `message_content_flag`: whether the application says that it has the former.
    `public_bot`: anybody can add the bot, not its owner alone.
    `rate_limits`: buckets and the global limit are kept. `sends`, `edits`, `typings`: for each channel;
    `webhook`: for each interaction token; `everything`: the global one; `others`: each other route and place.
    `forbidden`: places by id, 50013 (may look, not write) or 50001 (may not even look).
    `closed_dms`: people by id who take no direct messages.
    `redeliver_share`: messages whose MESSAGE_CREATE comes twice.
    `commit_then_502_share`: writes that are carried out and then answered with a 502 page.
    `webhook_unknown_for`: so long after a deferral its webhook is still unknown (10015).
    `acknowledge_within`, `token_life`: of an interaction. `nonce_life`: how long a nonce is remembered.
    `shards`: how many `/gateway/bot` recommends. `identify_every`: seconds between two IDENTIFYs of one of the
    `max_concurrency` rate-limit keys; sooner is an invalid session (0: not watched). `sessions_a_day`: IDENTIFYs; one
    more resets the token.
    `attachments_expired`: the CDN has forgotten every address. `answer_delay`: how long each REST answer takes.
    """

    refuse_message_content: bool = False
    refuse_members: bool = True
    message_content_flag: bool = True
    public_bot: bool = True
    rate_limits: bool = True
    sends: Limit = Limit(5, 5.0)
    edits: Limit = Limit(5, 5.0)
    typings: Limit = Limit(5, 5.0)
    webhook: Limit = Limit(5, 2.0)
    others: Limit = Limit(50, 1.0)
    everything: Limit = Limit(50, 1.0)
    forbidden: dict[str, int] = field(default_factory=dict)
    closed_dms: set[str] = field(default_factory=set)
    redeliver_share: float = 0.0
    commit_then_502_share: float = 0.0
    webhook_unknown_for: float = 0.0
    acknowledge_within: float = 3.0
    token_life: float = 900.0
    nonce_life: float = 300.0
    token_revoked: bool = False
    shards: int = 1
    max_concurrency: int = 1
    identify_every: float = 0.0
    sessions_a_day: int = 1000
    attachments_expired: bool = False
    answer_delay: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(1))

    def strikes(self, share: float) -> bool:
        """Whether a fault of that share happens this time; the seeded `random` decides."""
        return share > 0 and self.random.random() < share
