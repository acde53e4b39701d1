"""What a model may read of a channel: this workspace's, this channel's, and nothing that was said in private."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from core.messages import ConversationKind, IncomingMessage, WorkspaceKey
from core.store import workspaces
from core.store.database import Connection
from core.store.recent import TEXT_SHOWN, RecentMessage, recent_in_channel
from tests.fakes import BEN, T0, TEAM, FakePlatform, House, ScriptedModel, chained, direct, house, message, said

GUILD = WorkspaceKey("discord", "1000")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    """A core whose answers all are "A wind."."""
    async with house(tmp_path, model=ScriptedModel(*[["A wind."]] * 60)) as home:
        yield home


async def recent(
    home: House, channel: str = "C1", *, workspace: WorkspaceKey = TEAM, limit: int = 50, besides: int | None = None
) -> list[RecentMessage]:
    def read(connection: Connection) -> list[RecentMessage]:
        number = workspaces.find(connection, workspace)
        assert number is not None
        return recent_in_channel(connection, number, channel, limit=limit, besides=besides)

    return await home.core.database.read(read)


async def said_by_people(home: House, channel: str = "C1", *, workspace: WorkspaceKey = TEAM) -> list[str]:
    return [one.text for one in await recent(home, channel, workspace=workspace) if one.author is not None]


def changed(home: House, statement: str) -> None:
    """Changes what is stored in a way that no feature does yet."""
    connection = sqlite3.connect(home.file)
    with connection:
        connection.execute(statement)
    connection.close()


async def test_all_threads_of_a_channel_are_read_as_one_line_oldest_first(home: House) -> None:
    for one in (message("What is a bise?", "10"), message("And a joran?", "20", author=BEN), said("Brr", "30", "10")):
        home.clock.advance(10)
        await home.hear(one)
        home.clock.advance(0.5)
    assert [(one.author, one.text) for one in await recent(home)] == [
        ("Ada", "What is a bise?"),
        (None, "A wind."),
        ("Ben", "And a joran?"),
        (None, "A wind."),
        ("Ada", "Brr"),
        (None, "A wind."),
    ]
    assert (await recent(home))[0].sent_at == T0 + timedelta(seconds=10)


async def test_the_newest_are_read_where_there_are_more(home: House) -> None:
    await home.hear(*(message(f"question {number}", str(number)) for number in range(1, 6)))
    assert [one.text for one in await recent(home, limit=2)] == ["question 4", "question 5"]


async def test_a_conversation_that_the_model_sees_anyway_is_left_out(home: House) -> None:
    await home.hear(message("one", "1"), message("two", "2"))
    assert [one.text for one in await recent(home, besides=1) if one.author] == ["two"]


async def test_another_channel_and_another_workspace_are_not_read(home: House) -> None:
    elsewhere = WorkspaceKey("slack", "T2")
    await home.hear(
        message("here", "1"),
        message("next door", "2", channel="C2", source_id="C2:2", root="C2:2"),
        message("at the neighbours'", "3", workspace=elsewhere),
    )
    assert sorted(one.text for one in await recent(home)) == ["A wind.", "here"]
    assert sorted(one.text for one in await recent(home, workspace=elsewhere)) == ["A wind.", "at the neighbours'"]


PRIVATE: list[IncomingMessage] = [
    message("privately", "2", source="command", kind=ConversationKind.PRIVATE, root=None),
    message("on a terminal", "3", kind=ConversationKind.TERMINAL, root=None),
    direct("directly", "4", channel="C1", source_id="C1:4"),
]


@pytest.mark.parametrize("private", PRIVATE, ids=lambda one: one.kind.value)
async def test_what_was_said_in_private_is_never_read_not_even_of_the_same_channel(
    home: House, private: IncomingMessage
) -> None:
    await home.hear(message("openly", "1"), private)
    assert home.rows("SELECT text FROM message WHERE role = 'person' ORDER BY id") == [("openly",), (private.text,)]
    assert [one.text for one in await recent(home)] in (["openly", "A wind."], ["A wind.", "openly"])


@pytest.mark.parametrize("channel", ["D1", "G1"])
async def test_a_channel_that_its_id_shows_to_be_private_is_not_read(home: House, channel: str) -> None:
    await home.hear(message("among us", "1", channel=channel, source_id=f"{channel}:1", root=f"{channel}:1"))
    assert home.rows("SELECT kind FROM conversation") == [("thread",)]
    assert await recent(home, channel) == []


async def test_chains_of_replies_and_chats_are_read_each_in_its_own_channel(tmp_path: Path) -> None:
    chat = {"kind": ConversationKind.CHAT, "channel": "77", "root": "77"}
    async with house(tmp_path, platform=FakePlatform("discord")) as home:
        await home.hear(chained("in the channel", "1"), chained("in its thread", "2", **chat))
        assert await said_by_people(home, "55", workspace=GUILD) == ["in the channel"]
        assert await said_by_people(home, "77", workspace=GUILD) == ["in its thread"]


async def test_what_lies_before_a_reset_and_commands_are_not_read(home: House) -> None:
    await home.hear(message("old", "1"), said("reset", "2", mentioned=True), said("new", "3"))
    await home.hear(said("help", "4", mentioned=True))
    assert await said_by_people(home) == ["new"]


async def test_what_was_deleted_or_said_nothing_is_not_read(home: House) -> None:
    await home.hear(message("kept", "1"), message("deleted", "2"), message("emptied", "3"))
    changed(home, "UPDATE message SET deleted_at = sent_at WHERE text = 'deleted'")
    changed(home, "UPDATE message SET text = '' WHERE text = 'emptied'")
    assert await said_by_people(home) == ["kept"]


async def test_a_person_whose_name_is_gone_is_someone(home: House) -> None:
    await home.hear(message("hello", "1"))
    changed(home, "UPDATE person SET name = NULL")
    assert [one.author for one in await recent(home) if one.author] == ["someone"]


async def test_a_long_message_is_read_in_part(home: House) -> None:
    await home.hear(message("é" * (TEXT_SHOWN + 5), "1"))
    assert await said_by_people(home) == ["é" * TEXT_SHOWN]


async def test_a_channel_without_conversations_has_no_messages(home: House) -> None:
    await home.hear(message())
    assert await recent(home, "C404") == []
