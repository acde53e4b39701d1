"""Answers on their way out: where each one goes, by which token, and who hears of it when it cannot."""

from __future__ import annotations

import time

import structlog

from bots.discord import words
from bots.discord.acknowledgement import Acknowledgement
from bots.discord.places import NO_PINGS, ChannelPlace, InteractionPlace, PrivateReplyOver
from bots.discord.posts import AnswerPosts
from bots.discord.reply import DiscordReply
from bots.discord.rest import Rest
from bots.discord.waiting import Waiting
from bots.pace import Limit
from bots.writer import Writer
from core.errors import PlaceForbidden, PlatformError
from core.messages import ReplyOrder
from core.ports import PostLog

# Seen by many bots, documented nowhere: about five writes in five seconds for a channel or an interaction.
WRITES = Limit(5, 5.0)
_WRITER_KEPT = 30.0  # seconds that a place's used-up calls are remembered after its last answer
_log = structlog.get_logger()


class Outbound:
    """Opens replies.

    `acknowledgements`: by interaction, those whose answer is still to come. `waiting`: questions before their turn.
    """

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self.acknowledgements: dict[str, Acknowledgement] = {}
        self._writers: dict[str, Writer] = {}
        self._used: dict[str, float] = {}
        self.waiting = Waiting(rest)

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
            acknowledgement = self.acknowledgements.get(interaction)
            defer = acknowledgement.defer if acknowledgement is not None else None
            place = InteractionPlace(self._rest, address, ChannelPlace(self._rest, order.channel), defer)
            shown = order.asked.strip() and not place.private
            posts = AnswerPosts(order, log, place, lead=words.quote(order.asked) if shown else "")
            return DiscordReply(
                order.turn,
                posts,
                self._writer(order.channel if place.is_over() else address["token"]),
                lease=log.lease,
                failed=failed,
                ended=lambda: self._forget(interaction),
            )
        channel = ChannelPlace(self._rest, order.channel, address.get("message"))
        typing = None if order.posts else self.waiting.take_over(order.question, order.channel)
        return DiscordReply(
            order.turn,
            AnswerPosts(order, log, channel),
            self._writer(order.channel),
            lease=log.lease,
            busy=typing,
            failed=failed,
        )

    async def tell(self, channel: str, reply_to: str | None, sentence: str) -> bool:
        """One sentence outside of any turn; whether Discord took it."""
        body: dict[str, object] = {"content": sentence, "allowed_mentions": NO_PINGS}
        if reply_to is not None:
            body["message_reference"] = {"message_id": reply_to, "fail_if_not_exists": False}
        try:
            await self._rest.patiently("POST", f"/channels/{channel}/messages", body, repeatable=False)
        except PlatformError as error:
            _log.warning("sentence_not_told", channel=channel, reason=error.reason, code=error.code)
            return False
        return True

    def _forget(self, interaction: str) -> None:
        self.acknowledgements.pop(interaction, None)

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
            opened = await self._rest.patiently("POST", "/users/@me/channels", {"recipient_id": order.asker})
        except PlatformError as failure:
            _log.warning("asker_not_reached", turn=order.turn, reason=failure.reason, code=failure.code)
            return
        await self.tell(str(opened["id"]), None, sentence)
