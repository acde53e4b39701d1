from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.playground.mistral import order, rules
from core.chat import ChatMessage, ChatRequest, ImagePart, TextPart, ToolCall
from core.errors import RequestRejected
from core.mistral.messages import BRIDGE, repaired
from core.mistral.tool_ids import ToolIds, fits, made_from
from core.mistral.wire import build_body

SYSTEM, USER = ChatMessage("system", "Be kind."), ChatMessage("user", "Hello")


def said(text: str, *calls: str, prefix: bool = False) -> ChatMessage:
    return ChatMessage("assistant", text, tuple(ToolCall(id_, "add", "{}") for id_ in calls), prefix=prefix)


def result(id_: str, text: str = "3") -> ChatMessage:
    return ChatMessage("tool", text, tool_call_id=id_, name="add")


def roles(messages: tuple[ChatMessage, ...]) -> str:
    return "".join(message.role[0] for message in messages)


def test_a_valid_order_stays_as_it_is() -> None:
    valid = (SYSTEM, USER, said("", "a", "b"), result("a"), result("b"), said("So."), USER)
    assert repaired(valid) == valid


def test_an_assistant_speaks_between_a_tool_and_a_user() -> None:
    messages = repaired((USER, said("", "a"), result("a"), USER))
    assert roles(messages) == "uatau"
    assert messages[3] == ChatMessage("assistant", BRIDGE)


def test_no_assistant_leads_not_even_after_the_system() -> None:
    assert repaired((SYSTEM, said("Hi"), said("", "a"), result("a"), USER)) == (SYSTEM, USER)


def test_the_last_message_is_a_users_a_tools_or_a_prefix() -> None:
    assert repaired((USER, said("So."))) == (USER,)
    assert roles(repaired((USER, said("", "a"), result("a")))) == "uat"
    assert repaired((USER, said("So", prefix=True)))[-1].prefix
    assert not repaired((USER, said("So", prefix=True), USER))[1].prefix


def test_neighbours_of_one_role_become_one() -> None:
    picture = ChatMessage("user", (ImagePart(b"", "image/png", 1, 1),))
    assert repaired((USER, USER))[0].content == "Hello\n\nHello"
    assert repaired((USER, picture))[0].content == (TextPart("Hello"), *picture.content)
    assert repaired((USER, said("One"), said("two", "a"), result("a")))[1] == said("One\n\ntwo", "a")


def test_a_tool_message_without_a_call_and_a_call_without_an_answer_go() -> None:
    assert repaired((USER, result("a"), USER)) == (ChatMessage("user", "Hello\n\nHello"),)
    assert repaired((USER, said("", "a", "b"), result("b"), result("b")))[1].tool_calls == said("", "b").tool_calls
    assert repaired((USER, said("", "a"), USER)) == (ChatMessage("user", "Hello\n\nHello"),)


def test_an_answer_that_came_late_goes_to_its_call_and_gets_its_name() -> None:
    late = ChatMessage("tool", "3", tool_call_id="a")
    assert roles(repaired((USER, said("", "a"), USER, late))) == "uatau"
    assert repaired((USER, said("", "a"), USER, late))[2].name == "add"


def test_an_id_used_again_belongs_to_the_latest_call() -> None:
    messages = (USER, said("", "a"), result("a", "first"), said("", "a"), result("a", "second"))
    assert repaired(messages) == messages


def test_the_systems_words_come_first() -> None:
    assert repaired((SYSTEM, USER, said("So."), SYSTEM, USER)) == (
        ChatMessage("system", "Be kind.\n\nBe kind."),
        USER,
        said("So."),
        USER,
    )


def test_without_a_user_nothing_is_sent() -> None:
    with pytest.raises(RequestRejected) as caught:
        build_body(ChatRequest("m", (SYSTEM, said("Hi")), max_tokens=5))
    assert caught.value.unbilled


IDS = st.sampled_from(["a", "b", "call_0", "abcdefghi", "null", ""])
TEXTS = st.sampled_from(["", "one", "two é", "three"])
CALLS = st.lists(st.builds(ToolCall, IDS, st.sampled_from(["add", "a b", ""]), st.sampled_from(["{}", "{", "3"])))
CONTENT = TEXTS | st.lists(st.builds(TextPart, TEXTS), max_size=2).map(tuple)
MESSAGES = st.one_of(
    st.builds(ChatMessage, st.just("system"), CONTENT),
    st.builds(ChatMessage, st.just("user"), CONTENT),
    st.builds(ChatMessage, st.just("assistant"), CONTENT, CALLS.map(tuple), prefix=st.booleans()),
    st.builds(ChatMessage, st.just("tool"), CONTENT, tool_call_id=st.none() | IDS),
)
CONVERSATIONS = st.lists(MESSAGES, max_size=10)


def words(messages: tuple[ChatMessage, ...] | list[ChatMessage], role: str) -> list[str]:
    found: list[str] = []
    for message in messages:
        if message.role == role:
            content = message.content
            parts = (content,) if isinstance(content, str) else tuple(getattr(part, "text", "") for part in content)
            found += [word for part in parts for word in part.split("\n\n") if word]
    return found


@settings(max_examples=500, deadline=None)
@given(CONVERSATIONS)
def test_repair_is_idempotent_and_loses_nothing_that_a_user_said(messages: list[ChatMessage]) -> None:
    once = repaired(messages)
    assert repaired(once) == once
    assert words(once, "user") == words(messages, "user")
    assert words(once, "system") == words(messages, "system")


@settings(max_examples=500, deadline=None)
@given(CONVERSATIONS)
def test_any_conversation_is_sent_in_an_order_that_mistral_takes(messages: list[ChatMessage]) -> None:
    request = ChatRequest("m", tuple(messages), max_tokens=5)
    if not any(message.role == "user" for message in messages):
        return
    body = json.loads(build_body(request))
    assert rules.misfits(body) == []
    assert order.refusal(body["messages"]) is None
    assert not any(one["role"] == other["role"] == "user" for one, other in pairwise(body["messages"]))


@settings(max_examples=300, deadline=None)
@given(CONVERSATIONS)
def test_ids_are_unique_nine_characters_stable_and_found_again(messages: list[ChatMessage]) -> None:
    conversation = repaired(messages)
    ids = ToolIds()
    sent = ids.outward(conversation)
    outward = [call.id for message in sent for call in message.tool_calls]
    assert len(set(outward)) == len(outward)
    assert all(re.fullmatch(r"[A-Za-z0-9]{9}", id_) for id_ in outward)
    own = [call.id for message in conversation for call in message.tool_calls]
    assert [ids.inward(id_) for id_ in outward] == own
    assert ToolIds().outward(conversation) == sent
    for length in range(len(conversation)):  # the prefix of a conversation is sent as it was before
        shorter = repaired(conversation[:length])
        if shorter == conversation[:length]:
            assert ToolIds().outward(shorter) == sent[:length]


@given(st.text(), st.sets(st.text()))
def test_a_made_id_fits_and_is_never_taken(word: str, taken: set[str]) -> None:
    first = made_from(word)
    assert fits(first)
    assert made_from(word) == first
    assert made_from(word, taken={first, *taken}) not in {first, *taken}


def test_an_id_that_fits_is_sent_as_it_is() -> None:
    sent = ToolIds().outward((USER, said("", "abcdefghi", "call_1"), result("abcdefghi"), result("call_1")))
    assert sent[1].tool_calls[0].id == sent[2].tool_call_id == "abcdefghi"
    assert sent[1].tool_calls[1].id == sent[3].tool_call_id == made_from("call_1")
    assert ToolIds().inward("never-sent") == "never-sent"


def test_a_fitting_id_used_twice_is_sent_as_two() -> None:
    again = (said("", "abcdefghi"), result("abcdefghi"))
    ids = ToolIds()
    sent = ids.outward(repaired((USER, *again, *again)))
    first, second = sent[1].tool_calls[0].id, sent[3].tool_calls[0].id
    assert (first, sent[2].tool_call_id) == ("abcdefghi", "abcdefghi")
    assert second == sent[4].tool_call_id != first
    assert ids.inward(second) == "abcdefghi"
