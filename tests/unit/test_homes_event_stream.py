"""AWS's binary event stream: any chunking gives the frames of AWS's own decoder; damage is told, not raised."""

from __future__ import annotations

import json
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from core.chat import Finish, TextDelta, Usage
from core.mistral.providers.aws import AwsKeys, AwsSigner
from core.mistral.providers.bedrock import Bedrock
from core.mistral.providers.event_stream import FrameReader
from core.mistral.providers.provider import Unwrapper
from core.mistral.providers.sagemaker import SageMaker
from core.mistral.stream import AnswerParser

EVENT_STREAM = {"content-type": "application/vnd.amazon.eventstream"}


def frame(payload: bytes, **headers: str) -> bytes:
    """One message as AWS writes it; `event_type` is the header `:event-type`."""
    head = b""
    for name, value in headers.items():
        key, text = f":{name.replace('_', '-')}".encode(), value.encode()
        head += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(text)) + text
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + payload
    return message + struct.pack(">I", zlib.crc32(message))


def chunk(**fields: object) -> bytes:
    """A chunk of Bedrock's: JSON in base64 in JSON in a frame, with the padding that hides its length."""
    inner = b64encode(json.dumps(fields).encode()).decode()
    payload = json.dumps({"bytes": inner, "p": "abcdef"}).encode()
    return frame(payload, message_type="event", event_type="chunk", content_type="application/json")


def said(text: str, stop: str | None = None) -> bytes:
    return chunk(choices=[{"index": 0, "message": {"role": "assistant", "content": text}, "stop_reason": stop}])


METRICS = {"inputTokenCount": 7, "outputTokenCount": 2}
ANSWER = [
    said("Hé"),
    said("llo"),
    chunk(
        choices=[{"index": 0, "message": {"content": ""}, "stop_reason": "stop"}],
        **{"amazon-bedrock-invocationMetrics": METRICS},
    ),
]


def bedrock() -> Unwrapper:
    unwrapper = Bedrock("us-east-1", key="k").unwrapper(EVENT_STREAM)
    assert unwrapper is not None
    return unwrapper


def sagemaker() -> Unwrapper:
    home = SageMaker("eu-west-3", "e", AwsSigner("sagemaker", "eu-west-3", AwsKeys("a", "b")))
    unwrapper = home.unwrapper(EVENT_STREAM)
    assert unwrapper is not None
    return unwrapper


def deltas(unwrapper: Unwrapper, pieces: Sequence[bytes]) -> tuple[list[object], AnswerParser]:
    """What our parser makes of what comes out."""
    parser = AnswerParser(model="m")
    found: list[object] = []
    for piece in pieces:
        found += parser.feed(unwrapper.feed(piece))
    found += parser.feed(unwrapper.end())
    if not parser.finished and parser.failure is None:
        found += parser.end()
    return found, parser


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(st.integers(0, 100_000), max_size=30))
def test_any_chunking_gives_the_same_answer(places: list[int]) -> None:
    found, parser = deltas(bedrock(), cut(b"".join(ANSWER), places))
    assert parser.failure is None
    assert "".join(part.text for part in found if isinstance(part, TextDelta)) == "Héllo"
    assert found[-1] == Finish("stop", Usage(7, 2), "m")


@given(
    st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=200)), max_size=4),
    st.lists(st.integers(0, 5_000), max_size=10),
)
def test_frames_are_those_of_awss_own_decoder(messages: list[tuple[str, bytes]], places: list[int]) -> None:
    data = b"".join(frame(payload, event_type=kind) for kind, payload in messages)
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    expected = [(event.headers, event.payload) for event in theirs]
    reader = FrameReader()
    ours = [(one.headers, one.payload) for piece in cut(data, places) for one in reader.feed(piece)]
    assert ours == expected
    assert not reader.corrupt
    assert not reader.in_a_frame


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_found_and_told(place: int, change: int) -> None:
    data = bytearray(b"".join(ANSWER))
    data[place % len(data)] ^= change
    found, parser = deltas(bedrock(), [bytes(data)])
    assert not parser.finished
    assert parser.failure is not None
    assert "".join(part.text for part in found if isinstance(part, TextDelta)) in ("", "Hé", "Héllo")


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_bytes_end_in_a_failure_and_never_in_an_exception(noise: bytes, places: list[int]) -> None:
    for unwrapper in (bedrock(), sagemaker()):
        assert deltas(unwrapper, cut(noise, places))[1].failure is not None


@given(st.binary(max_size=200), st.sampled_from(["chunk", "PayloadPart", "initial-response"]))
def test_any_payload_in_a_good_frame_is_no_exception(payload: bytes, kind: str) -> None:
    for unwrapper in (bedrock(), sagemaker()):
        deltas(unwrapper, [frame(payload, message_type="event", event_type=kind)])


def test_every_kind_of_header_is_passed_over() -> None:
    kinds = [(0, b""), (1, b""), (2, b"1"), (3, b"12"), (4, b"1234"), (5, b"12345678"), (6, b"\x00\x02ab")]
    kinds += [(8, b"12345678"), (9, b"1234567890123456"), (7, b"\x00\x01x")]
    head = b"".join(bytes([1]) + str(kind).encode() + bytes([kind]) + value for kind, value in kinds)
    prelude = struct.pack(">II", 16 + len(head), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head
    (one,) = FrameReader().feed(message + struct.pack(">I", zlib.crc32(message)))
    assert one.headers == {"7": "x"}


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a_stream_cut_between_frames_has_no_end_mark(kept: int) -> None:
    found, parser = deltas(bedrock(), ANSWER[:kept])
    assert parser.failure is not None
    assert parser.failure.text == "".join(part.text for part in found if isinstance(part, TextDelta))


def test_a_failure_in_the_stream_is_told_by_its_name_and_keeps_the_text() -> None:
    failure = frame(b'{"message":"secret words"}', message_type="exception", exception_type="throttlingException")
    _, parser = deltas(bedrock(), [ANSWER[0], failure, ANSWER[1]])
    assert parser.failure is not None
    assert (parser.failure.text, parser.failure.code) == ("Hé", "throttlingException")
    assert "secret" not in str(parser.failure)


def test_sagemakers_parts_may_cut_the_containers_events_anywhere() -> None:
    events = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'
    parts = [frame(events[at : at + 7], message_type="event", event_type="PayloadPart") for at in range(0, 80, 7)]
    found, parser = deltas(sagemaker(), parts)
    assert found[0] == TextDelta("a")
    assert parser.finished
    unended = [frame(events.rstrip(), message_type="event", event_type="PayloadPart")]
    assert deltas(sagemaker(), unended)[1].finished, "the last line needs no end"
    broken = frame(b"", message_type="exception", exception_type="ModelStreamError")
    _, parser = deltas(sagemaker(), [*parts[:2], broken])
    assert parser.failure is not None
    assert parser.failure.code == "ModelStreamError"


def test_a_container_that_never_ends_its_line_is_not_listened_to_for_ever() -> None:
    part = frame(b"x" * 400_000, message_type="event", event_type="PayloadPart")
    unwrapper, parser = sagemaker(), AnswerParser(model="m")
    for _ in range(4):
        parser.feed(unwrapper.feed(part))
    assert parser.failure is not None
