"""Budgets as people meet them in Discord, through the whole service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.playground.discord.commands import PersonCannot
from bots.playground.discord.views import DiscordPost, InteractionView
from core.messages import WorkspaceKey
from tests.databases import Place
from tests.scenario.test_choosing import discord_command
from tests.scenario.test_discord import ada, answers, ask, general, settled
from tests.world import World, running

LITTLE = 100  # micro-dollars, for which there is no answer
ASK_ADMIN = ["Ask an admin"]
MENU = "What did this cost?"


@asynccontextmanager
async def poor(tmp_path: Path, place: Place) -> AsyncIterator[World]:
    """A world in which a person may spend next to nothing in a day."""
    async with running(tmp_path, place=place, user_daily_budget=LITTLE, timezone="Asia/Kolkata") as world:
        yield world


def labels(post: DiscordPost) -> list[str]:
    return list(post.buttons.values())


def direct(world: World) -> str:
    """Ada's direct messages with the bot."""
    return next(one["id"] for one in world.discord.snapshot()["channels"] if one.get("with") == ada(world))


def told_alone(world: World, channel: str | None = None) -> list[DiscordPost]:
    return [post for post in answers(world, channel) if "I cannot answer this now" in post.content]


async def mention(world: World, text: str = "What is a bise?") -> None:
    await world.discord.post(ada(world), general(world), f"<@{world.discord.bot_id}> {text}")


async def test_a_refused_question_of_a_command_leaves_nothing_for_others_to_see(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        await ask(world, "What is a bise?")
        await world.discord.until(lambda: bool(told_alone(world)))
        await world.idle()
        [told] = answers(world)
        assert told.only_for == ada(world)
        assert "00:00 (Asia/Kolkata time)" in told.content
        assert "An admin can raise the limit (`/bise-admin budget set`)" in told.content
        assert labels(told) == ASK_ADMIN


async def test_a_refused_mention_is_told_in_direct_messages(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        await mention(world)
        await world.discord.until(lambda: bool(told_alone(world, direct(world))))
        await world.idle()
        [told] = told_alone(world, direct(world))
        assert told.content.startswith(f"You asked me something in <#{general(world)}>. I cannot answer this now")
        assert labels(told) == ASK_ADMIN
        assert answers(world) == []


async def test_where_direct_messages_are_closed_a_short_reply_says_so_in_place(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        world.discord.faults.closed_dms.add(ada(world))
        await mention(world)
        [told] = await settled(world, 1)
        assert told.content.startswith("There is no room in the budget for this question right now.")
        assert "$" not in told.content, "figures are the asker's own business"
        assert labels(told) == ASK_ADMIN
        assert told.reply_to is not None


async def test_in_direct_messages_and_private_answers_a_refusal_is_an_ordinary_answer(
    tmp_path: Path, place: Place
) -> None:
    async with poor(tmp_path, place) as world:
        await world.discord.post(ada(world), direct(world), "What is a bise?")
        [told] = await settled(world, 1, direct(world))
        assert told.content.startswith("I cannot answer this now")
        assert labels(told) == ASK_ADMIN
        await ask(world, "What is a bise?", private=True)
        [told] = await settled(world, 1)
        assert told.only_for == ada(world)
        assert labels(told) == ASK_ADMIN


async def test_a_refusal_whose_token_is_spent_goes_into_direct_messages(tmp_path: Path, place: Place) -> None:
    async with poor(tmp_path, place) as world:
        world.discord.faults.token_life = 0.0
        await ask(world, "What is a bise?")
        await world.discord.until(lambda: bool(told_alone(world, direct(world))))
        await world.idle()
        assert not told_alone(world)


async def test_limits_are_set_by_admins_and_shown_to_everybody(world: World) -> None:
    with pytest.raises(PersonCannot, match="cannot be used here by Grace"):
        await discord_command(world, "bise-admin budget set", {"per": "day", "limit": "2"}, user="Grace")
    grace = world.discord.person_id("Grace")
    said = await discord_command(world, "bise-admin budget set", {"per": "day", "limit": "0.5", "user": grace})
    assert said.content == f"Done: <@{grace}> may spend $0.50 a day (it was $1.00)."
    assert not said.pings
    shown = await discord_command(world, "bise budget", {}, user="Grace")
    assert "• You: $0.00 spent, $0.50 left of $0.50" in shown.content
    assert "• This server: $0.00 spent, $2.00 left of $2.00" in shown.content
    said = await discord_command(
        world, "bise-admin budget set", {"per": "month", "limit": "none", "channel": general(world)}
    )
    assert said.content.startswith(f"Done: <#{general(world)}> may spend as much a month as the other limits leave")
    shown = await discord_command(world, "bise-admin budget show", {})
    assert "`/bise-admin budget set` changes a limit." in shown.content


async def test_a_wrong_amount_is_told_in_one_sentence(world: World) -> None:
    said = await discord_command(world, "bise-admin budget set", {"per": "day", "limit": "5,00"})
    assert said.content.startswith("A limit is written with a point")


async def test_usage_tells_limits_models_and_channels(world: World) -> None:
    await ask(world, "Hello")
    await settled(world, 1)
    said = (await discord_command(world, "bise usage", {})).content
    assert "Models this month: `mistral-large-2512` $0." in said
    assert f"Channels this month: <#{general(world)}> $0." in said
    assert "• You: $0.0" in said


async def test_the_menu_of_an_answer_tells_its_cost_to_the_one_who_asks(world: World) -> None:
    await ask(world, "Hello")
    [answer] = await settled(world, 1)
    question = await world.discord.post(ada(world), general(world), "Nothing for you")

    async def chosen(message: str) -> InteractionView:
        given = await world.discord.choose(world.discord.person_id("Grace"), general(world), message, MENU)
        await world.discord.until(lambda: given.post is not None and not given.post.thinking)
        return given

    told = await chosen(answer.id)
    assert told.post is not None
    assert told.ephemeral
    assert told.post.content.startswith("This answer cost $0.")
    assert "one call of `mistral-large-2512`" in told.post.content
    told = await chosen(question)
    assert told.post is not None
    assert told.post.content.startswith("That is no answer of mine")


async def test_a_servers_zone_people_and_economy_are_chosen_by_those_who_manage_it(world: World) -> None:
    said = await discord_command(world, "bise-admin settings zone", {"name": "Asia/Kathmandu"})
    assert "`Asia/Kathmandu` in this server" in said.content
    assert "written down" in (await discord_command(world, "bise-admin settings people", {"value": "on"})).content
    assert "once 80 %" in (await discord_command(world, "bise-admin settings economy", {"value": "80%"})).content
    assert "1 to 100" in (await discord_command(world, "bise-admin settings economy", {"value": "x"})).content
    holds = await discord_command(world, "bise-admin settings zone", {})
    assert "zone `Asia/Kathmandu`; figures of single people `on`" in holds.content
    key = WorkspaceKey("discord", world.discord.snapshot()["workspace"]["id"])
    chosen = await world.service.core.workspace_settings.holding(key)
    assert (chosen.zone, chosen.show_people, chosen.economy_at_percent) == ("Asia/Kathmandu", True, 80)
