from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.mistral.errors import from_response, from_transport, retry_after

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def body(message: object = None, kind: object = None, code: object = None) -> bytes:
    return json.dumps({"object": "error", "message": message, "type": kind, "param": None, "code": code}).encode()


DETAIL = [{"loc": ["body", "messages", 0, "name"], "msg": "secret words", "type": "extra_forbidden", "input": "secret"}]
ROWS = [
    (401, b'{"detail":"Unauthorized"}', errors.ModelUnauthorized, True),
    (402, body("No credit", "payment", 402), errors.ModelOutOfCredit, True),
    (402, b"", errors.ModelOutOfCredit, True),
    (400, body("Invalid model: secret", "invalid_model", "1500"), errors.ModelNotFound, True),
    (404, body("Invalid model: secret", "invalid_model", 1500), errors.ModelNotFound, True),
    (404, b'{"error":"model \'secret\' not found"}', errors.ModelNotFound, True),
    (400, b'{"error":{"message":"The model `secret` does not exist."}}', errors.ModelNotFound, True),
    (400, body("Expected last role", "invalid_request_message_order", "3230"), errors.RequestRejected, True),
    (400, body("Tool call id", "invalid_function_call", "3280"), errors.RequestRejected, True),
    (400, body("top_p must be 1", None, None), errors.RequestRejected, True),
    (400, body("Prompt contains 9 tokens, too large for model", None, "3051"), errors.ContextTooLong, True),
    (400, body("This model's maximum context length is 8 tokens"), errors.ContextTooLong, True),
    (400, b'{"error":{"code":400,"type":"exceed_context_size_error","message":"x"}}', errors.ContextTooLong, True),
    (400, b'{"error":{"code":"context_length_exceeded","message":"secret"}}', errors.ContextTooLong, True),
    (422, json.dumps({"detail": DETAIL}).encode(), errors.RequestRejected, True),
    (422, body({"detail": DETAIL}, "invalid_request_error"), errors.RequestRejected, True),
    (413, b"<html>", errors.RequestRejected, True),
    (403, body("refused by a guardrail: secret"), errors.ModelForbidden, True),
    (429, body("Rate limit exceeded", "rate_limited", "1300"), errors.ModelRateLimited, True),
    (429, body("Service tier capacity exceeded for this model", None, "3505"), errors.ModelOverloaded, True),
    (503, body("capacity exceeded", None, 3505), errors.ModelOverloaded, False),
    (503, b"upstream connect error", errors.ModelServerError, False),
    (500, body("secret", None, 1000), errors.ModelServerError, False),
    (502, b"<html>secret words</html>", errors.ModelServerError, False),
    (524, b"", errors.ModelServerError, False),
    (418, b"", errors.RequestRejected, False),
    (302, b"", errors.ModelUnreachable, False),
]


@pytest.mark.parametrize(("status", "answer", "kind", "unbilled"), ROWS)
def test_each_row_of_the_facts_has_its_error(
    status: int, answer: bytes, kind: type[errors.ModelError], unbilled: bool
) -> None:
    error = from_response(status, answer, {"mistral-correlation-id": "abc-1"})
    assert type(error) is kind
    assert (error.status, error.unbilled, error.correlation_id) == (status, unbilled, "abc-1")
    assert "secret" not in str(error)


def test_a_422_names_the_fields_and_not_the_words() -> None:
    for answer in (json.dumps({"detail": DETAIL}).encode(), body({"detail": DETAIL})):
        assert "body.messages.0.name (extra_forbidden)" in str(from_response(422, answer, {}))


def test_words_quoted_in_a_422_do_not_pose_as_another_error() -> None:
    answer = body("the person wrote: too many tokens, invalid model, maximum context")
    assert type(from_response(422, answer, {})) is errors.RequestRejected


@pytest.mark.parametrize(
    ("code", "told"),
    [("1300", "1300"), (1300, "1300"), (None, None), ("two words", None), ([1], None), (True, None)],
)
def test_a_code_may_be_text_a_number_or_nothing(code: object, told: str | None) -> None:
    assert from_response(429, body("x", None, code), {}).code == told


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["detail", "message", "code", "type", "error", "loc", "msg"]), inner)
    ),
    max_leaves=12,
)


@given(
    st.integers(300, 599),
    SHAPES.map(lambda shape: json.dumps(shape).encode()) | st.binary(max_size=200) | st.just(b"[" * 50_000),
    st.dictionaries(st.sampled_from(["retry-after", "mistral-correlation-id"]), st.text(max_size=30)),
)
def test_any_error_shape_gives_a_typed_error(status: int, answer: bytes, headers: dict[str, str]) -> None:
    error = from_response(status, answer, headers, now=NOW)
    assert type(error) is not errors.ModelError
    assert error.retry_after is None or 0 <= error.retry_after <= 86_400


@pytest.mark.parametrize("status", range(400, 600))
def test_every_status_has_an_error_of_its_own_kind(status: int) -> None:
    error = from_response(status, b"", {})
    assert isinstance(error, errors.ModelError)
    assert type(error) is not errors.ModelError
    assert error.unbilled == (status in (400, 401, 402, 403, 404, 413, 422, 429))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("99999999", 86_400.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, now=NOW) == seconds


UNSENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


def every_httpx_error() -> list[type[Exception]]:
    kinds, waiting = [], [httpx.HTTPError, httpx.StreamError, httpx.InvalidURL]
    while waiting:
        kind = waiting.pop()
        kinds.append(kind)
        waiting.extend(kind.__subclasses__())
    return kinds


@pytest.mark.parametrize("kind", every_httpx_error())
@pytest.mark.parametrize("began", [False, True])
def test_every_httpx_error_has_its_place_in_the_tree(kind: type[Exception], began: bool) -> None:
    exc = kind.__new__(kind)
    error = from_transport(exc, answer_began=began)
    assert type(error) is not errors.ModelError
    assert error.unbilled == issubclass(kind, UNSENT)
