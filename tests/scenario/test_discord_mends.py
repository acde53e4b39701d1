"""What Discord, people and the network do at the wrong moment, against the simulated Discord over loopback.

The adapter's own behaviour: the core is a double, and there is no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bots.discord import words
from bots.discord.adapter import DiscordAdapter
from bots.discord.attachments import Downloads
from bots.discord.checks import check
from bots.playground.discord.gateway import GUILD_MESSAGES, GUILDS
from bots.playground.discord.simulator import DiscordSimulator
from bots.replies import TRAINING_NOTE
from core.errors import AttachmentError, PlaceForbidden, PlaceGone, PlatformUnavailable, TokenRevoked
from core.messages import AcceptOutcome, Answer, Attachment, IncomingMessage
from core.ports import Reply
from tests.integration.discord_core import FakeCore, order_of, running, served, settings_for, simulated
from tests.world import soon


@pytest.fixture
async def discord() -> AsyncIterator[DiscordSimulator]:
    async with simulated() as simulator:
        yield simulator


def calls(discord: DiscordSimulator, method: str, end: str) -> int:
    return sum(call.method == method and call.path.endswith(end) for call in discord.calls)


# Connecting


async def test_after_a_failed_start_another_one_connects(discord: DiscordSimulator) -> None:
    core = FakeCore()
    core.adapter = adapter = DiscordAdapter(settings_for(discord), core)  # type: ignore[arg-type]
    try:
        discord.faults.token_revoked = True
        with pytest.raises(TokenRevoked):
            await adapter.start()
        assert "DISCORD_TOKEN is refused" in (adapter.not_ready() or "")
        discord.faults.token_revoked = False
        await adapter.start()
        assert adapter.not_ready() is None
        await discord.post("Ada", "general", f"<@{discord.bot_id}> hello")
        await soon(lambda: len(core.heard) == 1)
    finally:
        await adapter.close()


async def test_a_start_that_meets_nonsense_is_unavailable_for_now_and_not_over(discord: DiscordSimulator) -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.json_response({"nonsense": 1})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", nonsense)
    async with served(app) as url:
        settings = settings_for(discord, DISCORD_API_URL=url)
        adapter = DiscordAdapter(settings, FakeCore())  # type: ignore[arg-type]
        try:
            for _ in range(2):
                with pytest.raises(PlatformUnavailable):
                    await adapter.start()
                assert adapter.not_ready() is not None
        finally:
            await adapter.close()


async def test_a_connection_that_discord_ends_comes_back_and_says_why_meanwhile(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        before = scene.adapter.client
        discord.gateway.close(4010)
        await soon(lambda: "4010" in (scene.adapter.not_ready() or ""))
        await soon(lambda: scene.adapter.not_ready() is None)
        assert scene.adapter.client is not before
        await discord.post("Ada", "general", f"{scene.mention} still there?")
        (post,) = await scene.answered("general")
        assert post.content == "You said: still there?"


async def test_intents_refused_twice_are_final_and_told(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        discord.gateway.close(4014)
        await soon(lambda: scene.adapter.not_ready() is None and discord.gateway.identifies == 2)
        assert not scene.adapter.message_content
        discord.gateway.close(4014)
        await soon(lambda: "plain intents" in (scene.adapter.not_ready() or ""))


async def test_an_event_that_cannot_be_read_costs_no_other(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        discord.gateway.dispatch("MESSAGE_CREATE", {"id": "nonsense"}, GUILD_MESSAGES, guild=True)
        await discord.post("Ada", "general", f"{scene.mention} hello")
        await scene.answered("general")
        assert discord.gateway.identifies == 1
        assert scene.adapter.not_ready() is None


# Answers


async def test_a_post_found_again_by_its_nonce_gets_the_whole_answer_and_loses_its_button(
    discord: DiscordSimulator,
) -> None:
    async def ends_while_it_is_lost(reply: Reply, message: IncomingMessage) -> None:
        discord.faults.commit_then_502_share = 1.0
        reply.write("Hello wor")
        await discord.until(lambda: discord.messages("general")[-1].content == "Hello wor")
        discord.faults.commit_then_502_share = 0.0
        await reply.finish(Answer("Hello world."))

    async with running(discord, ends_while_it_is_lost) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        (post,) = await scene.answered("general")
        assert post.content == "Hello world."
        (log,) = scene.core.logs
        assert log.posts == {0: (post.id, 0)}
        assert log.closed == {0}


async def test_a_question_that_waits_for_its_turn_is_seen_to_be_heard(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        scene.core.free.clear()
        await discord.post("Ada", "general", f"{scene.mention} go")
        await discord.until(lambda: discord.typing("general"))
        assert scene.core.logs == []
        scene.core.free.set()
        await scene.answered("general")
        assert calls(discord, "POST", "/typing") == 1


async def test_a_reply_knows_that_its_place_refuses_before_there_is_text(discord: DiscordSimulator) -> None:
    errors: list[object] = []

    async def says_nothing_yet(reply: Reply, message: IncomingMessage) -> None:
        await soon(lambda: reply.error() is not None)
        errors.append(reply.error())
        await reply.abandon()

    async with running(discord, says_nothing_yet) as scene:
        discord.forbid("general")
        await discord.post("Grace", "general", f"{scene.mention} hello?")
        await soon(lambda: errors)
        assert isinstance(errors[0], PlaceForbidden)


async def test_a_reply_whose_place_is_gone_knows_it_and_one_that_goes_well_does_not(
    discord: DiscordSimulator,
) -> None:
    async def writes(reply: Reply, message: IncomingMessage) -> None:
        assert reply.error() is None
        reply.write("Something")
        await discord.until(lambda: discord.messages("general")[-1].content == "Something")
        assert reply.error() is None
        discord.delete_channel("general")
        reply.write(" more")
        await soon(lambda: isinstance(reply.error(), PlaceGone))
        await reply.finish(Answer("Something more"))

    async with running(discord, writes) as scene:
        await discord.post("Ada", "general", f"{scene.mention} go")
        await soon(lambda: scene.core.failures)
        (failure,) = scene.core.failures
        assert isinstance(failure, PlaceGone)


async def test_an_answer_cut_off_by_the_end_of_the_process_is_not_called_shown(discord: DiscordSimulator) -> None:
    async with running(discord) as scene:
        scene.core.free.clear()
        await discord.post("Ada", "general", f"{scene.mention} go")
        await soon(lambda: scene.core.heard)
        discord.faults.answer_delay = 0.3
        reply = scene.core.open(order_of(scene.core.heard[0], 1))
        finishing = asyncio.create_task(reply.finish(Answer("word " * 900)))
        await asyncio.sleep(0.05)
        await scene.adapter.close()
        with pytest.raises(PlatformUnavailable):
            await finishing
        await scene.core.drop()


# Commands and buttons


@pytest.mark.parametrize("slow", [0.0, 1.6])
@pytest.mark.parametrize("outcome", ["stopped", "context", "ignored", "duplicate"])
async def test_an_ask_that_brings_no_turn_gets_a_sentence_and_nothing_that_thinks(
    discord: DiscordSimulator, outcome: AcceptOutcome, slow: float
) -> None:
    async with running(discord) as scene:
        scene.core.outcomes["stop"], scene.core.slow = outcome, slow
        asked = await discord.command("Ada", "general", "ask", {"prompt": "stop"})
        await discord.until(lambda: asked.posts and not asked.posts[0].thinking)
        (post,) = asked.posts
        assert post.content == words.NOT_ANSWERED[outcome]
        assert asked.deferred == bool(slow)


async def test_a_slow_press_is_acknowledged_in_time_and_answered_later(discord: DiscordSimulator) -> None:
    async def goes_on(reply: Reply, message: IncomingMessage) -> None:
        reply.write("It begins ")
        await discord.until(lambda: len(scene.core.presses) == 2)
        await reply.finish(Answer("It begins"))

    async with running(discord, goes_on) as scene:
        scene.core.slow_press = 1.8
        await discord.post("Ada", "general", f"{scene.mention} go")
        await discord.until(lambda: scene.bots_posts("general") and scene.bots_posts("general")[0].buttons)
        (answer,) = scene.bots_posts("general")
        mine = await discord.press("Ada", "general", answer.id, "bise:control-1")
        scene.core.refused.add("control-1")
        other = await discord.press("Grace", "general", answer.id, "bise:control-1")
        await discord.until(lambda: mine.acknowledged and other.acknowledged)
        assert scene.core.presses == []
        await soon(lambda: other.posts)
        assert "Only the person who asked" in other.posts[0].content
        assert other.posts[0].only_for == discord.person_id("Grace")


async def test_on_the_free_plan_help_and_each_chat_say_that_words_may_train_models(discord: DiscordSimulator) -> None:
    async with running(discord, MISTRAL_PLAN="experiment"):
        help_ = await discord.command("Ada", "general", "bise help")
        await discord.until(lambda: help_.posts)
        assert TRAINING_NOTE in help_.posts[0].content
        await discord.command("Ada", "general", "chat", {"topic": "bees"})
        await discord.until(lambda: discord.threads("general"))
        (thread,) = discord.threads("general")
        await discord.until(lambda: discord.messages(thread))
        assert TRAINING_NOTE in discord.messages(thread)[0].content.split("\n")[0]


# Servers that are not allowed


async def test_a_server_that_is_not_allowed_is_told_once_by_a_reply_and_left(discord: DiscordSimulator) -> None:
    async with running(discord, BISE_ALLOWED_WORKSPACES="discord:1") as scene:
        discord.faults.answer_delay = 0.05
        await discord.post("Ada", "general", "just talking")
        await discord.post("Ada", "general", f"{scene.mention} hello")
        await discord.post("Ada", "general", f"{scene.mention} hello?")
        await soon(lambda: calls(discord, "DELETE", f"/users/@me/guilds/{discord.guild_id}"))
        (post,) = scene.bots_posts("general")
        assert "not set up to answer in this workspace" in post.content
        assert scene.core.heard == []
        await discord.post("Grace", "Grace", "a direct message is for the core to judge")
        await soon(lambda: scene.core.heard)


@pytest.mark.parametrize("command", ["ask", "chat", "bise usage"])
async def test_in_a_server_that_is_not_allowed_every_command_says_so(discord: DiscordSimulator, command: str) -> None:
    options = {"ask": {"prompt": "bees"}, "chat": {"topic": "bees"}}.get(command, {})
    async with running(discord, BISE_ALLOWED_WORKSPACES="slack:T1") as scene:
        asked = await discord.command("Ada", "general", command, options)
        await soon(lambda: calls(discord, "DELETE", f"/users/@me/guilds/{discord.guild_id}"))
        (post,) = asked.posts
        assert "not set up to answer in this workspace" in post.content
        assert asked.ephemeral
        assert discord.threads("general") == []
        assert scene.core.heard == []


async def test_an_allowed_server_is_answered(discord: DiscordSimulator) -> None:
    async with running(discord, BISE_ALLOWED_WORKSPACES=f"discord:{discord.guild_id}") as scene:
        await discord.post("Ada", "general", f"{scene.mention} hello")
        (post,) = await scene.answered("general")
        assert post.content == "You said: hello"


async def test_added_to_a_server_that_is_not_allowed_it_says_so_and_leaves(discord: DiscordSimulator) -> None:
    async with running(discord, BISE_ALLOWED_WORKSPACES=f"discord:{discord.guild_id}") as scene:
        channel = {"id": discord.channel_id("random"), "type": 0, "name": "random", "position": 0, "topic": None}
        added = {
            "id": "77",
            "name": "Elsewhere",
            "member_count": 1,
            "system_channel_id": channel["id"],
            "channels": [channel | {"permission_overwrites": [], "parent_id": None, "nsfw": False}],
        }
        discord.gateway.dispatch("GUILD_CREATE", added, GUILDS, guild=True)
        await soon(lambda: calls(discord, "DELETE", "/users/@me/guilds/77"))
        (post,) = scene.bots_posts("random")
        assert "not set up to answer in this workspace" in post.content


async def test_doctor_is_content_with_a_public_bot_once_its_servers_are_named(discord: DiscordSimulator) -> None:
    (open_to_all,) = [one for one in await check(settings_for(discord)) if "Anybody can add" in one.what]
    assert not open_to_all.ok
    assert "Switch off Public Bot at https://discord.com/developers/applications, Bot" in open_to_all.mend
    assert "BISE_ALLOWED_WORKSPACES=discord:" in open_to_all.mend
    named = settings_for(discord, BISE_ALLOWED_WORKSPACES="discord:1")
    assert all(one.ok for one in await check(named))
    discord.faults.public_bot = False
    findings = await check(settings_for(discord))
    assert all(one.ok for one in findings)
    assert any(one.what == "Only its owner can add the bot to servers" for one in findings)


# Files


async def test_a_file_that_drips_for_ever_is_given_up() -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x")
            await asyncio.sleep(0.02)
        return response

    app = web.Application()
    app.router.add_get("/slow", drip)
    async with served(app) as url:
        downloads = Downloads(f"{url}/api", within=0.2)
        try:
            with pytest.raises(AttachmentError, match="unavailable"):
                await downloads.read(Attachment("1", "slow.png", "image/png", 10, f"{url}/slow"), 1000)
        finally:
            await downloads.close()
