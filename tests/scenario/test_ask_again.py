""" "Ask again" and what the admins hear, through the whole service between both platforms and the model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.playground.discord.views import DiscordPost, InteractionView
from bots.playground.mistral.replies import Reply, error
from bots.playground.slack.posts import SlackPost
from core.chat import ToolCall
from tests.databases import Place
from tests.world import KEY, World, running

ADA, GRACE, GENERAL, AT_GRACE = "U0ADA", "U0GRACE", "C0GENERAL", "D0GRACE"
AGAIN = "Ask again"


@pytest.fixture
async def refused(tmp_path: Path, place: Place) -> AsyncIterator[World]:
    """A world whose key the model refuses, with Grace as the admin who hears of it, in Slack."""
    async with running(tmp_path, place=place, start=False, admins=("slack:U0GRACE",)) as world:
        world.model.api_key = "another"
        await world.start()
        yield world


def slack_answers(world: World, root: str) -> list[SlackPost]:
    return [post for post in world.slack.messages(GENERAL, root) if post.bot_id]


def discord_answers(world: World, channel: str) -> list[DiscordPost]:
    return [post for post in world.discord.messages(channel) if post.author == world.discord.bot_id]


async def asked_in_slack(world: World, text: str, user: str = ADA) -> str:
    root = await world.slack.post(user, GENERAL, f"<@{world.slack.bot_user_id}> {text}")
    await world.slack.until(lambda: any(not post.streaming for post in slack_answers(world, root)))
    await world.idle()
    return root


async def press_in_slack(world: World, post: SlackPost, user: str) -> None:
    [button] = post.buttons
    assert button.label == AGAIN
    await world.slack.press(user, post.channel, post.ts, button.action_id, value=button.value)


async def mended(world: World) -> None:
    """The key is good again, and the service is started anew."""
    world.model.api_key = KEY
    await world.stop()
    await world.start()


async def test_slack_a_refused_key_is_told_to_the_admin_once_and_asked_again_it_answers(refused: World) -> None:
    world = refused
    roots = [await asked_in_slack(world, f"Question {number}") for number in range(3)]
    await world.slack.until(lambda: bool(world.slack.messages(AT_GRACE)))
    [told] = world.slack.messages(AT_GRACE)
    assert "MISTRAL_API_KEY" in told.shown
    assert "ask again in a few minutes" in slack_answers(world, roots[1])[0].shown
    assert [len(slack_answers(world, root)) for root in roots] == [1, 1, 1]
    await mended(world)
    [failed] = slack_answers(world, roots[1])
    await asyncio.gather(*(press_in_slack(world, failed, ADA) for _ in range(3)))
    await world.slack.until(lambda: any("Question 1" in post.shown for post in slack_answers(world, roots[1])))
    await world.idle()
    stays, answer = slack_answers(world, roots[1])
    assert (stays.ts, stays.shown, stays.buttons) == (failed.ts, failed.shown, ())
    assert (answer.shown, answer.buttons) == ("You said: Ada: Question 1", ())
    said = [post.shown for post in world.slack.ephemerals(ADA)]
    assert said == ["This was asked again already: look further down for the answer."] * 2
    assert len(world.slack.messages(AT_GRACE)) == 1


async def test_slack_a_strangers_press_is_answered_kindly_and_asks_nothing(world: World) -> None:
    world.model.then(error(402, "no credit", code="402"))
    root = await asked_in_slack(world, "Still there?")
    requests = len(world.model.requests)
    await press_in_slack(world, slack_answers(world, root)[0], GRACE)
    await world.slack.until(lambda: bool(world.slack.ephemerals(GRACE)))
    [words] = [post.shown for post in world.slack.ephemerals(GRACE)]
    assert "Only the person who asked" in words
    assert len(world.model.requests) == requests
    assert slack_answers(world, root)[0].buttons, "it is still there for those who may"


async def test_slack_a_private_answer_is_asked_again_where_it_stands(refused: World) -> None:
    world = refused
    await world.slack.command(ADA, GENERAL, "/bise", "ask What is a bise?")
    await world.slack.until(lambda: any(post.buttons and AGAIN in post.buttons[0].label for post in private(world)))
    await world.idle()
    await mended(world)
    [failed] = private(world)
    await press_in_slack(world, failed, ADA)
    await world.slack.until(lambda: any("You said: What is a bise?" in post.shown for post in private(world)))
    await world.idle()
    [answer] = private(world)
    assert answer.buttons == ()
    assert not any("You said" in post.shown for post in world.slack.messages(GENERAL))


def private(world: World) -> list[SlackPost]:
    return world.slack.ephemerals(ADA)


async def test_slack_an_answer_that_a_tool_began_has_its_button_at_the_end_of_the_stream(world: World) -> None:
    world.model.then(
        Reply(chunks=("Let me ", "look."), tool_calls=(ToolCall("abc123def", "current_time", "{}"),), chunk_delay=0.1),
        *[error(401, "Unauthorized")] * 4,
    )
    root = await asked_in_slack(world, "What time is it?")
    [post] = slack_answers(world, root)
    assert post.shown.startswith("Let me look.")
    assert [button.label for button in post.buttons] == [AGAIN]
    assert any(call.method == "chat.stopStream" for call in world.slack.calls)
    await press_in_slack(world, post, ADA)


async def failed_in_discord(world: World, channel: str) -> DiscordPost:
    await world.discord.until(lambda: any(post.buttons for post in discord_answers(world, channel)))
    await world.idle()
    [post] = discord_answers(world, channel)
    assert list(post.buttons.values()) == [AGAIN]
    return post


async def press_in_discord(world: World, post: DiscordPost, user: str) -> InteractionView:
    person = world.discord.person_id(user)
    view = await world.discord.press(person, post.channel, post.id, next(iter(post.buttons)))
    await world.discord.until(lambda: view.acknowledged)
    return view


async def answered_in_discord(world: World, channel: str) -> list[DiscordPost]:
    await world.discord.until(lambda: any("You said" in post.content for post in discord_answers(world, channel)))
    await world.idle()
    return discord_answers(world, channel)


async def test_discord_a_command_is_asked_again_behind_the_presss_own_token(refused: World) -> None:
    world, channel = refused, refused.discord.channel_id("general")
    await world.discord.command(world.discord.person_id("Grace"), channel, "ask", {"prompt": "What is a bise?"})
    failed = await failed_in_discord(world, channel)
    await mended(world)
    presses = await asyncio.gather(*(press_in_discord(world, failed, "Grace") for _ in range(2)))
    stays, answer, *others = await answered_in_discord(world, channel)
    assert (stays.id, stays.content, stays.buttons) == (failed.id, failed.content, {})
    assert "What is a bise?" in answer.content
    assert answer.reply_to == failed.id
    assert answer.buttons == {}
    assert answer.id in [post.id for press in presses for post in press.posts]
    assert [(post.only_for, "asked again already" in post.content) for post in others] == [
        (world.discord.person_id("Grace"), True)
    ]


async def test_discord_a_private_answer_stays_private_when_asked_again(refused: World) -> None:
    world, channel = refused, refused.discord.channel_id("general")
    grace = world.discord.person_id("Grace")
    await world.discord.command(grace, channel, "ask", {"prompt": "Psst", "private": True})
    failed = await failed_in_discord(world, channel)
    await mended(world)
    await press_in_discord(world, failed, "Grace")
    posts = await answered_in_discord(world, channel)
    assert [post.only_for for post in posts] == [grace, grace]


async def test_discord_a_mention_is_asked_again_by_a_reply_to_it(refused: World) -> None:
    world, channel = refused, refused.discord.channel_id("general")
    grace = world.discord.person_id("Grace")
    asked = await world.discord.post(grace, channel, f"<@{world.discord.bot_id}> What is a bise?")
    failed = await failed_in_discord(world, channel)
    await mended(world)
    await press_in_discord(world, failed, "Grace")
    stays, answer = await answered_in_discord(world, channel)
    assert (stays.content, stays.buttons) == (failed.content, {})
    assert answer.reply_to == asked


async def test_discord_a_strangers_press_is_answered_to_them_alone(world: World) -> None:
    world.model.then(error(402, "no credit", code="402"))
    channel = world.discord.channel_id("general")
    await world.discord.command(world.discord.person_id("Ada"), channel, "ask", {"prompt": "Still there?"})
    failed = await failed_in_discord(world, channel)
    await press_in_discord(world, failed, "Grace")
    stays, said = discord_answers(world, channel)
    assert said.only_for == world.discord.person_id("Grace")
    assert "Only the person who asked" in said.content
    assert stays.buttons == failed.buttons


async def test_discord_without_admins_the_applications_owner_is_told_once(tmp_path: Path, place: Place) -> None:
    async with running(tmp_path, place=place, start=False) as world:
        world.model.api_key = "another"
        await world.start()
        channel, ada = world.discord.channel_id("general"), world.discord.person_id("Ada")
        for number in range(2):
            await world.discord.command(ada, channel, "ask", {"prompt": f"Question {number}"})
        await world.discord.until(lambda: len([p for p in discord_answers(world, channel) if p.buttons]) == 2)
        direct = next(
            channel["id"]
            for channel in world.discord.snapshot()["channels"]
            if channel["kind"] == "dm" and channel["with"] == ada
        )
        await world.discord.until(lambda: bool(discord_answers(world, direct)))
        [told] = discord_answers(world, direct)
        assert "MISTRAL_API_KEY" in told.content


async def test_a_reports_channel_in_discord_is_told_instead_of_people(tmp_path: Path, place: Place) -> None:
    async with running(tmp_path, place=place, start=False, admins=("slack:U0GRACE",)) as world:
        channel = world.discord.channel_id("general")
        await world.start()
        settings = world.settings.model_copy(update={"report_channel": (f"discord:{channel}",)})
        await world.stop()
        world.settings, world.model.api_key = settings, "another"
        await world.start()
        await asked_in_slack(world, "Hello?")
        await world.discord.until(lambda: bool(discord_answers(world, channel)))
        assert "MISTRAL_API_KEY" in discord_answers(world, channel)[0].content
        assert world.slack.messages(AT_GRACE) == []


async def test_on_the_free_plan_the_greeting_says_what_becomes_of_words(tmp_path: Path, place: Place) -> None:
    async with running(tmp_path, place=place, mistral_plan="experiment") as world:
        root = await asked_in_slack(world, "")
        assert "may be used to train models" in slack_answers(world, root)[0].shown
