"""Choosing on a real database: conversation before channel before workspace, each workspace for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import WrongUse
from core.messages import DISCORD_DM, ConversationKind, IncomingMessage, Notice, WorkspaceKey
from core.store import choices, workspaces
from core.store.choices import Chosen, What
from core.store.database import Connection
from tests.fakes import ADA, BEN, GUEST, TEAM, FakePlatform, House, chained, direct, house, message, said

OTHER_TEAM = WorkspaceKey("slack", "T2")


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[House]:
    """The same on Discord."""
    async with house(tmp_path, platform=FakePlatform("discord")) as home:
        yield home


async def chosen(home: House, conversation: int | None = None, channel: str = "C1", key: WorkspaceKey = TEAM) -> Chosen:
    def look(connection: Connection) -> Chosen:
        workspace = workspaces.find(connection, key)
        assert workspace is not None
        return choices.chosen(connection, workspace, channel, conversation)

    return await home.core.database.read(look)


def last_notice(home: House) -> Notice:
    answer = home.platform.replies[-1].answer
    assert answer is not None
    return answer.notices[-1]


# in a conversation


@pytest.mark.parametrize(("what", "name"), [("assistant", "creative"), ("model", "mistral-small-2603")])
async def test_a_mention_chooses_for_its_conversation_alone(home: House, what: What, name: str) -> None:
    await home.hear(message(), message(id="2"), message(f"{what} {name}", "3", root="C1:1"))
    assert getattr(await chosen(home, 1), what) == name
    assert getattr(await chosen(home, 1), f"{what}_by") == "conversation"
    assert await chosen(home, 2) == await chosen(home) == Chosen()
    assert last_notice(home).name == "choice_holds"
    assert last_notice(home).values["name"] == name
    assert last_notice(home).values["by"] == last_notice(home).values["place"] == "conversation"


async def test_a_choice_that_begins_a_thread_holds_in_it(home: House) -> None:
    await home.hear(message("assistant translate", "1"), said("Guten Tag", "2"))
    assert (await chosen(home, 1)).assistant == "translate"
    assert home.rows("SELECT count(*) FROM conversation") == [(1,)]


async def test_the_word_alone_tells_what_holds_and_changes_nothing(home: House) -> None:
    await home.hear(message("assistant creative"), message("assistant", "2", root="C1:1"))
    assert last_notice(home).values["name"] == "creative"
    assert "code-review" in str(last_notice(home).values["known"])
    await home.hear(message("model", "3", root="C1:1"))
    assert last_notice(home).values["name"] == "mistral-large-2512"
    assert (await chosen(home, 1)).assistant == "creative"


async def test_the_word_default_takes_a_choice_back(home: House) -> None:
    await home.hear(message("model best"), message("model default", "2", root="C1:1"))
    assert await chosen(home, 1) == Chosen()
    assert (last_notice(home).values["chosen"], last_notice(home).values["by"]) == (1, "")


async def test_an_unknown_name_is_told_and_chooses_nothing(home: House) -> None:
    await home.hear(message("assistant creative"), message("assistant creativ", "2", root="C1:1"))
    assert last_notice(home).name == "choice_unknown"
    assert last_notice(home).values["near"] == "creative"
    assert (await chosen(home, 1)).assistant == "creative"
    await home.hear(message("model gpt-4", "3", root="C1:1"))
    assert last_notice(home).name == "choice_unknown"
    assert (await chosen(home, 1)).model is None


async def test_two_words_that_choose_nothing_are_an_answer_where_nobody_mentioned_the_bot(home: House) -> None:
    await home.hear(message("What do I build?"), said("model trains", "2"))
    assert home.platform.told() == []
    await home.hear(said("model mistral-smal-2603", "3"))
    assert home.platform.told() == ["choice_unknown"]


async def test_where_any_name_is_a_model_only_a_mention_or_a_direct_message_chooses_one(tmp_path: Path) -> None:
    server: dict[str, Any] = {"self_hosted": True, "mistral_base_url": "http://127.0.0.1:1", "chosen": "m1"}
    async with house(tmp_path, **server) as home:
        await home.hear(message("What do I build?"), said("model trains", "2"))
        assert home.platform.told() == []
        assert (await chosen(home, 1)).model is None
        await home.hear(said("model trains", "3", mentioned=True), direct("model planes", "4"))
        assert home.platform.told() == ["choice_holds"]
        assert ((await chosen(home, 1)).model, (await chosen(home, 2)).model) == ("trains", "planes")


async def test_a_guest_who_is_not_answered_chooses_nothing(home: House) -> None:
    await home.hear(message("assistant creative", author=GUEST))
    assert home.platform.told() == ["external"]
    assert await chosen(home, 1) == Chosen()


async def test_in_a_chain_of_replies_a_choice_is_for_ones_newest_or_begins_one(server: House) -> None:
    discord = chained("Hi", "10").workspace
    await server.hear(chained("assistant creative", "10"))
    assert (await chosen(server, 1, "55", discord)).assistant == "creative"
    await server.hear(chained("assistant translate", "11"))
    assert (await chosen(server, 1, "55", discord)).assistant == "translate"
    await server.hear(chained("assistant creative", "12", author=BEN))
    assert (await chosen(server, 2, "55", discord)).assistant == "creative"


async def test_a_choice_survives_a_restart(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.hear(message("assistant creative"))
        await home.core.choices.choose_for_channel("model", "best", TEAM, "C1", ADA)
    async with house(tmp_path) as again:
        held = await again.core.choices.holding(TEAM, "C1", 1)
        assert (held.assistant.name, held.model) == ("creative", "mistral-medium-3-5")
        assert (held.assistant_by, held.model_by) == ("conversation", "channel")


# with a question


def asked(id: str, **changes: object) -> IncomingMessage:  # noqa: A002
    fields = {"source": "interaction", "source_id": id, "kind": ConversationKind.PRIVATE, "root": None}
    return replace(message("Hello", id), **(fields | changes))  # type: ignore[arg-type]


async def test_what_comes_with_a_question_is_kept_and_the_last_word_wins(server: House) -> None:
    place = {"workspace": DISCORD_DM, "kind": ConversationKind.DM, "channel": "9", "root": "dm"}
    await server.hear(asked("1", assistant="creative", model="best", **place), asked("2", **place))
    assert await chosen(server, 1, "9", DISCORD_DM) == Chosen("creative", "best", False, "conversation", "conversation")
    await server.hear(asked("3", assistant="Translate", model="default", **place))
    assert await chosen(server, 1, "9", DISCORD_DM) == Chosen("translate", None, False, "conversation")


async def test_an_unknown_name_with_a_question_is_refused_before_anything_is_stored(home: House) -> None:
    with pytest.raises(WrongUse, match="no assistant “creativ”"):
        await home.core.accept(asked("1", assistant="creativ"))
    with pytest.raises(WrongUse, match="no model “gpt-4”"):
        await home.core.accept(asked("1", model="gpt-4"))
    assert home.rows("SELECT count(*) FROM message") == [(0,)]


# for a channel and a workspace


async def test_a_channels_choice_holds_where_no_conversation_chose_also_in_older_ones(home: House) -> None:
    await home.hear(message(), message("assistant translate", "2"))
    notice = await home.core.choices.choose_for_channel("assistant", "creative", TEAM, "C1", BEN)
    assert (notice.name, notice.values["name"], notice.values["by"]) == ("choice_holds", "creative", "channel")
    assert (await chosen(home, 1)).assistant == "creative"
    assert (await chosen(home, 2)).assistant == "translate"
    assert (await chosen(home, None, "C2")).assistant is None
    assert home.rows("SELECT p.external_id FROM channel_choice c JOIN person p ON p.id = c.set_by") == [(BEN.id,)]


async def test_assistant_and_model_are_chosen_each_on_its_own(home: House) -> None:
    await home.hear(message("model economy"))
    await home.core.choices.choose_for_channel("assistant", "creative", TEAM, "C1", ADA)
    await home.core.choices.choose_for_workspace("assistant", "translate", TEAM)
    await home.core.choices.choose_for_workspace("model", "best", TEAM)
    assert await chosen(home, 1) == Chosen("creative", "economy", False, "channel", "conversation")
    assert await chosen(home) == Chosen("creative", "best", False, "channel", "workspace")
    assert await chosen(home, None, "C2") == Chosen("translate", "best", False, "workspace", "workspace")


async def test_a_channels_choice_taken_back_uncovers_the_workspaces(home: House) -> None:
    own = home.core.choices
    await own.choose_for_workspace("assistant", "translate", TEAM)
    await own.choose_for_channel("assistant", "creative", TEAM, "C1", ADA)
    await own.choose_for_channel("model", "best", TEAM, "C1", ADA)
    notice = await own.choose_for_channel("assistant", "default", TEAM, "C1", ADA)
    assert (notice.values["name"], notice.values["by"]) == ("translate", "workspace")
    assert await chosen(home) == Chosen("translate", "best", False, "workspace", "channel")


async def test_equal_channels_of_two_workspaces_know_nothing_of_each_other(home: House) -> None:
    await home.hear(message("model economy"), message(id="1", workspace=OTHER_TEAM))
    await home.core.choices.choose_for_channel("assistant", "creative", TEAM, "C1", ADA)
    await home.core.choices.choose_for_workspace("model", "best", TEAM)
    await home.core.choices.allow_recent_messages(TEAM, allowed=True)
    assert await chosen(home, 1) == Chosen("creative", "economy", True, "channel", "conversation")
    assert await chosen(home, None) == Chosen("creative", "best", True, "channel", "workspace")
    assert await chosen(home, 2, key=OTHER_TEAM) == await chosen(home, None, key=OTHER_TEAM) == Chosen()
    assert await chosen(home, 1, "C9", OTHER_TEAM) == Chosen(), "a conversation of another workspace is none"


async def test_a_thread_of_discord_follows_the_channel_that_it_hangs_in(server: House) -> None:
    discord = chained("Hi", "10").workspace
    thread = {"kind": ConversationKind.CHAT, "channel": "77", "root": "77", "parent_channel": "55"}
    await server.hear(chained("Hi", "10", **thread))
    await server.core.choices.choose_for_channel("assistant", "creative", discord, "55", ADA)
    assert (await chosen(server, 1, "77", discord)).assistant == "creative"


async def test_recent_messages_are_off_until_a_workspace_turns_them_on(home: House) -> None:
    await home.hear(message())
    assert not (await chosen(home, 1)).recent_messages
    assert (await home.core.choices.allow_recent_messages(TEAM, allowed=True)).name == "recent_messages_on"
    assert (await chosen(home, 1)).recent_messages
    assert (await home.core.choices.workspace_told(TEAM)).values["recent"] == 1
    assert (await home.core.choices.allow_recent_messages(TEAM, allowed=False)).name == "recent_messages_off"
    assert not (await chosen(home, 1)).recent_messages


async def test_a_wrong_name_for_a_channel_or_a_workspace_is_told_and_stores_nothing(home: House) -> None:
    own = home.core.choices
    assert (await own.choose_for_channel("assistant", "creativ", TEAM, "C1", ADA)).name == "choice_unknown"
    assert (await own.choose_for_workspace("model", "gpt-4", TEAM)).name == "choice_unknown"
    assert home.rows("SELECT count(*) FROM workspace") == home.rows("SELECT count(*) FROM channel_choice") == [(0,)]


async def test_a_place_where_nothing_was_ever_said_has_what_is_set_up(home: House) -> None:
    held = await home.core.choices.holding(OTHER_TEAM, "C404")
    assert (held.assistant.name, held.model, held.assistant_by) == ("default", "mistral-large-2512", None)


async def test_a_choice_that_the_operator_has_taken_away_counts_as_none(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[[assistant]]\nname = "lawyer"\ndescription = "x"\nprompt = "x"\n')
    async with house(tmp_path, assistants_file=own) as home:
        await home.hear(message("assistant lawyer"))
        assert (await home.core.choices.holding(TEAM, "C1", 1)).assistant.name == "lawyer"
    async with house(tmp_path) as without:
        held = await without.core.choices.holding(TEAM, "C1", 1)
        assert (held.assistant.name, held.assistant_by) == ("default", None)


async def test_direct_messages_choose_like_any_conversation(home: House) -> None:
    await home.hear(direct("assistant creative", "1"), direct("Hello", "2"))
    assert (await chosen(home, 1, "D1")).assistant == "creative"
    assert home.rows("SELECT count(*) FROM conversation") == [(1,)]


async def test_help_lists_the_assistants(home: House) -> None:
    await home.hear(message("help"))
    assert "code-review" in str(last_notice(home).values["assistants"])


async def test_words_are_said_to_train_models_only_where_mistrals_own_api_answers(tmp_path: Path) -> None:
    server: dict[str, Any] = {"self_hosted": True, "mistral_base_url": "http://127.0.0.1:1", "chosen": "m1"}
    async with house(tmp_path, mistral_plan="experiment", **server) as home:
        await home.hear(message("help"))
        assert last_notice(home).values["training"] == 0
    async with house(tmp_path, mistral_plan="experiment") as home:
        await home.hear(message("help", "2"))
        assert last_notice(home).values["training"] == 1
