"""Posts of an answer that no row owns: their process died after Discord made them and before they were written down.

Discord knows a nonce for minutes only, and webhooks know none. What tells such a post later is what it shows: that it
replies to the question, belongs to its interaction, has its Stop button, or says what is about to be said. Out of
reach are private follow-ups, which nobody can list (the private answer itself is `@original`, written over anyhow),
and what more than a page of other messages separates from where the look begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from bots.discord.controls import PREFIX
from bots.discord.places import Place
from bots.discord.said import Said
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import ReplyOrder
from core.ports import PostLog

_log = structlog.get_logger()


class Orphans:
    """Looks into the place of one answer."""

    def __init__(self, order: ReplyOrder, log: PostLog, place: Place) -> None:
        self._order = order
        self._log = log
        self._place = place
        self._interaction = order.address.get("interaction")
        self._question = order.address.get("message")

    async def of_earlier_attempts(self, known: Sequence[str], content: str) -> list[str]:
        """The ids of the posts that earlier attempts left here without writing them down, oldest first.

        `known`: the posts that the answer has, after which they stand. `content`: what the next post is to say.
        Raises PlatformUnavailable, TokenRevoked, RateLimited and TurnLost; where Discord refuses to show the place,
        there is none.
        """
        begin = self._interaction or self._order.question
        try:
            said = await self._place.said(max((begin, *known), key=int))
        except (PlatformUnavailable, TokenRevoked):
            raise
        except PlatformError as error:
            _log.warning("orphans_not_sought", turn=self._order.turn, reason=error.reason, code=error.code)
            return []
        ours = [one.post for one in said if self._fits(one, content)]
        # Asked after the place was read: what was written down until then is somebody's.
        owned = await self._log.owned(ours) if ours else frozenset()
        return [post for post in ours if post not in owned]

    def _fits(self, said: Said, content: str) -> bool:
        """Whether a message of ours is this answer's."""
        if self._order.stop and f"{PREFIX}{self._order.stop}" in said.buttons:
            return True
        if said.interaction is not None:
            return said.interaction == self._interaction
        if said.reply_to is not None:
            return said.reply_to == self._question
        return said.content.strip() == content.strip()
