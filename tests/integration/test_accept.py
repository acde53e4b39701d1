"""Accepting messages on a real database: once each, in the right conversation, addressed or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.messages import Accepted, Attachment, ConversationKind, IncomingMessage, WorkspaceKey
from tests.databases import Place, house
from tests.fakes import ADA, BEN, GUEST, House, ScriptedModel, chained, direct, message, said

HALF_AN_HOUR = 1800


@pytest.fixture
async def home(place: Place) -> AsyncIterator[House]:
    """A core that accepts but runs nothing."""
    async with house(place, started=False) as home:
        yield home


async def outcomes(home: House, *heard: IncomingMessage) -> list[str]:
    return [(await home.core.accept(one)).outcome for one in heard]


def stored(home: House) -> list[tuple[str, str, str]]:
    return home.rows("SELECT source_id, role, text FROM message ORDER BY id")


# once, whatever the number of deliveries


async def test_a_second_delivery_is_a_duplicate_and_makes_nothing(home: House) -> None:
    first, second = await home.core.accept(message()), await home.core.accept(message())
    assert first == Accepted("turn", 1)
    assert second == Accepted("duplicate")
    assert home.rows("SELECT count(*) FROM message") == home.rows("SELECT count(*) FROM turn") == [(1,)]


async def test_twenty_deliveries_at_once_make_one_turn(home: House) -> None:
    accepted = await asyncio.gather(*(home.core.accept(message()) for _ in range(20)))
    assert sorted(one.outcome for one in accepted) == ["duplicate"] * 19 + ["turn"]
    assert home.rows("SELECT count(*) FROM turn") == [(1,)]


@pytest.mark.parametrize("mention_first", [True, False])
async def test_a_message_and_its_twin_make_one_turn_in_either_order(home: House, mention_first: bool) -> None:
    twins = [message(), message(mentioned=False)]
    assert await outcomes(home, *(twins if mention_first else reversed(twins))) == (
        ["turn", "duplicate"] if mention_first else ["ignored", "turn"]
    )
    assert home.rows("SELECT count(*) FROM turn") == [(1,)]


async def test_a_twin_that_brings_the_mention_turns_stored_context_into_a_turn(home: House) -> None:
    by_ben = said("And in Nice?", "2", author=BEN)
    assert await outcomes(home, message(), by_ben, by_ben) == ["turn", "context", "duplicate"]
    assert await outcomes(home, *[replace(by_ben, mentioned=True)] * 2, by_ben) == ["turn", "duplicate", "duplicate"]
    assert home.rows("SELECT addressed, seq FROM message WHERE source_id = 'C1:2'") == [(1, 2)]
    assert home.rows("SELECT count(*) FROM turn") == [(2,)]


async def test_twins_that_come_at_once_make_one_turn(home: House) -> None:
    await home.core.accept(message())
    twin = said("And in Nice?", "2", author=BEN)
    await asyncio.gather(*(home.core.accept(replace(twin, mentioned=number % 2 == 0)) for number in range(20)))
    assert home.rows("SELECT count(*) FROM turn") == [(2,)]
    assert home.rows("SELECT count(*) FROM message") == [(2,)]


async def test_the_same_id_in_another_workspace_is_another_message(home: House) -> None:
    elsewhere = message(workspace=WorkspaceKey("slack", "T2"))
    assert await outcomes(home, message(), elsewhere) == ["turn", "turn"]
    assert home.rows("SELECT count(DISTINCT workspace_id) FROM conversation") == [(2,)]


# who is addressed


async def test_talk_in_a_thread_that_nobody_called_us_into_is_not_stored(home: House) -> None:
    assert await outcomes(home, said("Hello all", "5"), said("Hi", "6", root="5")) == ["ignored", "ignored"]
    count = "SELECT (SELECT count(*) FROM workspace) + (SELECT count(*) FROM person) + (SELECT count(*) FROM message)"
    assert home.rows(count) == [(0,)]


async def test_the_asker_goes_on_without_a_mention_until_somebody_else_writes(home: House) -> None:
    assert await outcomes(
        home,
        message(),
        said("Is it cold?", "2"),
        said("I think so", "3", author=BEN),
        said("Really?", "4"),
        said("And you, Bise?", "5", mentioned=True),
        said("How cold?", "6"),
    ) == ["turn", "turn", "context", "context", "turn", "turn"]


async def test_a_message_to_somebody_else_is_context(home: House) -> None:
    assert await outcomes(home, message(), said("Ben, look", "2", names_others=True), said("So?", "3")) == [
        "turn",
        "context",
        "turn",
    ]


async def test_where_all_are_answered_anybody_may_go_on(place: Place) -> None:
    async with house(place, started=False, follow_ups="all") as home:
        by_ben = said("And in Nice?", "2", author=BEN, names_others=True)
        assert await outcomes(home, message(), by_ben, said("So?", "3")) == ["turn"] * 3


async def test_where_follow_ups_are_off_only_mentions_are_answered(place: Place) -> None:
    async with house(place, started=False, follow_ups="off") as home:
        assert await outcomes(home, message(), said("So?", "2")) == ["turn", "context"]


async def test_in_a_thread_that_it_was_called_into_only_mentions_are_answered(home: House) -> None:
    called = said("Bise, help us", "2", mentioned=True)
    assert await outcomes(home, called, said("Thanks", "3"), said("More", "4", mentioned=True)) == [
        "turn",
        "context",
        "turn",
    ]


async def test_after_leave_nothing_is_heard_until_the_next_mention(home: House) -> None:
    leave = said("leave", "2", mentioned=True)
    assert await outcomes(home, message(), leave, said("So?", "3")) == ["turn", "turn", "ignored"]
    assert await outcomes(home, said("Back?", "4", mentioned=True), said("Good", "5")) == ["turn", "turn"]
    assert [row[0] for row in stored(home)] == ["C1:1", "C1:2", "C1:4", "C1:5"]


async def test_every_message_in_a_chat_thread_is_answered(home: House) -> None:
    opening = message("Winds", "1", kind=ConversationKind.CHAT, source="interaction", root="C1:thread")
    by_ben = said("Hello", "2", root="thread", author=BEN, names_others=True)
    assert await outcomes(home, opening, by_ben) == ["turn", "turn"]


# where it belongs


async def test_direct_messages_within_fifteen_minutes_go_on_in_one_conversation(home: House) -> None:
    await home.core.accept(direct("Hello", "1"))
    home.clock.advance(14 * 60)
    await home.core.accept(direct("Again", "2"))
    home.clock.advance(16 * 60)
    await home.core.accept(direct("Later", "3"))
    assert home.rows("SELECT conversation_id FROM message ORDER BY id") == [(1,), (1,), (2,)]


async def test_a_reply_in_a_direct_message_finds_its_conversation_at_any_age(home: House) -> None:
    await home.core.accept(direct("Hello", "1"))
    home.clock.advance(HALF_AN_HOUR)
    await home.core.accept(direct("News", "2"))
    await home.core.accept(direct("About the first", "3", reply_to="D1:1"))
    assert home.rows("SELECT conversation_id FROM message ORDER BY id") == [(1,), (2,), (1,)]


async def test_each_private_answer_is_a_conversation_of_its_own(home: House) -> None:
    private = {"source": "command", "kind": ConversationKind.PRIVATE, "root": None}
    await outcomes(home, message("One", "1", **private), message("Two", "2", **private))
    assert home.rows("SELECT count(*) FROM conversation") == [(2,)]


async def test_a_chain_is_found_by_any_of_its_messages_and_by_a_post(place: Place) -> None:
    async with house(place) as home:
        home.core.attach(type(home.platform)("discord"))
        await home.hear(chained("First", "1"), chained("Second", "2", reply_to="1", author=BEN))
        await home.hear(chained("Third", "3", reply_to="post-of-1"), chained("Other", "4"))
        found = home.rows("SELECT source_id, conversation_id, parent_id FROM message WHERE role = 'person' ORDER BY id")
        (answer,) = home.rows("SELECT answer_id FROM turn WHERE id = 1")[0]
        assert found == [("1", 1, None), ("2", 1, 1), ("3", 1, answer), ("4", 2, None)]


async def test_a_reply_to_an_answer_that_is_not_there_yet_hangs_on_its_question(home: House) -> None:
    await home.core.accept(chained("First", "1"))
    row = (
        "INSERT INTO post (workspace_id, turn_id, ordinal, platform_id, start, closed) VALUES (1, 1, 0, 'P', 0, false)"
    )
    await home.core.database.write(lambda connection: connection.exec_driver_sql(row))
    await home.core.accept(chained("Hurry", "2", reply_to="P"))
    assert home.rows("SELECT conversation_id, parent_id FROM message WHERE source_id = '2'") == [(1, 1)]


# commands


@pytest.mark.parametrize("word", ["reset", "cost", "help", "leave"])
async def test_a_command_is_a_turn_that_no_history_shows(home: House, word: str) -> None:
    assert await outcomes(home, message(word.title() + "!")) == ["turn"]
    assert home.rows("SELECT command FROM turn") == [(word,)]
    assert home.rows("SELECT role FROM message") == [("command",)]


async def test_an_empty_mention_is_greeted(home: House) -> None:
    assert await outcomes(home, message(" \n ")) == ["turn"]
    assert home.rows("SELECT command FROM turn") == [("greeting",)]


async def test_a_picture_without_words_is_a_question(home: House) -> None:
    picture = Attachment("F1", "a.png", "image/png", 10, "https://files/a")
    await home.core.accept(message("", attachments=(picture,)))
    assert home.rows("SELECT command FROM turn") == [(None,)]
    assert home.rows("SELECT platform_id, state FROM attachment") == [("F1", "pending")]


async def test_a_hundred_thousand_characters_are_refused_and_nothing_of_them_is_stored(
    place: Place, home: House
) -> None:
    await home.core.accept(message("hushed " * 14_286))
    assert home.rows("SELECT command FROM turn") == [("too_long",)]
    assert stored(home) == [("C1:1", "command", "")]
    if not place.postgres:
        data = b"".join(file.read_bytes() for file in place.folder.iterdir())
        assert b"hushed" not in data


async def test_people_of_other_organisations_are_told_no_unless_they_are_allowed(place: Place) -> None:
    async with house(place, started=False) as home:
        await home.core.accept(message(author=GUEST))
        assert home.rows("SELECT command FROM turn") == [("external",)]
    async with house(place, started=False, allow_external=True) as home:
        await home.core.accept(message(id="2", author=GUEST))
        assert home.rows("SELECT command FROM turn ORDER BY id") == [("external",), (None,)]


async def test_only_allowed_workspaces_are_answered_and_their_words_alone_are_kept(place: Place) -> None:
    async with house(place, started=False, allowed_workspaces=("slack:T2",)) as home:
        there = replace(message(), workspace=WorkspaceKey("slack", "T2"))
        written = direct("Hello", "9", workspace=WorkspaceKey("discord", "dm"))
        assert await outcomes(home, message(), there, written) == ["turn"] * 3
        assert home.rows("SELECT command FROM turn ORDER BY id") == [
            ("workspace_not_allowed",),
            (None,),
            ("workspace_not_allowed",),
        ]
        kept = [text for (text,) in home.rows("SELECT text FROM message ORDER BY id")]
        assert [bool(text) for text in kept] == [False, True, False]


async def test_a_name_that_changed_is_known_and_an_unknown_one_does_not_overwrite_it(home: House) -> None:
    await outcomes(home, message(), said("So?", "2", author=replace(ADA, name="Ada L.")))
    await outcomes(home, said("And?", "3", author=replace(ADA, name=ADA.id)))
    assert home.rows("SELECT external_id, name FROM person") == [("U1", "Ada L.")]


async def test_reset_lets_the_history_begin_anew(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        await home.hear(message("Old", "1"), said("reset", "2", mentioned=True), said("New", "3"))
        assert home.platform.told(1) == ["reset"]
    assert model.prompts() == [[("user", "Ada: Old")], [("user", "Ada: New")]]


async def test_new_topic_in_a_direct_message_begins_anew(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        await home.hear(direct("Old", "1"), direct("New topic", "2"), direct("New", "3"))
    assert model.prompts() == [[("user", "Old")], [("user", "New")]]


async def test_reset_by_command_begins_anew_in_the_channels_newest_conversation(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        await home.hear(direct("Old", "1"))
        assert await home.core.reset(message().workspace, "D1")
        await home.hear(direct("New", "2"))
        assert not await home.core.reset(message().workspace, "C404")
        assert not await home.core.reset(WorkspaceKey("slack", "T404"), "D1")
    assert model.prompts()[1] == [("user", "New")]
