"""What Slack sends, as messages of the core."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from bots.slack.choosing import Choose, Set
from bots.slack.commands import SUBCOMMANDS, Ask, Help, Usage, parse
from bots.slack.files import may_get_token
from bots.slack.inbound import Bot, Profile, command_to_message, is_for_bot, people_in, to_message, to_press
from bots.slack.markup import plain
from core.messages import ConversationKind, IncomingMessage, Notice, WorkspaceKey

BOT = Bot(WorkspaceKey("slack", "T1"), user="UBISE", bot_id="BBISE", team="T1")
ADA = {"UADA": Profile("Ada", "T1")}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "channel": "C1",
        "channel_type": "channel",
        "user": "UADA",
        "team": "T1",
        "ts": "1700000000.000200",
        "text": "<@UBISE> hello",
        **fields,
    }


def received(profiles: dict[str, Profile] | None = None, bot: Bot = BOT, **fields: Any) -> IncomingMessage | None:
    body = {"type": "event_callback", "team_id": "T1", "event": event(**fields)}
    return to_message(body, bot, ADA if profiles is None else profiles)


def message(profiles: dict[str, Profile] | None = None, bot: Bot = BOT, **fields: Any) -> IncomingMessage:
    found = received(profiles, bot, **fields)
    assert found is not None
    return found


def test_a_mention_at_top_level_is_its_own_root() -> None:
    found = message()
    assert (found.kind, found.root, found.source_id) == (
        ConversationKind.THREAD,
        "C1:1700000000.000200",
        "C1:1700000000.000200",
    )
    assert found.mentioned
    assert found.text == "hello"
    assert found.author.name == "Ada"
    assert found.sent_at == datetime.fromtimestamp(1700000000.0002, UTC)
    assert found.address == {"channel": "C1", "thread_ts": "1700000000.000200", "team": "T1", "user": "UADA"}


def test_a_message_in_a_thread_has_the_threads_root_and_is_answered_there() -> None:
    found = message(thread_ts="1700000000.000100", text="and then?")
    assert found.root == "C1:1700000000.000100"
    assert found.address["thread_ts"] == "1700000000.000100"
    assert not found.mentioned


def test_the_twin_events_of_one_post_are_one_source() -> None:
    assert message(type="app_mention", channel_type=None).source_id == message().source_id
    assert message(type="app_mention", channel_type=None).mentioned


def test_a_direct_message_finds_its_conversation_by_the_thread_it_replies_in() -> None:
    first = message(channel="D1", channel_type="im", text="hello")
    assert (first.kind, first.root, first.reply_to) == (ConversationKind.DM, None, None)
    assert first.address["thread_ts"] == "1700000000.000200"
    second = message(channel="D1", channel_type="im", text="more", thread_ts="1700000000.000100")
    assert (second.root, second.reply_to) == (None, "D1:1700000000.000100")


@pytest.mark.parametrize(
    "fields",
    [
        {"bot_id": "BOTHER"},
        {"user": "USLACKBOT"},
        {"user": "UBISE"},
        {"user": None},
        {"subtype": "message_changed"},
        {"subtype": "message_deleted"},
        {"subtype": "channel_join"},
        {"subtype": "bot_message"},
        {"hidden": True},
        {"type": "reaction_added"},
        {"ts": None},
    ],
)
def test_what_no_person_wrote_is_no_message(fields: dict[str, Any]) -> None:
    assert received(**fields) is None
    assert not is_for_bot(event(**fields), BOT)


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", None])
def test_files_and_broadcasts_are_messages(subtype: str | None) -> None:
    assert received(subtype=subtype) is not None


def test_a_file_without_words_comes_with_its_attachment() -> None:
    file = {
        "id": "F1",
        "name": "a.png",
        "mimetype": "image/png",
        "size": 12,
        "url_private": "https://files.slack.com/a",
    }
    found = message(subtype="file_share", text="", files=[file], channel="D1", channel_type="im")
    (attachment,) = found.attachments
    assert (attachment.id, attachment.name, attachment.mime, attachment.size) == ("F1", "a.png", "image/png", 12)
    assert attachment.url == "https://files.slack.com/a"


def test_a_file_that_must_be_asked_for_has_no_address() -> None:
    found = message(files=[{"id": "F1", "file_access": "check_file_info"}])
    assert (found.attachments[0].id, found.attachments[0].url) == ("F1", "")


def test_a_guest_and_another_organisations_person_are_external() -> None:
    assert message({"UADA": Profile("Gus", "T1", guest=True)}).author.external
    assert message({"UADA": Profile("Olga", "T2")}).author.external
    assert message({}, user_team="T2").author.external
    assert not message({}, user_team="T1").author.external
    assert not message().author.external


def test_a_colleague_in_a_sister_team_of_the_grid_is_not_external() -> None:
    grid = Bot(BOT.workspace, BOT.user, BOT.bot_id, "T1", enterprise="E1")
    assert not message({"UADA": Profile("Ada", "T9", enterprise="E1")}, grid, user_team="T9").author.external
    assert not message({}, grid, user_team="E1").author.external
    assert message({}, grid, user_team="E2").author.external
    assert message({"UADA": Profile("Olga", "T8", enterprise="E2")}, grid).author.external


def test_the_workspace_is_the_installation_and_the_recipients_team_is_the_askers() -> None:
    found = message({"UADA": Profile("Olga", "T2")}, user_team="T2", team="T2")
    assert found.workspace == WorkspaceKey("slack", "T1")
    assert found.address["team"] == "T2"


def test_an_admin_elsewhere_is_no_admin_here() -> None:
    assert message({"UADA": Profile("Ada", "T1", admin=True)}).author.admin
    assert not message({"UADA": Profile("Olga", "T2", admin=True)}).author.admin


def test_an_admin_by_settings_is_an_admin() -> None:
    found = to_message({"event": event()}, BOT, {}, frozenset({"UADA"}))
    assert found is not None
    assert found.author.admin
    assert found.author.name == "UADA"


def test_naming_somebody_else_is_noticed() -> None:
    assert message(text="<@UBISE> ask <@UGRACE>").names_others
    assert message(text="<!subteam^S1|@team> look").names_others
    assert not message(text="<@UBISE> hello").names_others


def test_author_and_mentioned_people_are_looked_up_once_each() -> None:
    assert people_in(event(text="<@UBISE> <@UGRACE> <@UADA> <@UGRACE>"), BOT) == ("UADA", "UGRACE")


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("<@UBISE> hi", "hi"),
        ("<@UBISE>: hi", "hi"),
        ("<@UBISE|bise>, hi", "hi"),
        ("so <@UBISE> what now", "so what now"),
        ("ask <@UGRACE> or <@U9|nine>", "ask @Grace or @nine"),
        ("<@U8> who", "@U8 who"),
        ("see <#C2|general> and <#C3>", "see #general and #C3"),
        ("<!here> <!subteam^S1|@team> <!date^1^{date}|noon>", "@here @team noon"),
        ("<https://a.example/x?a=1&amp;b=2>", "https://a.example/x?a=1&b=2"),
        ("<https://a.example|a.example>", "https://a.example"),
        ("<https://a.example|here>", "here (https://a.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&lt;@UGRACE&gt; &amp;lt;", "<@UGRACE> &lt;"),
        ("  <@UBISE>  ", ""),
        ("<@UBISE>\n```\n  x\n```", "```\n  x\n```"),
    ],
)
def test_slacks_markup_becomes_plain_words(wire: str, words: str) -> None:
    assert plain(wire, "UBISE", {"UGRACE": "Grace"}) == words


def test_a_command_is_a_private_question_known_by_its_trigger() -> None:
    command = {
        "team_id": "T1",
        "channel_id": "C1",
        "user_id": "UADA",
        "user_name": "ada",
        "trigger_id": "t.1",
        "response_url": "https://hooks.slack.com/x",
    }
    now = datetime(2026, 1, 1, tzinfo=UTC)
    found = command_to_message(command, "1 &lt; 2?", BOT, {}, frozenset(), now)
    assert (found.kind, found.source, found.source_id) == (ConversationKind.PRIVATE, "command", "t.1")
    assert (found.text, found.author.name, found.sent_at) == ("1 < 2?", "ada", now)
    assert found.address["response_url"] == "https://hooks.slack.com/x"
    assert found == command_to_message(command, "1 &lt; 2?", BOT, {}, frozenset(), now)


def test_a_press_carries_its_control_and_who_pressed() -> None:
    user = {"id": "UADA", "username": "ada", "team_id": "T1"}
    press = to_press({"user": user, "actions": [{"action_id": "bise:control", "value": "c1"}]}, BOT, {}, frozenset())
    assert press is not None
    assert (press.control, press.person.id, press.person.name) == ("c1", "UADA", "ada")
    assert to_press({"user": user, "actions": [{"action_id": "bise:control"}]}, BOT, {}, frozenset()) is None


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", Help()),
        ("help", Help()),
        ("  HELP me", Help()),
        ("usage", Usage()),
        ("ask what is a quine?", Ask("what is a quine?")),
        ("ask\nfirst\nsecond", Ask("first\nsecond")),
        ("assistant", Choose("assistant")),
        ("Assistant code-review", Choose("assistant", "code-review")),
        ("model  best ", Choose("model", "best")),
        ("settings", Set()),
        ("settings recent-messages  on", Set("recent-messages", "on")),
        ("settings Assistant", Set("assistant")),
    ],
)
def test_subcommands_are_read(text: str, meaning: object) -> None:
    assert parse(text) == meaning


def test_an_unknown_subcommand_names_itself_and_an_empty_question_shows_an_example() -> None:
    unknown = parse("frobnicate now")
    assert isinstance(unknown, Help)
    assert unknown.notice == Notice("unknown_subcommand", {"name": "frobnicate", "known": ", ".join(SUBCOMMANDS)})
    empty = parse("ask   ")
    assert isinstance(empty, Notice)
    assert empty.name == "empty_prompt"


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://files.slack.com/files-pri/T1-F1/a.png", True),
        ("https://acme.enterprise.slack.com/files/a", True),
        ("https://a.slack-edge.com/a", True),
        ("https://slack-files.com/a", True),
        ("http://files.slack.com/a", False),
        ("https://evilslack.com/a", False),
        ("https://slack.com.evil.example/a", False),
        ("https://files.slack.com@evil.example/a", False),
        ("https://u:p@files.slack.com/a", False),
        ("http://127.0.0.1:9/a", False),
        ("file:///etc/passwd", False),
        ("", False),
    ],
)
def test_the_token_goes_to_slacks_hosts_only(url: str, allowed: bool) -> None:
    assert may_get_token(url, "https://slack.com/api/") is allowed


def test_the_token_goes_to_the_simulator_that_the_settings_name() -> None:
    assert may_get_token("http://127.0.0.1:9/slack/files/a", "http://127.0.0.1:9/slack/api/")
    assert not may_get_token("http://127.0.0.1:10/slack/files/a", "http://127.0.0.1:9/slack/api/")
    assert not may_get_token("http://files.example:9/a", "http://files.example:9/api/")
