"""Assistants and models, from a person's hand to the model's request, through the whole service."""

from __future__ import annotations

from typing import Any

import pytest

from bots.playground.discord.commands import PersonCannot
from bots.playground.discord.views import DiscordPost
from core.turns.assistants import Assistants
from tests.scenario import test_discord as discord
from tests.scenario import test_slack as slack
from tests.world import World

ASSISTANTS = Assistants.load()
LARGE, BEST, SMALL = "mistral-large-2512", "mistral-medium-3-5", "mistral-small-2603"


def last_request(world: World) -> dict[str, Any]:
    body = world.model.requests[-1].body
    assert isinstance(body, dict)
    return body


def answered_by(world: World, assistant: str, model: str) -> bool:
    """Whether the last request to the model was that assistant's, and for that model."""
    request = last_request(world)
    preset = ASSISTANTS[assistant]
    assert request["messages"][0]["content"].startswith(preset.prompt), assistant
    assert request.get("temperature") == preset.temperature
    return bool(request["model"] == model)


async def slack_command(world: World, text: str, *, user: str = slack.ADA, channel: str = slack.GENERAL) -> str:
    outcome = await world.slack.command(user, channel, "/bise", text)
    assert outcome.acknowledged
    return outcome.text


async def discord_command(world: World, name: str, options: dict[str, Any], *, user: str = "Ada") -> DiscordPost:
    """A command that is answered privately; its answer."""
    given = await world.discord.command(world.discord.person_id(user), discord.general(world), name, options)
    await world.discord.until(lambda: given.post is not None and not given.post.thinking)
    assert given.post is not None
    assert given.ephemeral
    return given.post


# Slack


async def test_a_mention_chooses_for_its_thread_and_no_other(world: World) -> None:
    root = await slack.ask(world, "assistant code-review")
    assert "code-review" in slack.answers(world, root)[-1].shown + str(slack.answers(world, root)[-1].notes)
    await slack.ask(world, "def f(): return g", thread=root)
    assert answered_by(world, "code-review", BEST)
    await slack.ask(world, "Hello")
    assert answered_by(world, "default", LARGE)


async def test_a_mention_chooses_a_model_and_a_wrong_one_is_told(world: World) -> None:
    root = await slack.ask(world, f"model {SMALL}")
    await slack.ask(world, "Hello", thread=root)
    assert answered_by(world, "default", SMALL)
    wrong = await slack.ask(world, "model gpt-4")
    told = slack.answers(world, wrong)[-1]
    assert "I know no model" in told.shown + str(told.notes)
    assert len(world.model.requests) == 1


async def test_a_channels_default_holds_in_the_channel_and_survives_a_restart(world: World) -> None:
    assert "`creative`" in await slack_command(world, "assistant creative", user=slack.GRACE)
    assert f"`{SMALL}`" in await slack_command(world, f"model {SMALL}", user=slack.GRACE)
    await slack.ask(world, "Name my boat")
    assert answered_by(world, "creative", SMALL)
    await world.stop()
    await world.start()
    await slack.ask(world, "Name my other boat")
    assert answered_by(world, "creative", SMALL)
    assert "chosen for this channel" in await slack_command(world, "assistant")
    assert "as it was set up" in await slack_command(world, "assistant", channel="C0RANDOM")


async def test_only_admins_choose_for_the_workspace(world: World) -> None:
    assert "Only an admin" in await slack_command(world, "settings assistant translate", user=slack.GRACE)
    assert "assistant `default`" in await slack_command(world, "settings", user=slack.GRACE)
    assert "`translate`" in await slack_command(world, "settings assistant translate")
    assert "in this workspace I may look up" in await slack_command(world, "settings recent-messages on")
    assert "Write on or off" in await slack_command(world, "settings recent-messages maybe")
    told = await slack_command(world, "settings")
    assert "assistant `translate`" in told
    assert "recent-messages `on`" in told
    await slack.ask(world, "Guten Tag")
    assert answered_by(world, "translate", LARGE)


async def test_guests_who_are_not_answered_choose_nothing(world: World) -> None:
    assert "only answer members" in await slack_command(world, "assistant creative", user="U0GUEST")
    await slack.ask(world, "Hello")
    assert answered_by(world, "default", LARGE)


async def test_a_wrong_name_in_a_command_is_told_with_the_nearest(world: World) -> None:
    assert "Did you mean `code-review`?" in await slack_command(world, "assistant codereview")
    told = await slack_command(world, "assistant <!channel>")
    assert "There are: `default`" in told
    assert "<" not in told


# Discord


async def test_ask_with_an_assistant_and_a_model_is_answered_by_them_and_so_are_replies(world: World) -> None:
    await discord.ask(world, "Name my boat", assistant="creative", model="best")
    [post] = await discord.settled(world, 1)
    assert answered_by(world, "creative", BEST)
    await world.discord.post(discord.ada(world), discord.general(world), "Another", reply_to=post.id)
    await discord.settled(world, 2)
    assert answered_by(world, "creative", BEST)
    await discord.ask(world, "Hello")
    await discord.settled(world, 3)
    assert answered_by(world, "default", LARGE)


async def test_an_unknown_name_typed_into_ask_is_told_privately_and_asks_nothing(world: World) -> None:
    told = await discord_command(world, "ask", {"prompt": "Hello", "assistant": "creativ"})
    assert "Did you mean `creative`?" in told.content
    told = await discord_command(world, "ask", {"prompt": "Hello", "model": "gpt-4"})
    assert "I know no model `gpt-4`" in told.content
    assert not world.model.requests


async def test_names_are_completed_while_they_are_typed(world: World) -> None:
    async def offered(command: str, option: str, typed: str) -> list[str]:
        given = await world.discord.autocomplete(discord.ada(world), discord.general(world), command, option, typed, {})
        await world.discord.until(lambda: given.choices is not None)
        return [choice["value"] for choice in given.choices or ()]

    assert await offered("ask", "assistant", "") == list(ASSISTANTS)
    assert await offered("ask", "assistant", "tr") == ["translate"]
    assert BEST in await offered("ask", "model", "mistral")
    assert await offered("bise assistant", "name", "zzz") == []
    assert await offered("bise-admin settings model", "name", "econ") == ["economy"]


async def test_a_servers_channels_choose_for_themselves_and_their_threads(world: World) -> None:
    told = await discord_command(world, "bise assistant", {"name": "creative"}, user="Grace")
    assert "`creative`" in told.content
    await world.discord.command(discord.ada(world), discord.general(world), "chat", {"topic": "Boats"})
    await world.discord.until(lambda: bool(world.discord.threads(discord.general(world))))
    await world.model.until(lambda model: len(model.requests) == 1)
    assert answered_by(world, "creative", LARGE)
    told = await discord_command(world, "bise assistant", {})
    assert "chosen for this channel" in told.content


async def test_the_page_has_a_field_for_whatever_can_be_chosen(world: World) -> None:
    shown = {one["name"]: [option["name"] for option in one["options"]] for one in world.discord.snapshot()["commands"]}
    assert shown["/ask"] == ["prompt", "image", "assistant", "model", "private"]
    assert shown["/bise model"] == ["name"]
    assert shown["/bise-admin settings recent-messages"] == ["value"]
    [command] = world.slack.snapshot()["commands"]
    assert "assistant" in command["usage"]


async def test_a_mention_that_asks_who_answers_is_told_on_discord(world: World) -> None:
    await world.discord.post(discord.ada(world), discord.general(world), f"<@{world.discord.bot_id}> model")
    [post] = await discord.settled(world, 1)
    assert f"`{LARGE}`, as it was set up" in post.content
    assert "“model NAME”" in post.content
    await world.discord.post(
        discord.ada(world), discord.general(world), f"<@{world.discord.bot_id}> assistant creative", reply_to=post.id
    )
    chosen = (await discord.settled(world, 2))[-1]
    await world.discord.post(discord.ada(world), discord.general(world), "Name my boat", reply_to=chosen.id)
    await world.model.until(lambda model: len(model.requests) == 1)
    assert answered_by(world, "creative", LARGE)


async def test_only_managers_choose_for_a_server(world: World) -> None:
    with pytest.raises(PersonCannot, match="cannot be used here by Grace"):
        await discord_command(world, "bise-admin settings assistant", {"name": "creative"}, user="Grace")
    told = await discord_command(world, "bise-admin settings model", {"name": "economy"})
    assert f"`{SMALL}`" in told.content
    told = await discord_command(world, "bise-admin settings recent-messages", {"value": "on"})
    assert "look up" in told.content
    told = await discord_command(world, "bise-admin settings assistant", {})
    assert "recent-messages `on`" in told.content
    await discord.ask(world, "Hello")
    await world.model.until(lambda model: len(model.requests) == 1)
    assert answered_by(world, "default", SMALL)


async def test_slack_and_discord_know_nothing_of_each_others_choices(world: World) -> None:
    await slack_command(world, "settings assistant translate")
    await discord.ask(world, "Hello")
    await discord.settled(world, 1)
    assert answered_by(world, "default", LARGE)
