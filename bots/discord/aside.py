"""What the asker alone is shown in place of an answer: behind the interaction, else in their direct messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from bots.discord.places import ChannelPlace, Components, InteractionPlace, Place
from bots.discord.rest import Rest
from bots.discord.words import asked_in
from core.errors import PlatformError, PlatformUnavailable, TokenRevoked
from core.messages import ConversationKind, ReplyOrder

Direct = Callable[[str], Awaitable[str]]
_log = structlog.get_logger()


class Aside:
    """Sends such words once the answer's own place is empty. `direct` gives the channel to a person.

    `refused`: nothing reached the asker, and the answer's place has to say something after all.
    """

    def __init__(self, rest: Rest, order: ReplyOrder, place: Place, direct: Direct) -> None:
        self._rest = rest
        self._order = order
        self._direct = direct
        self._behind = place if isinstance(place, InteractionPlace) else None
        self.told = False
        self.refused = False

    async def say(self, content: str, components: Components) -> None:
        """Takes the next way. Raises RateLimited, PlatformUnavailable, TokenRevoked."""
        try:
            if self._behind is not None and not self._behind.is_over():
                await self._behind.whisper(content, components)
            else:
                self._behind = None
                place = ChannelPlace(self._rest, await self._direct(self._order.asker))
                said = f"{asked_in(self._order.channel)} {content}"
                await place.send(said, components, f"{self._order.turn}.aside")
        except (PlatformUnavailable, TokenRevoked):  # in doubt it is said twice: nobody could look whether it stands
            raise
        except PlatformError as error:
            _log.info("aside_refused", turn=self._order.turn, reason=error.reason, code=error.code)
            self.refused = self._behind is None
            self._behind = None
        else:
            self.told = True


def for_others_to_see(order: ReplyOrder) -> bool:
    """Whether others than the asker read what is written where this is answered."""
    return order.kind not in (ConversationKind.DM, ConversationKind.PRIVATE)
