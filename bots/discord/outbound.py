"""Answers on their way out: where each one goes, by which token, and who hears of it when it cannot."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import structlog
from discord.utils import snowflake_time

from bots.discord import words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.aside import Aside, for_others_to_see
from bots.discord.places import NO_PINGS, ChannelPlace, InteractionPlace, PrivateReplyOver
from bots.discord.posts import AnswerPosts
from bots.discord.reply import DiscordReply
from bots.discord.rest import Rest
from bots.discord.waiting import Waiting
from bots.pace import Limit
from bots.writer import Writer
from core.errors import PlaceForbidden, PlatformError
from core.messages import ReplyOrder
from core.ports import OWNER, PostLog

# Seen by many bots, documented nowhere: about five writes in five seconds for a channel or an interaction.
WRITES = Limit(5, 5.0)
_TOKEN_LIVES = timedelta(minutes=15)  # of an interaction
_WRITER_KEPT = 30.0  # seconds that a place's used-up calls are remembered after its last answer
_log = structlog.get_logger()


class Outbound:
    """Opens replies.

    `alone`: the answers to what came in here begin here, too. `waiting`: questions before their turn.
    """

    def __init__(self, rest: Rest, *, alone: bool = True) -> None:
        self._rest = rest
        self._acknowledgements: dict[str, Acknowledgement] = {}  # by interaction, those whose answer is still to come
        self._writers: dict[str, Writer] = {}
        self._used: dict[str, float] = {}
        self.waiting = Waiting(rest, alone=alone)

    async def close(self) -> None:
        await self.waiting.close()
        for writer in self._writers.values():
            await writer.close()

    def reply(self, order: ReplyOrder, log: PostLog) -> DiscordReply:
        """The answer to a turn, in the place that its address names."""
        address = order.address

        async def failed(error: PlatformError) -> None:
            await self._tell_asker(order, error)

        if address.get("via") == "interaction":
            interaction = address["interaction"]
            acknowledgement = self._acknowledgements.get(interaction)
            defer = acknowledgement.defer if acknowledgement is not None else _deferred_elsewhere
            place = InteractionPlace(self._rest, address, ChannelPlace(self._rest, order.channel), defer)
            shown = order.asked.strip() and not place.private
            aside = Aside(self._rest, order, place, self.direct) if for_others_to_see(order) else None
            posts = AnswerPosts(order, log, place, lead=words.quote(order.asked) if shown else "", aside=aside)
            return DiscordReply(
                order.turn,
                posts,
                self._writer(order.channel if place.is_over() else address["token"]),
                lease=log.lease,
                failed=failed,
                ended=lambda: self.forget(interaction),
            )
        channel = ChannelPlace(self._rest, order.channel, address.get("message"))
        aside = Aside(self._rest, order, channel, self.direct) if for_others_to_see(order) else None
        typing = None if order.posts else self.waiting.take_over(order.question, order.channel)
        return DiscordReply(
            order.turn,
            AnswerPosts(order, log, channel, aside=aside),
            self._writer(order.channel),
            lease=log.lease,
            busy=typing,
            failed=failed,
        )

    async def tell(self, channel: str, reply_to: str | None, sentence: str) -> bool:
        """One sentence outside of any turn; whether Discord took it."""
        body: dict[str, object] = {"content": sentence}
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to, "fail_if_not_exists": False}
        try:
            await self._send(channel, body)
        except PlatformError as error:
            _log.warning("sentence_not_told", channel=channel, reason=error.reason, code=error.code)
            return False
        return True

    async def tell_of(self, to: str, sentence: str, *, privately: bool) -> None:
        """One sentence in the channel of that id, or to the person of that id or OWNER. Raises PlatformError."""
        channel = await self.direct(to) if privately or to == OWNER else to
        await self._send(channel, {"content": sentence})

    async def direct(self, person: str) -> str:
        """The channel of direct messages with a person, or with OWNER. Raises PlatformError."""
        if person == OWNER:
            application = await self._rest.patiently("GET", "/applications/@me")
            team = application.get("team") or {}
            person = str(team.get("owner_user_id") or application["owner"]["id"])
        opened = await self._rest.patiently("POST", "/users/@me/channels", {"recipient_id": person})
        return str(opened["id"])

    async def _send(self, channel: str, body: dict[str, object]) -> None:
        body = body | {"allowed_mentions": NO_PINGS}
        await self._rest.patiently("POST", f"/channels/{channel}/messages", body, repeatable=False)

    def expect(self, interaction: int, acknowledgement: Acknowledgement) -> bool:
        """An answer to this interaction comes behind this acknowledgement; False: it has another one already."""
        over = datetime.now(UTC) - _TOKEN_LIVES
        for old in list(self._acknowledgements):  # those that another process answered: the oldest come first
            if snowflake_time(int(old)) > over:
                break
            del self._acknowledgements[old]
        return self._acknowledgements.setdefault(str(interaction), acknowledgement) is acknowledgement

    def forget(self, interaction: str) -> None:
        """It has been answered, or never will be."""
        self._acknowledgements.pop(interaction, None)

    def _writer(self, place: str) -> Writer:
        now = time.monotonic()
        for other, used in list(self._used.items()):
            if now - used > _WRITER_KEPT and self._writers[other].idle:
                del self._writers[other], self._used[other]
        self._used[place] = now
        return self._writers.setdefault(place, Writer(lambda _: WRITES))

    async def _tell_asker(self, order: ReplyOrder, error: PlatformError) -> None:
        """Writes to the asker privately, where an answer could not go where it belongs."""
        match error:
            case PrivateReplyOver():
                sentence = words.say("interaction_over")
            case PlaceForbidden():
                sentence = words.cannot_write(order.channel)
            case _:
                return
        try:
            channel = await self.direct(order.asker)
        except PlatformError as failure:
            _log.warning("asker_not_reached", turn=order.turn, reason=failure.reason, code=failure.code)
            return
        await self.tell(channel, None, sentence)


async def _deferred_elsewhere() -> None:
    """The process that received the interaction defers it, right after the commit that let the turn begin."""
