"""Who is addressed: INTERFACE.md, "Who is addressed", line by line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.messages import ConversationKind, IncomingMessage
from core.turns.addressing import Decision, FollowUps, Standing, decide
from tests.fakes import message

MENTION = message()
PLAIN = message(mentioned=False, root="C1:0")
OURS = Standing(ConversationKind.THREAD, begun_with_bot=True, left=False, by_asker=True, others_since=False)


@pytest.mark.parametrize("kind", list(ConversationKind))
@pytest.mark.parametrize("follow_ups", ["asker", "all", "off"])
@pytest.mark.parametrize("standing", [None, OURS, replace(OURS, left=True), replace(OURS, begun_with_bot=False)])
def test_a_mention_is_always_a_question(
    kind: ConversationKind, follow_ups: FollowUps, standing: Standing | None
) -> None:
    assert decide(replace(MENTION, kind=kind), standing, follow_ups) == "ask"


@pytest.mark.parametrize("kind", [ConversationKind.DM, ConversationKind.PRIVATE, ConversationKind.TERMINAL])
def test_what_is_said_to_the_bot_alone_is_always_a_question(kind: ConversationKind) -> None:
    assert decide(replace(PLAIN, kind=kind), None, "off") == "ask"


@pytest.mark.parametrize("kind", [ConversationKind.THREAD, ConversationKind.CHAIN, ConversationKind.CHAT])
def test_what_is_said_where_the_bot_is_not_is_ignored(kind: ConversationKind) -> None:
    assert decide(replace(PLAIN, kind=kind), None, "all") == "ignore"


def test_a_chain_of_replies_goes_on_by_replying_alone() -> None:
    standing = replace(OURS, kind=ConversationKind.CHAIN)
    assert decide(replace(PLAIN, kind=ConversationKind.CHAIN), standing, "all") == "ignore"


@pytest.mark.parametrize("follow_ups", ["asker", "all", "off"])
def test_every_message_in_a_chat_thread_is_a_question(follow_ups: FollowUps) -> None:
    chat = Standing(ConversationKind.CHAT, begun_with_bot=False, left=False, by_asker=False, others_since=True)
    noisy = replace(PLAIN, kind=ConversationKind.THREAD, names_others=True)
    assert decide(noisy, chat, follow_ups) == "ask"


STRANGER = replace(OURS, by_asker=False)
DISTURBED = replace(OURS, others_since=True)
CALLED_IN = replace(OURS, begun_with_bot=False)
NAMING = replace(PLAIN, names_others=True)


@pytest.mark.parametrize(
    ("said", "standing", "follow_ups", "decision"),
    [
        (PLAIN, OURS, "asker", "ask"),
        (NAMING, OURS, "asker", "context"),
        (PLAIN, STRANGER, "asker", "context"),
        (PLAIN, DISTURBED, "asker", "context"),
        (PLAIN, OURS, "all", "ask"),
        (NAMING, STRANGER, "all", "ask"),
        (PLAIN, DISTURBED, "all", "ask"),
        (PLAIN, OURS, "off", "context"),
        (PLAIN, CALLED_IN, "asker", "context"),
        (PLAIN, CALLED_IN, "all", "context"),
        (PLAIN, replace(OURS, left=True), "all", "ignore"),
    ],
)
def test_a_thread_begun_with_the_bot_goes_on_as_the_setting_says(
    said: IncomingMessage, standing: Standing, follow_ups: FollowUps, decision: Decision
) -> None:
    assert decide(said, standing, follow_ups) == decision
