"""Adapters that only write: no gateway, no socket, and everything that an answer needs all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from discord.utils import time_snowflake
from pydantic import SecretStr

from bots.discord.adapter import DiscordAdapter
from bots.discord.checks import check
from bots.discord.outbound import Outbound
from bots.discord.rest import Rest
from bots.discord.waiting import Waiting
from bots.playground.discord.records import UploadedFile
from bots.playground.discord.simulator import DiscordSimulator
from bots.playground.slack.simulator import SlackSimulator
from bots.slack.app import SlackAdapter
from core.errors import PlatformUnavailable, TokenRevoked
from core.messages import Answer, Post, WorkspaceKey
from core.settings import Settings
from tests.integration.discord_core import FakeCore, Log, order_of, running, served, settings_for, simulated
from tests.integration.test_slack_adapter import FakeCore as SlackCore
from tests.world import soon


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with simulated() as simulator:
        yield simulator


async def test_a_discord_that_only_writes_goes_on_in_posts_of_another_and_reads_files(
    discord: DiscordSimulator,
) -> None:
    picture = UploadedFile("cat.png", b"\x89PNG\r\n\x1a\n" + b"0" * 100, "image/png")
    async with running(discord) as ingress:
        await discord.post("Ada", "general", f"{ingress.mention} look", files=[picture])
        (begun,) = await ingress.answered("general")
        (asked,) = ingress.core.heard
    writer = DiscordAdapter(settings_for(discord), FakeCore())  # type: ignore[arg-type]
    try:
        assert writer.not_ready() is not None
        before = len(discord.calls)
        await writer.start_writing()
        assert [call.path.rpartition("/")[2] for call in list(discord.calls)[before:]] == ["@me"]
        assert writer.not_ready() is None
        reply = writer.reply(order_of(asked, 1, (Post(0, begun.id, 0, False),)), Log({0: (begun.id, 0)}))
        await reply.finish(Answer("A cat."))
        assert [post.content for post in ingress.bots_posts("general")] == ["A cat."]
        (file,) = asked.attachments
        assert await writer.download(asked.workspace, file, 10_000) == picture.data
        assert discord.gateway.identifies == 1, "the ingress's alone"
    finally:
        await writer.close()


async def test_a_discord_that_only_writes_names_a_refused_token(discord: DiscordSimulator) -> None:
    discord.faults.token_revoked = True
    writer = DiscordAdapter(settings_for(discord), FakeCore())  # type: ignore[arg-type]
    with pytest.raises(TokenRevoked, match="DISCORD_TOKEN is refused"):
        await writer.start_writing()
    assert writer.not_ready() is not None
    discord.faults.token_revoked = False
    await writer.start_writing()
    assert writer.not_ready() is None
    await writer.close()


async def test_a_slack_that_only_writes_opens_no_socket_and_asks_who_it_is_once() -> None:
    slack, app = SlackSimulator(), web.Application()
    slack.mount(app)
    async with served(app) as url:
        slack.base_url = url
        settings = Settings(
            slack_bot_token=SecretStr(slack.bot_token),
            slack_app_token=SecretStr(slack.app_token),
            slack_api_url=slack.api_url,
            mistral_api_key=SecretStr("key"),
        )
        writer = SlackAdapter(settings, SlackCore())
        with pytest.raises(PlatformUnavailable):
            await SlackAdapter(settings.model_copy(update={"slack_api_url": f"{url}/nowhere/"}), SlackCore()).start()
        before = len(slack.calls)
        await writer.start_writing()
        assert [call.method for call in list(slack.calls)[before:]] == ["auth.test"]
        assert (slack.sockets, writer.not_ready()) == (0, None)
        await writer.stop_receiving()
        assert WorkspaceKey("slack", "T0PLAY").id in writer._workspaces, "answers under way can still be written"
        await writer.close()
        assert writer.not_ready() is not None


async def test_doctor_says_when_the_days_sessions_are_spent(discord: DiscordSimulator) -> None:
    assert any("one shard of its gateway" in finding.what for finding in await check(settings_for(discord)))
    discord.faults.sessions_a_day = 0
    (finding,) = [one for one in await check(settings_for(discord)) if "sessions" in one.what]
    assert not finding.ok


async def test_where_replies_begin_elsewhere_a_question_is_typed_for_once(discord: DiscordSimulator) -> None:
    async with Rest(discord.token, discord.api_url) as rest:
        waiting = Waiting(rest, alone=False)
        waiting.expect("1")
        waiting.begin("1", discord.channel_id("general"))
        await soon(lambda: discord.typing("general"))
        await soon(lambda: not waiting._typing)  # nobody takes over here, and nothing is kept
        assert sum(call.path.endswith("/typing") for call in discord.calls) == 1


async def test_acknowledgements_that_another_process_answers_are_forgotten_with_their_tokens() -> None:
    async with Rest("token", "http://127.0.0.1:1") as rest:
        outbound, now = Outbound(rest, alone=False), datetime.now(UTC)
        old, new = (time_snowflake(now - timedelta(minutes=ago)) for ago in (16, 1))
        first, second = object(), object()
        assert outbound.expect(old, first)  # type: ignore[arg-type]
        assert outbound.expect(new, second)  # type: ignore[arg-type]
        assert not outbound.expect(new, first)  # type: ignore[arg-type]
        assert list(outbound._acknowledgements) == [str(new)]
