"""Our commands and posts against Discord's rules as simcord keeps them: a second opinion beside our own simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import discord
import pytest
import simcord
from discord.http import Route

from bots.discord.adapter import DiscordAdapter
from bots.discord.errors import converted
from bots.discord.registration import normalised, register
from bots.discord.rest import Rest
from core.errors import PlatformError
from core.messages import Answer, ConversationKind, IncomingMessage, Notice
from core.ports import Reply
from core.settings import Settings
from tests.integration.discord_core import FakeCore


class LibraryRest(Rest):
    """Our REST calls through discord.py's client, which simcord answers."""

    def __init__(self) -> None:
        super().__init__("token", "unused")
        self.client: discord.Client | None = None

    async def call(self, method: str, path: str, json: Any = None, **_: Any) -> Any:
        assert self.client is not None
        try:
            return await self.client.http.request(Route(method, path), json=json)
        except discord.HTTPException as error:
            raise converted(error) from error


@dataclass
class Server:
    env: Any
    core: FakeCore
    adapter: DiscordAdapter
    channel: Any
    alice: Any


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    core, rest = FakeCore(), LibraryRest()
    settings = Settings.read({"DISCORD_TOKEN": "token", "MISTRAL_API_KEY": "unused"}, env_file=None)
    core.adapter = adapter = DiscordAdapter(settings, core, rest)  # type: ignore[arg-type]
    rest.client = adapter.client
    async with simcord.run(adapter.client) as env:
        await register(adapter.client, adapter.client.tree)
        guild = env.create_guild()
        channel = guild.create_text_channel("general")
        alice = guild.add_member(env.create_user("alice"))
        yield Server(env, core, adapter, channel, alice)
        await core.settle()
    await adapter.close()


async def test_discord_takes_our_commands_and_knows_them_again() -> None:
    async with serving() as server:
        assert set(server.alice.available_commands(server.channel)) >= {"ask", "chat", "bise usage", "bise reset"}
        assert await register(server.adapter.client, server.adapter.client.tree) is False


async def test_ask_is_acknowledged_by_a_deferral_and_answered_in_it() -> None:
    async with serving() as server:
        asked = await server.alice.slash(server.channel, "ask", prompt="why?")
        await server.core.settle()
        assert asked.acknowledged
        assert not asked.ephemeral
        assert asked.response.content == "> why?\nYou said: why?"
        assert asked.followups == []


async def test_a_private_answer_is_ephemeral_from_its_deferral_on() -> None:
    async with serving() as server:
        asked = await server.alice.slash(server.channel, "ask", prompt="why?", private=True)
        await server.core.settle()
        assert asked.ephemeral
        assert asked.response.content == "You said: why?"


async def test_an_answer_of_many_posts_passes_the_limit_of_2000_characters() -> None:
    async with serving() as server:
        text = "\n\n".join(f"Paragraph {number} " + "word " * 100 for number in range(12))

        async def long(reply: Reply, message: IncomingMessage) -> None:
            reply.write(text)
            await reply.finish(Answer(text))

        server.core.script = long
        asked = await server.alice.slash(server.channel, "ask", prompt="much")
        await server.core.settle()
        assert server.core.failures == []
        contents = [asked.response.content, *(post.content for post in asked.followups)]
        assert len(contents) >= 3
        assert "".join("".join(contents).removeprefix("> much").split()) == "".join(text.split())


async def test_discord_refuses_2001_characters_so_that_the_limit_is_not_ours_alone() -> None:
    async with serving() as server:
        with pytest.raises(PlatformError, match="50035"):
            await server.adapter.rest.call("POST", f"/channels/{server.channel.id}/messages", {"content": "x" * 2001})


async def test_an_empty_prompt_and_one_too_long_do_not_get_past_discord() -> None:
    async with serving() as server:
        for prompt in ("", "x" * 6001):
            with pytest.raises(simcord.OptionError):
                await server.alice.slash(server.channel, "ask", prompt=prompt)
        assert server.core.heard == []


async def test_chat_opens_a_thread_in_which_the_topic_is_asked() -> None:
    async with serving() as server:
        asked = await server.alice.slash(server.channel, "chat", topic="bees")
        await server.core.settle()
        assert asked.ephemeral
        (heard,) = server.core.heard
        assert heard.kind is ConversationKind.CHAT
        assert f"<#{heard.root}>" in asked.response.content
        thread = server.adapter.client.get_channel(int(heard.root or 0))
        assert isinstance(thread, discord.Thread)
        assert thread.name == "bees"


async def test_a_mention_is_answered_by_a_reply() -> None:
    async with serving() as server:
        sent = await server.alice.send(server.channel, f"<@{server.adapter.bot.id}> hello")
        await server.core.settle()
        answer = server.channel.last_message
        assert answer.content == "You said: hello"
        assert answer.reference.message_id == sent.id
        assert answer.components == []


async def test_what_only_the_asker_may_read_reaches_them_also_where_no_follow_up_is_taken() -> None:
    refusal = Answer("", "failed", (Notice("budget_refused", {"left": 0}),), ask_admin="ask.7", only_asker=True)
    async with serving() as server:

        async def refuse(reply: Reply, message: IncomingMessage) -> None:
            await reply.finish(refusal)

        server.core.script = refuse
        asked = await server.alice.slash(server.channel, "ask", prompt="why?")
        await server.core.settle()
        assert server.core.failures == []
        # Discord once took no follow-up after a deferral was deleted (discord-api-docs 2739); simcord takes none still.
        assert asked.followups == []
        assert "I cannot answer this now" in server.alice.user.dm_channel.last_message.content
        assert server.channel.history() == []


async def test_bise_commands_are_private() -> None:
    async with serving() as server:
        for name in ("bise usage", "bise reset", "bise help"):
            result = await server.alice.slash(server.channel, name)
            assert result.ephemeral
            assert result.response.content


def test_what_discord_adds_to_a_command_makes_it_no_other_one() -> None:
    ours = {
        "name": "ask",
        "description": "Ask",
        "type": 1,
        "options": [{"name": "prompt", "type": 3}],
        "contexts": [1, 0],
    }
    theirs = {
        **ours,
        "id": "1",
        "version": "2",
        "application_id": "3",
        "dm_permission": True,
        "default_member_permissions": None,
        "nsfw": False,
        "contexts": [0, 1],
        "options": [{"name": "prompt", "type": 3, "required": False, "name_localizations": None}],
    }
    assert normalised([theirs]) == normalised([ours])
    assert normalised([theirs | {"default_member_permissions": "32"}]) == normalised(
        [ours | {"default_member_permissions": 32}]
    ), "a number comes back as text"
    theirs["options"][0]["required"] = True
    assert normalised([theirs]) != normalised([ours])
