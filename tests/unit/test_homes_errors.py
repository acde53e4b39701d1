"""Each cloud's own way to refuse is one error of the tree, told without the words that it quotes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import errors
from core.mistral.providers.aws import AwsKeys, AwsSigner
from core.mistral.providers.azure import Azure
from core.mistral.providers.bedrock import Bedrock
from core.mistral.providers.provider import Provider
from core.mistral.providers.sagemaker import SageMaker
from core.mistral.providers.vertex import GoogleToken, Vertex

AZURE = Azure("https://r", "k")
VERTEX = Vertex("p", "europe-west4", GoogleToken())
BEDROCK = Bedrock("eu-west-3", key="k")
SAGEMAKER = SageMaker("eu-west-3", "e", AwsSigner("sagemaker", "eu-west-3", AwsKeys("a", "b")))


def aws(name: str) -> tuple[dict[str, str], dict[str, object]]:
    return {"x-amzn-errortype": f"{name}:http://internal/", "x-amzn-requestid": "id-1"}, {"message": "secret"}


def google(status: int, word: str) -> object:
    return [{"error": {"code": status, "message": "secret", "status": word}}]


ROWS: list[tuple[Provider, int, dict[str, str], object, type[errors.ModelError]]] = [
    (AZURE, 401, {}, {"error": {"code": "401", "message": "secret"}}, errors.ModelUnauthorized),
    (AZURE, 404, {}, {"error": {"code": "DeploymentNotFound", "message": "secret"}}, errors.ModelNotFound),
    (AZURE, 400, {}, {"error": {"code": "unknown_model", "message": "secret"}}, errors.ModelNotFound),
    (AZURE, 400, {}, {"error": {"code": "content_filter", "message": "secret"}}, errors.ModelForbidden),
    (AZURE, 403, {}, {"error": {"code": "content_filter", "message": "secret"}}, errors.ModelForbidden),
    (AZURE, 403, {}, {"object": "error", "message": "secret guardrail", "type": "guardrail"}, errors.ModelForbidden),
    (AZURE, 403, {}, {"error": {"code": "PermissionDenied", "message": "secret"}}, errors.ModelUnauthorized),
    (AZURE, 403, {}, {"error": {"code": "AuthorizationFailed", "message": "secret"}}, errors.ModelUnauthorized),
    (AZURE, 403, {}, {"error": {"code": "403", "message": "secret network rules"}}, errors.ModelUnauthorized),
    (AZURE, 429, {}, {"error": {"code": "RateLimitReached", "message": "secret"}}, errors.ModelRateLimited),
    (AZURE, 429, {}, {"error": {"code": "NoCapacity", "message": "secret"}}, errors.ModelOverloaded),
    (VERTEX, 401, {}, google(401, "UNAUTHENTICATED"), errors.ModelUnauthorized),
    (VERTEX, 403, {}, google(403, "PERMISSION_DENIED"), errors.ModelUnauthorized),
    (VERTEX, 403, {}, {"object": "error", "message": "secret guardrail"}, errors.ModelForbidden),
    (VERTEX, 404, {}, google(404, "NOT_FOUND"), errors.ModelNotFound),
    (VERTEX, 429, {}, google(429, "RESOURCE_EXHAUSTED"), errors.ModelRateLimited),
    (VERTEX, 503, {}, google(503, "UNAVAILABLE"), errors.ModelServerError),
    (BEDROCK, 403, *aws("ExpiredTokenException"), errors.ModelUnauthorized),
    (BEDROCK, 403, *aws("UnrecognizedClientException"), errors.ModelUnauthorized),
    (BEDROCK, 403, *aws("InvalidSignatureException"), errors.ModelUnauthorized),
    (BEDROCK, 403, *aws("AccessDeniedException"), errors.ModelUnauthorized),
    (BEDROCK, 403, {}, {"Message": "secret is not authorized"}, errors.ModelUnauthorized),
    (BEDROCK, 403, {}, {"error": {"code": "secret words", "message": "secret"}}, errors.ModelUnauthorized),
    (BEDROCK, 404, *aws("ResourceNotFoundException"), errors.ModelNotFound),
    (BEDROCK, 400, *aws("ValidationException"), errors.RequestRejected),
    (BEDROCK, 400, *aws("ServiceQuotaExceededException"), errors.ModelRateLimited),
    (BEDROCK, 429, *aws("ThrottlingException"), errors.ModelRateLimited),
    (BEDROCK, 429, *aws("ModelNotReadyException"), errors.ModelOverloaded),
    (BEDROCK, 503, *aws("ServiceUnavailableException"), errors.ModelOverloaded),
    (BEDROCK, 424, *aws("ModelErrorException"), errors.ModelServerError),
    (BEDROCK, 408, *aws("ModelTimeoutException"), errors.ModelServerError),
    (BEDROCK, 500, *aws("InternalServerException"), errors.ModelServerError),
    (BEDROCK, 400, {}, {"__type": "com.amazon#ExpiredToken", "Message": "secret"}, errors.ModelUnauthorized),
    (BEDROCK, 400, {}, {"message": "The provided model identifier is invalid."}, errors.ModelNotFound),
    (BEDROCK, 400, {}, {"error": {"code": "invalid_model", "message": "model secret not found"}}, errors.ModelNotFound),
    (BEDROCK, 400, {}, {"message": "prompt is too long: maximum context length is 8"}, errors.ContextTooLong),
    (SAGEMAKER, 403, *aws("AccessDeniedException"), errors.ModelUnauthorized),
    (SAGEMAKER, 424, {}, {"OriginalStatusCode": 403, "OriginalMessage": "secret"}, errors.ModelForbidden),
    (SAGEMAKER, 400, *aws("ThrottlingException"), errors.ModelRateLimited),
    (
        SAGEMAKER,
        424,
        {},
        {"OriginalStatusCode": 400, "OriginalMessage": "too many tokens"},
        errors.ContextTooLong,
    ),
    (SAGEMAKER, 424, {}, {"OriginalStatusCode": 503, "OriginalMessage": "secret"}, errors.ModelServerError),
    (SAGEMAKER, 424, {}, {"OriginalStatusCode": 7, "OriginalMessage": None}, errors.RequestRejected),
]


@pytest.mark.parametrize(("home", "status", "headers", "body", "kind"), ROWS)
def test_each_refusal_of_a_cloud_has_its_error(
    home: Provider, status: int, headers: dict[str, str], body: object, kind: type[errors.ModelError]
) -> None:
    error = home.refusal(status, json.dumps(body).encode(), headers)
    assert type(error) is kind
    assert "secret" not in str(error)
    assert error.correlation_id == headers.get("x-amzn-requestid")


@pytest.mark.parametrize("header", ["mistral-correlation-id", "x-amzn-requestid", "apim-request-id", "x-request-id"])
def test_every_home_names_its_calls(header: str) -> None:
    assert AZURE.refusal(500, b"", {header: "id-1"}).correlation_id == "id-1"


def test_google_says_how_long_to_wait_in_the_body() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3.5s"}
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"@type": "x"}, info]}}
    for shape in (body, [body]):
        assert VERTEX.refusal(429, json.dumps(shape).encode(), {}).retry_after == 3.5
    assert VERTEX.refusal(429, json.dumps(body).encode(), {"retry-after": "9"}).retry_after == 9


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "details", "message", "Message", "code", "__type", "OriginalStatusCode", "OriginalMessage"]
            ),
            inner,
        )
    ),
    max_leaves=10,
)


@given(
    st.sampled_from([AZURE, VERTEX, BEDROCK, SAGEMAKER]),
    st.integers(300, 599),
    SHAPES.map(lambda shape: json.dumps(shape).encode()) | st.binary(max_size=100) | st.just(b"[" * 50_000),
    st.dictionaries(st.sampled_from(["x-amzn-errortype", "retry-after"]), st.text(max_size=20)),
)
def test_any_refusal_is_a_typed_error(home: Provider, status: int, body: bytes, headers: dict[str, str]) -> None:
    error = home.refusal(status, body, headers)
    assert isinstance(error, errors.ModelError)
    assert type(error) is not errors.ModelError


@given(SHAPES.map(lambda shape: json.dumps(shape).encode()) | st.binary(max_size=100) | st.just(b"[" * 50_000))
def test_any_whole_answer_is_read_or_left_as_it_is(body: bytes) -> None:
    assert isinstance(BEDROCK.whole(body, {"x-amzn-bedrock-input-token-count": "3"}), bytes)
