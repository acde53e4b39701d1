from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.chat import Delta, Finish, TextDelta, ThinkingDelta, Usage
from core.mistral.stream import AnswerParser, as_events

DONE = b"data: [DONE]\n\n"


def chunk(content: object = None, reason: object = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more})


def event(document: object) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def parse(*pieces: bytes, limit: int = 1024 * 1024) -> tuple[list[Delta], str | None]:
    """All deltas and the failure's message, of a stream that ends after these pieces."""
    parser = AnswerParser(line_limit=limit)
    deltas = [delta for piece in pieces for delta in parser.feed(piece)]
    deltas += parser.end()
    assert parser.finished == (parser.failure is None)
    return deltas, str(parser.failure) if parser.failure is not None else None


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_text_comes_as_it_is_sent_and_ends_in_a_finish_with_usage() -> None:
    deltas, failure = parse(chunk("Bon"), chunk("jour", p="abc"), chunk("", "stop", usage=USAGE), DONE)
    assert deltas == [TextDelta("Bon"), TextDelta("jour"), Finish("stop", Usage(7, 3, 0), "m")]
    assert failure is None


def test_cached_tokens_are_part_of_the_prompts() -> None:
    usage = {**USAGE, "prompt_tokens_details": {"cached_tokens": 5}}
    assert parse(chunk("", "stop", usage=usage), DONE)[0] == [Finish("stop", Usage(7, 3, 5), "m")]


def test_usage_may_come_in_a_chunk_without_choices() -> None:
    deltas, _ = parse(chunk("a"), chunk(None, "length"), event({"choices": [], "usage": USAGE}), DONE)
    assert deltas[-1] == Finish("length", Usage(7, 3), "m")


@pytest.mark.parametrize(
    "usage", [None, {}, {"prompt_tokens": None, "completion_tokens": 3}, "7", {"prompt_tokens": -1}]
)
def test_absent_usage_is_not_zero(usage: object) -> None:
    deltas, failure = parse(chunk("a"), chunk("", "stop", usage=usage), DONE)
    assert deltas[-1] == Finish("stop", None, "m")
    assert failure is None


def test_content_may_be_a_list_of_thinking_and_text() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    deltas, _ = parse(chunk([thinking, {"type": "text", "text": "yes"}, {"type": "reference"}, 3]), DONE)
    assert deltas[:2] == [ThinkingDelta("hm"), TextDelta("yes")]


def test_reasoning_of_other_servers_is_thinking() -> None:
    first = event({"choices": [{"delta": {"reasoning_content": "a"}}]})
    second = event({"choices": [{"delta": {"reasoning": "b", "content": "c"}}], "usage": USAGE})
    assert parse(first, second, DONE)[0][:3] == [ThinkingDelta("a"), ThinkingDelta("b"), TextDelta("c")]


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "model_length"])
def test_known_finish_reasons_are_kept(reason: str) -> None:
    last = parse(chunk("", reason), DONE)[0][-1]
    assert isinstance(last, Finish)
    assert last.reason == reason


@pytest.mark.parametrize("reason", ["content_filter", 7, ["stop"]])
def test_an_unknown_finish_reason_is_unknown(reason: object) -> None:
    last = parse(chunk("a", reason), DONE)[0][-1]
    assert isinstance(last, Finish)
    assert last.reason == "unknown"


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        (b"", None),
        (chunk("", "stop", usage=USAGE), None),  # all is said, but the end mark is missing
        (chunk("", "error") + DONE, None),
        (event({"error": {"message": "secret words", "code": "3505"}}) + DONE, "3505"),
        (event({"error": "secret words"}) + DONE, None),
        (
            event({"object": "error", "message": "secret words", "type": "overloaded", "code": None}) + DONE,
            "overloaded",
        ),
        (b'event: error\ndata: {"message":"secret words","code":1300}\n\n' + DONE, "1300"),
        (b"event: error\ndata: secret words\n\n" + DONE, None),
        (b"data: {secret\n\n" + DONE, None),
        (b"data: [1]\n\n" + DONE, None),
        (b"data: " + b"[" * 100_000 + b"\n\n" + DONE, None),
        (b'data: {"choices": "\xff"}\n\n' + DONE, None),
        (b"<html>secret words</html>", None),
    ],
)
def test_a_stream_that_fails_keeps_its_text(rest: bytes, code: str | None) -> None:
    parser = AnswerParser(correlation_id="c-1")
    deltas = parser.feed(chunk("Bon") + chunk("jour") + rest) + parser.end()
    assert deltas == [TextDelta("Bon"), TextDelta("jour")]
    assert parser.failure is not None
    assert (parser.failure.code, parser.failure.correlation_id) == (code, "c-1")
    assert "secret" not in str(parser.failure)
    assert not parser.failure.unbilled


def test_an_error_event_says_nothing_of_the_events_before_it_in_the_same_bytes() -> None:
    deltas, failure = parse(chunk("a") + b'event: error\ndata: {"code":1}\n\n')
    assert deltas == [TextDelta("a")]
    assert failure == "the stream brought an error"


def test_nothing_comes_after_the_end_mark() -> None:
    deltas, failure = parse(chunk("a") + DONE + chunk("b") + b"data: {nonsense\n\n")
    assert text_of(deltas) == "a"
    assert isinstance(deltas[-1], Finish)
    assert failure is None


def test_an_end_mark_without_a_line_end_counts() -> None:
    assert parse(chunk("a"), b"data: [DONE]")[1] is None


def test_comments_other_fields_and_lines_of_one_event_are_read_as_the_standard_says() -> None:
    split = b': ping\r\nid: 7\r\nretry: 10\r\ndata: {"choices":\r\ndata: [{"delta":{"content":"a"}}]}\r\n\r\n'
    assert text_of(parse(b"\xef\xbb\xbf" + chunk("0"), split, b"data:" + chunk("b")[6:], b"\n\n", DONE)[0]) == "0ab"


def test_a_line_without_end_is_cut_and_not_collected() -> None:
    parser = AnswerParser(line_limit=1000)
    fed = 0
    while parser.failure is None:
        parser.feed(b"data: x" if not fed else b"x" * 64)
        fed += 64
        assert fed < 3000
    assert parser.failure.reason == "stream_cut"


@pytest.mark.parametrize("size", [1, 100, 5000])
def test_lines_of_one_event_together_are_limited_too(size: int) -> None:
    stream = chunk("a") + b"data: xxxxxxxx\n" * 200 + b"\n" + DONE
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    deltas, failure = parse(*pieces, limit=1000)
    assert (text_of(deltas), failure) == ("a", "a line of the stream passed the limit")


def test_half_an_emoji_does_not_poison_the_text() -> None:
    deltas, failure = parse(b'data: {"choices":[{"delta":{"content":"a\\ud83d"}}]}\n\n', DONE)
    text_of(deltas).encode()
    assert (text_of(deltas), failure) == ("a\ufffd", None)


def test_another_choice_than_the_first_is_not_mixed_in() -> None:
    other = event({"choices": [{"index": 1, "delta": {"content": "b"}}]})
    assert text_of(parse(chunk("a"), other, chunk("c", "stop"), DONE)[0]) == "ac"


def test_a_whole_document_reads_like_a_stream() -> None:
    message = {"role": "assistant", "content": "Bon\njour"}
    document = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}
    deltas, failure = parse(as_events(json.dumps(document, indent=2).encode()))
    assert deltas == [TextDelta("Bon\njour"), Finish("stop", Usage(7, 3), "m")]
    assert failure is None


EVENTS = st.sampled_from(
    [
        chunk("a"),
        chunk("é😀", p="xyz"),
        chunk("with\nline ends\r\n"),
        chunk([{"type": "text", "text": "part"}]),
        chunk("", "stop", usage=USAGE),
        event({"choices": [], "usage": USAGE}),
        b": comment\n\n",
        b": comment\r\n",
        b"\n",
        b"\r\r",
        b"data: \n\n",
        b"data:\ndata: \n\n",
        chunk("crlf").replace(b"\n", b"\r\n"),
        chunk("cr").replace(b"\n", b"\r"),
        b"event: message\n" + chunk("named"),
        b"event: error\n",
        b'event: error\ndata: {"code": 5}\n\n',
        b'data: {"choices":\ndata: []}\n\n',
        b'data: {"choices":\r\ndata: [{"delta":{"content":"crlf"}}]}\r\n\r\n',
        b"data: {half",
        event({"error": {"code": "1"}}),
        b"data: " + b"y" * 900 + b"\n\n",
        DONE,
    ]
)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_line_end_cut_in_two_is_one_line_end(end: bytes) -> None:
    stream = b'data: {"choices":\ndata: [{"delta":{"content":"a"}}]}\n\n'.replace(b"\n", end) + DONE
    assert text_of(parse(*(bytes([byte]) for byte in stream))[0]) == "a"


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS | st.binary(max_size=12), max_size=12), st.data())
def test_any_chunking_of_the_same_bytes_gives_the_same_deltas(events: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole = parse(stream, limit=800)
    assert parse(*pieces, limit=800) == whole
    assert parse(*(bytes([byte]) for byte in stream), limit=800) == whole


FIELDS = "choices delta content usage index error finish_reason type text thinking prompt_tokens model object"
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(FIELDS.split()), inner),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_any_json_in_an_event_is_read_or_refused(document: object) -> None:
    choice = {"delta": document, "finish_reason": document}
    parse(event(document), event({"choices": [choice], "usage": document}), DONE)
