from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chat import ChatMessage, Delta, Finish, TextDelta, ThinkingDelta, ToolCall, ToolCallDelta, ToolCalls
from core.errors import StreamCut
from core.mistral.stream import AnswerCut, AnswerParser, read_completion
from core.mistral.tool_ids import ToolIds, fits
from core.mistral.tool_parts import ToolCallParts

DONE = b"data: [DONE]\n\n"


def entry(arguments: object, name: str = "", **more: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **more}


def chunk(*entries: dict[str, Any], content: object = "", reason: str | None = None) -> bytes:
    delta = {"content": content, "tool_calls": list(entries)}
    document = {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def parse(*pieces: bytes, ids: ToolIds | None = None) -> list[Delta]:
    parser = AnswerParser(ids=ids)
    deltas = [delta for piece in pieces for delta in parser.feed(piece)] + parser.end()
    assert parser.failure is None
    return deltas


def calls(deltas: list[Delta]) -> tuple[ToolCall, ...]:
    """The calls, which come once, right before the Finish."""
    found = [delta for delta in deltas if isinstance(delta, ToolCalls)]
    assert len(found) <= 1
    assert isinstance(deltas[-1], Finish)
    if found:
        assert deltas[-2] is found[0]
    return found[0].calls if found else ()


def test_a_whole_call_comes_once_before_the_finish() -> None:
    deltas = parse(chunk(entry('{"a":1}', "add", id="abcdefghi", index=0), reason="tool_calls"), DONE)
    assert deltas == [
        ToolCallDelta(0, "add", '{"a":1}'),
        ToolCalls((ToolCall("abcdefghi", "add", '{"a":1}'),)),
        Finish("tool_calls", None, "m"),
    ]


@pytest.mark.parametrize("later", [{}, {"id": None}, {"id": "null"}, {"id": ""}, {"id": "abcdefghi"}])
def test_parts_of_calls_are_merged_by_index(later: dict[str, Any]) -> None:
    deltas = parse(
        chunk(entry("", "add", id="abcdefghi", index=0)),
        chunk(entry('{"a"', index=0, **later), entry("", "subtract", id="123456789", index=1)),
        chunk(entry("{}", index=1), entry(":1}", index=0, **later)),
        DONE,
    )
    assert calls(deltas) == (ToolCall("abcdefghi", "add", '{"a":1}'), ToolCall("123456789", "subtract", "{}"))


def test_whole_calls_that_all_have_the_index_0_stay_apart() -> None:
    deltas = parse(chunk(entry("{}", "a", id="1", index=0), entry("{}", "b", id="2", index=0)), DONE)
    assert [call.name for call in calls(deltas)] == ["a", "b"]
    deltas = parse(chunk(entry("{}", "a", id="null", index=0)), chunk(entry("{}", "b", index=0)), DONE)
    assert [call.name for call in calls(deltas)] == ["a", "b"]


def test_calls_without_ids_get_unique_ones() -> None:
    made = calls(parse(chunk(entry("{}", "a"), entry("{}", "a"), entry("{}", "a", id="null")), DONE))
    assert len({call.id for call in made}) == len(made) == 3
    assert all(fits(call.id) for call in made)


def test_arguments_may_be_an_object() -> None:
    assert calls(parse(chunk(entry({"a": "é"}, "add", id="1", index=0)), DONE))[0].arguments == '{"a": "é"}'


def test_text_thinking_and_calls_come_side_by_side() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    deltas = parse(chunk(entry("{}", "a", id="1"), content=[thinking, {"type": "text", "text": "so"}]), DONE)
    assert deltas[:3] == [ThinkingDelta("hm"), TextDelta("so"), ToolCallDelta(0, "a", "{}")]


def test_an_id_of_ours_comes_back_as_the_callers() -> None:
    ids = ToolIds()
    asked = ChatMessage("assistant", "", (ToolCall("call_1", "a", "{}"),))
    sent = ids.outward((asked, ChatMessage("tool", "3", tool_call_id="call_1")))[0].tool_calls[0].id
    assert calls(parse(chunk(entry("{}", "a", id=sent)), DONE, ids=ids))[0].id == "call_1"


def test_calls_without_an_end_mark_are_not_given() -> None:
    parser = AnswerParser()
    deltas = parser.feed(chunk(entry("{}", "a", id="1"), content="so")) + parser.end()
    assert not any(isinstance(delta, ToolCalls) for delta in deltas)
    assert isinstance(parser.failure, StreamCut)
    assert parser.failure.text == "so"


WANTED = st.lists(
    st.tuples(st.sampled_from(["add", "zoné", "x"]), st.dictionaries(st.text(max_size=4), st.integers() | st.text())),
    min_size=1,
    max_size=4,
)


@settings(max_examples=400, deadline=None)
@given(WANTED, st.data())
def test_any_split_of_the_parts_gives_the_same_calls(wanted: list[tuple[str, dict[str, Any]]], data: Any) -> None:
    whole = [ToolCall(f"id0000{number:03}", name, json.dumps(made)) for number, (name, made) in enumerate(wanted)]
    queues = []
    for index, call in enumerate(whole):
        cuts = sorted(data.draw(st.lists(st.integers(0, len(call.arguments)), max_size=4)))
        texts = [call.arguments[a:b] for a, b in zip([0, *cuts], [*cuts, len(call.arguments)], strict=True)]
        later = data.draw(st.sampled_from([{}, {"id": None}, {"id": "null"}, {"id": call.id}]))
        first = entry(texts[0], call.name, id=call.id, index=index)
        queues.append([first, *(entry(text, index=index, **later) for text in texts[1:])])
    begun, events = 0, []
    while any(queues):  # in any order, but calls begin in theirs
        at = data.draw(st.sampled_from([at for at, queue in enumerate(queues) if queue and at <= begun]))
        begun = max(begun, at + 1)
        count = data.draw(st.integers(1, len(queues[at])))
        events.append(chunk(*queues[at][:count]))
        del queues[at][:count]
    stream = b"".join(events) + DONE
    cut = data.draw(st.integers(0, len(stream)))
    deltas = parse(stream[:cut], stream[cut:])
    assert calls(deltas) == tuple(whole)
    told = [delta.arguments for delta in deltas if isinstance(delta, ToolCallDelta)]
    assert len("".join(told)) == sum(len(call.arguments) for call in whole)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("null"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "index", "function", "name", "arguments"]), inner)
    ),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(JSON | st.builds(dict, function=JSON | st.builds(dict, name=JSON, arguments=JSON), id=JSON, index=JSON))
)
def test_any_json_among_the_parts_gives_calls_with_unique_ids(entries: list[Any]) -> None:
    parts = ToolCallParts()
    for one in entries:
        parts.add([one])
    made = parts.whole()
    assert len({call.id for call in made}) == len(made)
    assert all(call.id for call in made)
    parts.add(entries)


def test_a_completion_has_every_choice() -> None:
    message = {"content": "a", "tool_calls": [entry("{}", "add", id="1")]}
    rows = [{"message": message, "finish_reason": "tool_calls"}, {"message": {"content": "b"}, "finish_reason": "stop"}]
    document = {"model": "m", "choices": rows, "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    completion = read_completion(json.dumps(document).encode())
    assert (completion.text, completion.reason, completion.model) == ("a", "tool_calls", "m")
    assert completion.tool_calls == (ToolCall("1", "add", "{}"),)
    assert completion.choices[1].text == "b"
    assert completion.usage is not None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"choices": []}', None),
        (b'{"choices": 3}', None),
        (b'{"error": {"code": "3505", "message": "secret"}}', "3505"),
        (b'{"object": "error", "message": "secret"}', None),
        (b'{"choices": [{"message": {"content": "a"}, "finish_reason": "error"}]}', None),
    ],
)
def test_what_is_no_answer_is_a_typed_error(body: bytes, code: str | None) -> None:
    with pytest.raises(AnswerCut) as caught:
        read_completion(body)
    assert caught.value.code == code
    assert "secret" not in str(caught.value)
