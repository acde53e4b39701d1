"""One Slack workspace as this process knows it: its token, the bot in it, its people, its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
import httpx

from bots.pace import Limit
from bots.slack.allowance import StreamAllowance
from bots.slack.api import SlackApi, web_client
from bots.slack.files import Files
from bots.slack.inbound import Bot
from bots.slack.people import People
from bots.slack.signs import Signs
from bots.writer import Writer
from core.errors import TokenRevoked
from core.messages import WorkspaceKey

# Slack's tiers 2, 3 and 4; those of the streaming methods are not documented. Posts count in each channel.
LIMITS: Mapping[str, Limit] = {
    "chat.startStream": Limit(20, 60.0),
    "chat.appendStream": Limit(100, 60.0, kept=4),
    "chat.stopStream": Limit(20, 60.0),
    "chat.update": Limit(50, 60.0, kept=4),
    "chat.delete": Limit(50, 60.0),
    "assistant.threads.setStatus": Limit(600, 60.0),
    "chat.postMessage": Limit(1, 1.0),
    "chat.postEphemeral": Limit(100, 60.0),
}


def limit(bucket: str) -> Limit:
    """The limit of a bucket: a method's name, for `chat.postMessage` with the channel behind a colon."""
    return LIMITS[bucket.partition(":")[0]]


@dataclass(frozen=True, slots=True)
class SlackWorkspace:
    """Everything that belongs to one installation; nothing of it is shared with another."""

    bot: Bot
    scopes: frozenset[str]
    api: SlackApi
    people: People
    files: Files
    writer: Writer
    streams: StreamAllowance
    signs: Signs
    session: aiohttp.ClientSession

    @classmethod
    async def open(
        cls, token: str, api_url: str, session: aiohttp.ClientSession, http: httpx.AsyncClient
    ) -> SlackWorkspace:
        """Asks Slack once who the bot is. Raises TokenRevoked, PlatformUnavailable, RateLimited."""
        api = SlackApi(web_client(api_url, session, token))
        who, scopes = await api.identify()
        if not who.get("bot_id"):
            raise TokenRevoked("auth.test: the token is not a bot's", code="not_a_bot")
        team = str(who["team_id"])
        enterprise = who.get("enterprise_id")
        bot = Bot(
            workspace=WorkspaceKey("slack", team),
            user=str(who["user_id"]),
            bot_id=str(who["bot_id"]),
            team=team,
            enterprise=str(enterprise) if enterprise else None,
        )
        files = Files(http, api, api_url, token, readable="files:read" in scopes)
        writer = Writer(limit)
        return cls(bot, scopes, api, People(api), files, writer, StreamAllowance(), Signs(api, writer), session)

    async def close(self) -> None:
        await self.signs.close()
        await self.writer.close()
        await self.people.close()
