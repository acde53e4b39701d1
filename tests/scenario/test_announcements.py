"""Who is refused asks an admin, and an admin adds money: through the whole service on both platforms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bots.playground.discord.views import DiscordPost
from bots.playground.slack.posts import SlackPost
from core.messages import Notice
from core.store import announcements
from tests.databases import Place
from tests.world import World, running

ADA, GRACE, GENERAL, AT_ADA = "U0ADA", "U0GRACE", "C0GENERAL", "D0ADA"
FIVE = "+ $5 for this month"
ASK = "Ask an admin"
LITTLE = 100  # micro-dollars, for which there is no answer
ENOUGH = {"monthly_budget": 20_000_000, "total_monthly_budget": 40_000_000}


@asynccontextmanager
async def poor(tmp_path: Path, place: Place, *reports: str, **settings: Any) -> AsyncIterator[World]:
    """A world in which each person may spend next to nothing in a day. `reports`: BISE_REPORT_CHANNEL."""
    async with running(tmp_path, place=place, start=False) as world:
        changes = ENOUGH | {"user_daily_budget": LITTLE} | settings
        world.settings = world.settings.model_copy(update=changes | {"report_channel": reports})
        await world.start()
        yield world


def slack_requests(world: World, channel: str) -> list[SlackPost]:
    """What admins are asked there; what is said in other messages is no business of this."""
    return [post for post in world.slack.messages(channel) if post.bot_id and post.metadata]


def slack_buttons(world: World, user: str) -> list[SlackPost]:
    """The posts with an "Ask an admin" that this person sees."""
    posts = [*world.slack.messages(GENERAL), *world.slack.ephemerals(user)]
    return [post for post in posts if any(button.label == ASK for button in post.buttons)]


async def press_in_slack(world: World, post: SlackPost, user: str) -> None:
    [button] = post.buttons
    await world.slack.press(user, post.channel, post.ts, button.action_id, value=button.value)


async def requested_in_slack(world: World, channel: str) -> SlackPost:
    """Grace asks something, is refused, and asks an admin; gives what the admins see in that channel."""
    await world.slack.post(GRACE, GENERAL, f"<@{world.slack.bot_user_id}> What is a bise?")
    await world.slack.until(lambda: bool(slack_buttons(world, GRACE)))
    await world.idle()
    await press_in_slack(world, slack_buttons(world, GRACE)[0], GRACE)
    await world.slack.until(lambda: bool(slack_requests(world, channel)))
    [request] = slack_requests(world, channel)
    assert [button.label for button in request.buttons] == [FIVE]
    assert "Grace would like to ask more" in request.shown
    return request


def heard(world: World, user: str) -> list[str]:
    return [post.shown for post in world.slack.ephemerals(user)]


async def test_slack_a_request_in_the_reports_channel_is_answered_by_an_admin_once(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place, f"slack:{GENERAL}") as world:
        request = await requested_in_slack(world, GENERAL)
        await press_in_slack(world, request, GRACE)
        await world.slack.until(lambda: any("Only an admin" in words for words in heard(world, GRACE)))
        assert slack_requests(world, GENERAL) == [request], "it stands as it was"
        await asyncio.gather(*(press_in_slack(world, request, ADA) for _ in range(3)))
        await world.slack.until(lambda: not slack_requests(world, GENERAL)[0].buttons)
        await world.slack.until(lambda: len(heard(world, ADA)) == 2)
        [done] = slack_requests(world, GENERAL)
        assert done.ts == request.ts
        assert done.shown == request.shown
        assert len(done.notes) == 1
        assert "Ada added $5.00 for this month" in done.notes[0]
        assert all("pressed this before" in words for words in heard(world, ADA))
        assert len(place.rows("SELECT id FROM budget_change WHERE what = 'top_up'")) == 2
        root = await world.slack.post(GRACE, GENERAL, f"<@{world.slack.bot_user_id}> And now?")
        await world.slack.until(
            lambda: any("And now?" in post.shown for post in world.slack.messages(GENERAL, root)[1:])
        )


async def test_slack_without_a_channel_the_admins_are_asked_privately(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        request = await requested_in_slack(world, AT_ADA)
        assert slack_requests(world, GENERAL) == []
        await press_in_slack(world, request, ADA)
        await world.slack.until(lambda: bool(slack_requests(world, AT_ADA)[0].notes))
        assert slack_requests(world, AT_ADA)[0].buttons == ()


async def test_slack_a_post_whose_answer_was_lost_is_found_by_its_mark(tmp_path: Path, place: Place) -> None:
    for reports, channel in (((f"slack:{GENERAL}",), GENERAL), ((), AT_ADA)):
        async with poor(tmp_path, place, *reports) as world:
            core = world.service.core
            world.slack.faults.commit_then_502_share = 1.0
            await announced(world, f"told in {channel}")
            await world.slack.until(lambda: bool(slack_requests(world, channel)))  # noqa: B023
            world.slack.faults.commit_then_502_share = 0.0
            while place.rows("SELECT id FROM announcement WHERE ended_at IS NULL"):
                await core.deliver()
                await asyncio.sleep(0.2)
            assert len(slack_requests(world, channel)) == 1
        place.change("DELETE FROM announcement")


async def announced(world: World, name: str, *, platform: str = "slack") -> None:
    """Something is announced to the admins of that platform's workspace."""
    ids = {"slack": "T0PLAY", "discord": world.discord.guild_id}
    insert = f"INSERT INTO workspace (platform, external_id, created_at) VALUES ('{platform}', '{ids[platform]}', "  # noqa: S608
    world.place.change(f"{insert} '2026-11-23 12:00:00') ON CONFLICT DO NOTHING")  # the service may have made it
    [(workspace,)] = world.place.rows("SELECT id FROM workspace WHERE platform = ?", platform)
    core = world.service.core
    now = core._parts.clock.now()
    notice = Notice("budget_alert", {"scope": "workspace", "period": "month", "percent": 80, "limit": 1, "spent": 1})
    await core.database.write(
        lambda connection: announcements.put(connection, workspace, name, "alert", notice, now=now)
    )


def discord_requests(world: World, channel: str) -> list[DiscordPost]:
    return [
        post
        for post in world.discord.messages(channel)
        if post.author == world.discord.bot_id and "would like to ask more" in post.content
    ]


def at_ada(world: World) -> str | None:
    """Ada's channel of direct messages, once there is one."""
    ada = world.discord.person_id("Ada")
    found = (one for one in world.discord.snapshot()["channels"] if one["kind"] == "dm" and one["with"] == ada)
    return next((one["id"] for one in found), None)


async def requested_in_discord(world: World) -> None:
    """Grace asks by a command, is refused, and asks an admin."""
    grace, general = world.discord.person_id("Grace"), world.discord.channel_id("general")
    await world.discord.command(grace, general, "ask", {"prompt": "What is a bise?"})

    def asking() -> list[DiscordPost]:
        return [post for post in world.discord.messages(general) if ASK in post.buttons.values()]

    await world.discord.until(lambda: bool(asking()))
    await world.idle()
    [post] = asking()
    await world.discord.press(grace, general, post.id, next(iter(post.buttons)))


async def test_discord_a_request_in_the_reports_channel_is_answered_by_an_admin_once(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place) as world:
        general, ada, grace = (
            world.discord.channel_id("general"),
            world.discord.person_id("Ada"),
            world.discord.person_id("Grace"),
        )
        await world.stop()
        world.settings = world.settings.model_copy(update={"report_channel": (f"discord:{general}",)})
        await world.start()
        await requested_in_discord(world)
        await world.discord.until(lambda: bool(discord_requests(world, general)))
        [request] = discord_requests(world, general)
        assert list(request.buttons.values()) == [FIVE]
        button = next(iter(request.buttons))
        view = await world.discord.press(grace, general, request.id, button)
        await world.discord.until(lambda: any("Only an admin" in post.content for post in view.posts))
        views = await asyncio.gather(*(world.discord.press(ada, general, request.id, button) for _ in range(3)))
        await world.discord.until(lambda: all(view.acknowledged for view in views))
        await world.discord.until(lambda: not discord_requests(world, general)[0].buttons)
        [done] = discord_requests(world, general)
        assert done.content.startswith(f"{request.content}\n")
        assert "Ada added $5.00 for this month" in done.content
        assert len(place.rows("SELECT id FROM budget_change WHERE what = 'top_up'")) == 2
        private = [post.content for view in views for post in view.posts if post.only_for]
        assert ["pressed this before" in words for words in private] == [True, True]


async def test_discord_without_a_channel_the_servers_owner_is_asked_privately_and_may_press(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place) as world:
        await requested_in_discord(world)
        await world.discord.until(lambda: bool(discord_requests(world, at_ada(world) or "")))
        direct = at_ada(world)
        assert direct is not None
        [request] = discord_requests(world, direct)
        await world.discord.press(world.discord.person_id("Ada"), direct, request.id, next(iter(request.buttons)))
        await world.discord.until(lambda: "Ada added" in discord_requests(world, direct)[0].content)
        assert not discord_requests(world, direct)[0].buttons


async def test_discord_a_post_whose_answer_was_lost_is_found_also_when_its_nonce_is_forgotten(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place) as world:
        world.discord.faults.nonce_life = 0.0
        world.discord.faults.commit_then_502_share = 1.0
        await announced(world, "told", platform="discord")
        direct = None
        await world.discord.until(lambda: bool(at_ada(world) and world.discord.messages(at_ada(world) or "")))
        direct = at_ada(world)
        assert direct is not None
        before = len(world.discord.messages(direct))
        world.discord.faults.commit_then_502_share = 0.0
        while place.rows("SELECT id FROM announcement WHERE ended_at IS NULL"):
            await world.service.core.deliver()
            await asyncio.sleep(0.2)
        assert len(world.discord.messages(direct)) == before
