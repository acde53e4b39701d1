"""Discord's payloads as the core's messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import discord
import pytest

from bots.discord.client import intents
from bots.discord.inbound import Self, channel_of, is_thread, to_message, to_question, to_topic, workspace_of
from core.messages import DISCORD_DM, ConversationKind, IncomingMessage, WorkspaceKey

BOT, ADA, GRACE, BOTTY = "900000000000000001", "900000000000000002", "900000000000000003", "900000000000000004"
GUILD, CHANNEL, THREAD, DM = "800000000000000001", "800000000000000002", "800000000000000003", "800000000000000004"
BOT_ROLE, MANAGERS, READERS = "700000000000000001", "700000000000000002", "700000000000000003"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ME = Self(int(BOT), frozenset({GRACE}))


def role(id_: str, name: str, permissions: int = 0, **more: Any) -> dict[str, Any]:
    blank = {"color": 0, "colors": {"primary_color": 0}, "hoist": False, "managed": False, "mentionable": True}
    return {"id": id_, "name": name, "position": 1, "permissions": str(permissions), "flags": 0, **blank, **more}


def user(id_: str, name: str, *, bot: bool = False) -> dict[str, Any]:
    return {"id": id_, "username": name.lower(), "global_name": name, "discriminator": "0", "avatar": None, "bot": bot}


def member(*roles: str, nick: str | None = None, **more: Any) -> dict[str, Any]:
    joined = "2026-01-01T00:00:00+00:00"
    return {"roles": list(roles), "nick": nick, "joined_at": joined, "deaf": False, "mute": False, "flags": 0, **more}


@pytest.fixture
async def state() -> Any:
    """What discord.py knows after the gateway told it of the guild."""
    client = discord.Client(
        intents=intents(message_content=True),
        member_cache_flags=discord.MemberCacheFlags.none(),
        chunk_guilds_at_startup=False,
    )
    connection = client._connection
    connection.user = discord.ClientUser(state=connection, data=user(BOT, "Bise", bot=True))  # type: ignore[arg-type]
    guild = {
        "id": GUILD,
        "name": "Server",
        "roles": [
            role(GUILD, "@everyone"),
            role(BOT_ROLE, "Bise", tags={"bot_id": BOT}),
            role(MANAGERS, "Managers", discord.Permissions(manage_guild=True).value),
            role(READERS, "Readers"),
        ],
        "channels": [{"id": CHANNEL, "type": 0, "name": "general", "position": 0, "permission_overwrites": []}],
        "threads": [thread()],
        "members": [],
        "owner_id": "1",
    }
    connection._add_guild_from_data(guild)  # type: ignore[arg-type]
    return connection


def thread() -> dict[str, Any]:
    times = {"archive_timestamp": "2026-11-23T00:00:00+00:00", "archived": False, "auto_archive_duration": 1440}
    return {
        "id": THREAD,
        "type": 11,
        "name": "bees",
        "guild_id": GUILD,
        "parent_id": CHANNEL,
        "owner_id": BOT,
        "thread_metadata": times,
        "message_count": 1,
        "member_count": 1,
    }


def payload(content: str, *, author: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A MESSAGE_CREATE in the guild's channel."""
    return {
        "id": "1574400000000000001",
        "channel_id": CHANNEL,
        "guild_id": GUILD,
        "author": author or user(ADA, "Ada"),
        "member": member(),
        "content": content,
        "timestamp": "2026-11-23T12:00:00+00:00",
        "edited_timestamp": None,
        "tts": False,
        "mention_everyone": False,
        "mentions": [],
        "mention_roles": [],
        "attachments": [],
        "embeds": [],
        "pinned": False,
        "type": 0,
        **more,
    }


def heard(state: Any, data: dict[str, Any]) -> IncomingMessage | None:
    channel, _ = state._get_guild_channel(data)
    return to_message(discord.Message(state=state, channel=channel, data=data), ME)  # type: ignore[arg-type]


def must_hear(state: Any, data: dict[str, Any]) -> IncomingMessage:
    message = heard(state, data)
    assert message is not None
    return message


MENTIONS_BOT = [user(BOT, "Bise", bot=True)]


async def test_a_mention_begins_a_chain_with_its_own_mark_removed(state: Any) -> None:
    found = must_hear(state, payload(f"<@{BOT}> what is <#{CHANNEL}> for?", mentions=MENTIONS_BOT))
    assert found.text == "what is #general for?"
    assert (found.kind, found.root, found.reply_to) == (ConversationKind.CHAIN, None, None)
    assert found.mentioned
    assert not found.names_others
    assert found.workspace == WorkspaceKey("discord", GUILD)
    assert found.address == {"via": "message", "message": found.source_id}
    assert (found.author.id, found.author.name, found.author.admin) == (ADA, "Ada", False)


async def test_an_old_style_mention_and_the_bots_role_count_too(state: Any) -> None:
    assert must_hear(state, payload(f"hey <@!{BOT}> you", mentions=MENTIONS_BOT)).text == "hey you"
    by_role = must_hear(state, payload(f"<@&{BOT_ROLE}> hello", mention_roles=[BOT_ROLE]))
    assert by_role.mentioned
    assert by_role.text == "hello"
    assert not by_role.names_others


async def test_a_mark_that_discord_does_not_count_as_a_mention_does_not_address_the_bot(state: Any) -> None:
    assert heard(state, payload(f"`<@{BOT}>` is how you write to it")) is None


async def test_other_marks_are_shown_by_name(state: Any) -> None:
    text = f"<@{BOT}> ask <@{GRACE}>, <@&{READERS}>, <@123>, <#5>, <:wave:42> </ask:7> <t:0>"
    found = must_hear(
        state,
        payload(text, mentions=[*MENTIONS_BOT, user(GRACE, "Grace")], mention_roles=[READERS]),
    )
    assert found.text == "ask @Grace, @Readers, @someone, #channel, :wave: /ask <t:0>"
    assert found.names_others


async def test_ordinary_chatter_in_a_channel_is_not_heard(state: Any) -> None:
    assert heard(state, payload("hello everybody")) is None


@pytest.mark.parametrize(
    "strange",
    [
        {"author": user(BOTTY, "Botty", bot=True)},
        {"author": user(BOT, "Bise", bot=True)},
        {"webhook_id": "77"},
        {"type": 7},  # somebody joined
        {"type": 18},  # a thread was opened
        {"type": 20},  # an answer to a slash command
    ],
)
async def test_bots_webhooks_and_system_messages_are_not_heard(state: Any, strange: dict[str, Any]) -> None:
    assert heard(state, payload(f"<@{BOT}> hi", mentions=MENTIONS_BOT, **strange)) is None


async def test_a_reply_to_the_bot_addresses_it_without_a_mention(state: Any) -> None:
    before = payload("an answer", author=user(BOT, "Bise", bot=True), id="1574400000000000000")
    found = must_hear(state, payload("and then?", type=19, **replying_to(before)))
    assert found.mentioned
    assert found.reply_to == "1574400000000000000"
    assert found.quoted is None
    assert not found.names_others


async def test_replying_to_somebody_else_with_a_mention_brings_their_words_and_pictures(state: Any) -> None:
    before = payload(
        f"look, <@{ADA}>",
        author=user(GRACE, "Grace"),
        id="1574400000000000000",
        mentions=[user(ADA, "Ada")],
        attachments=[attachment()],
    )
    found = must_hear(state, payload(f"<@{BOT}> what is this?", type=19, mentions=MENTIONS_BOT, **replying_to(before)))
    assert found.quoted is not None
    assert (found.quoted.text, found.quoted.author.name) == ("look, @Ada", "Grace")
    assert found.quoted.source_id == found.reply_to == "1574400000000000000"
    assert [file.name for file in found.attachments] == ["cat.png"]
    assert found.names_others


async def test_a_reply_whose_message_is_gone_is_still_heard_when_it_mentions_the_bot(state: Any) -> None:
    reference = {"message_id": "1574400000000000000", "channel_id": CHANNEL, "guild_id": GUILD}
    data = payload(f"<@{BOT}> hm", type=19, mentions=MENTIONS_BOT, message_reference=reference, referenced_message=None)
    assert must_hear(state, data).quoted is None


async def test_a_message_in_a_thread_is_heard_as_that_threads(state: Any) -> None:
    found = must_hear(state, payload("go on", channel_id=THREAD))
    assert (found.kind, found.channel, found.root) == (ConversationKind.THREAD, THREAD, THREAD)
    assert not found.mentioned
    assert found.parent_channel == CHANNEL


async def test_a_message_that_may_not_be_read_is_not_heard(state: Any) -> None:
    assert heard(state, payload("", channel_id=THREAD)) is None


async def test_a_direct_message_belongs_to_the_dm_workspace(state: Any) -> None:
    data = payload("psst", channel_id=DM)
    del data["guild_id"], data["member"]
    found = must_hear(state, data)
    assert (found.workspace, found.kind, found.root) == (DISCORD_DM, ConversationKind.DM, "dm")
    assert not found.author.admin


async def test_managers_of_the_server_and_named_people_are_admins(state: Any) -> None:
    by_role = payload(f"<@{BOT}> hi", mentions=MENTIONS_BOT, member=member(MANAGERS, nick="The Boss"))
    assert must_hear(state, by_role).author.admin
    assert must_hear(state, by_role).author.name == "The Boss"
    named = payload(f"<@{BOT}> hi", mentions=MENTIONS_BOT, author=user(GRACE, "Grace"))
    assert must_hear(state, named).author.admin


async def test_attachments_are_told_as_discord_announced_them(state: Any) -> None:
    found = must_hear(state, payload(f"<@{BOT}>", mentions=MENTIONS_BOT, attachments=[attachment()]))
    (file,) = found.attachments
    assert (file.id, file.name, file.mime, file.size) == ("61", "cat.png", "image/png", 1234)
    assert file.url == "https://cdn.discordapp.com/attachments/1/61/cat.png?hm=abc"
    assert found.text == ""


async def test_ask_brings_its_token_and_fifteen_minutes(state: Any) -> None:
    asked = to_question(interaction(state), " why? ", ME, now=NOW)
    assert (asked.kind, asked.root, asked.text, asked.source) == (ConversationKind.CHAIN, None, "why?", "interaction")
    assert asked.source_id == "1574400000000000009"
    assert asked.mentioned
    assert asked.address["token"] == "tok"
    assert asked.address["private"] == "no"
    assert 0 < int(asked.address["until"]) - NOW.timestamp() < 15 * 60
    assert all(isinstance(value, str) for value in asked.address.values())
    assert asked.author.admin


async def test_what_ask_chooses_goes_along_with_the_question(state: Any) -> None:
    question = to_question(interaction(state), "why?", ME, assistant="creative", model="best", now=NOW)
    assert (question.assistant, question.model, question.parent_channel) == ("creative", "best", None)
    assert channel_of(interaction(state)) == CHANNEL


async def test_ask_in_a_thread_belongs_to_it_and_in_private_to_nothing(state: Any) -> None:
    inside = interaction(state, channel=thread() | {"permissions": "0"}, channel_id=THREAD)
    assert is_thread(inside.channel)
    question = to_question(inside, "why?", ME, now=NOW)
    assert question.parent_channel == channel_of(inside) == CHANNEL
    assert (question.kind, question.root) == (ConversationKind.THREAD, THREAD)
    private = to_question(inside, "why?", ME, private=True, now=NOW)
    assert (private.kind, private.root) == (ConversationKind.PRIVATE, None)
    assert private.address["private"] == "yes"


async def test_a_topic_is_the_first_question_of_its_thread(state: Any) -> None:
    topic = to_topic(interaction(state), "bees", 42, ME, now=NOW)
    assert topic.parent_channel == CHANNEL
    assert (topic.kind, topic.channel, topic.root) == (ConversationKind.CHAT, "42", "42")
    assert topic.address == {"via": "channel"}


async def test_an_interaction_in_a_direct_message_belongs_to_the_dm_workspace(state: Any) -> None:
    data = interaction_payload(user=user(ADA, "Ada"), channel_id=DM, channel={"id": DM, "type": 1, "recipients": []})
    del data["guild_id"], data["member"]
    here = discord.Interaction(data=data, state=state)  # type: ignore[arg-type]
    assert workspace_of(here) == DISCORD_DM
    assert not to_question(here, "x", ME, now=NOW).author.admin


def attachment() -> dict[str, Any]:
    url = "https://cdn.discordapp.com/attachments/1/61/cat.png?hm=abc"
    named = {"id": "61", "filename": "cat.png", "content_type": "image/png"}
    return {**named, "size": 1234, "url": url, "proxy_url": url}


def replying_to(before: dict[str, Any]) -> dict[str, Any]:
    reference = {"message_id": before["id"], "channel_id": CHANNEL, "guild_id": GUILD}
    return {"message_reference": reference, "referenced_message": before}


def interaction_payload(**more: Any) -> dict[str, Any]:
    rights = str(discord.Permissions(manage_guild=True).value)
    return {
        "id": "1574400000000000009",
        "application_id": "5",
        "type": 2,
        "token": "tok",
        "version": 1,
        "guild_id": GUILD,
        "channel_id": CHANNEL,
        "channel": {"id": CHANNEL, "type": 0, "name": "general"},
        "member": {**member(permissions=rights), "user": user(ADA, "Ada")},
        "locale": "en-GB",
        "attachment_size_limit": 10_485_760,
        "entitlements": [],
        "authorizing_integration_owners": {},
        "data": {"id": "1", "name": "ask", "type": 1},
        **more,
    }


def interaction(state: Any, **more: Any) -> discord.Interaction:
    return discord.Interaction(data=interaction_payload(**more), state=state)  # type: ignore[arg-type]
