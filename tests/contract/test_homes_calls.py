"""Our client at homes with ways of their own: framed streams, tokens that run out, usage in headers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError, TransportError

from core import errors
from core.chat import ChatMessage, ChatRequest, Delta, Finish, TextDelta, ToolCall, ToolCalls, Usage
from core.mistral.client import MistralClient, Timeouts
from core.mistral.providers.aws import AwsKeys, AwsSigner
from core.mistral.providers.bedrock import Bedrock
from core.mistral.providers.home import Home
from core.mistral.providers.provider import Provider
from core.mistral.providers.vertex import GoogleToken, Vertex
from core.mistral.stream import AnswerCut
from tests.contract.google_account import account
from tests.contract.recorder import Answer, Recorder, recording
from tests.unit.test_homes_event_stream import ANSWER, EVENT_STREAM, chunk, frame

PIXTRAL = "us.mistral.pixtral-large-2502-v1:0"
ASK = ChatRequest(PIXTRAL, (ChatMessage("user", "hello"),), max_tokens=5)
SIGNER = AwsSigner("bedrock", "us-east-1", AwsKeys("AKID", "secret"))


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def bedrock(recorder: Recorder) -> Bedrock:
    return Bedrock("us-east-1", signer=SIGNER, endpoint=recorder.base)


async def answer(home: Provider, timeouts: Timeouts | None = None) -> tuple[list[Delta], errors.ModelError | None]:
    client = MistralClient(home, timeouts=timeouts)
    deltas: list[Delta] = []
    try:
        async for delta in client.stream(ASK):
            deltas.append(delta)  # noqa: PERF401 – what came before an error is kept
    except errors.ModelError as exc:
        return deltas, exc
    finally:
        await client.aclose()
    return deltas, None


async def test_bedrocks_frames_stream_as_any_answer_does(recorder: Recorder) -> None:
    data = b"".join(ANSWER)
    headers = {**EVENT_STREAM, "x-amzn-requestid": "id-1"}
    recorder.answer = Answer(headers=headers, pieces=[data[at : at + 11] for at in range(0, len(data), 11)])
    deltas, failure = await answer(bedrock(recorder))
    assert failure is None
    assert deltas == [TextDelta("Hé"), TextDelta("llo"), Finish("stop", Usage(7, 2), PIXTRAL, "id-1")]


async def test_bedrocks_tool_calls_come_whole(recorder: Recorder) -> None:
    call = {"id": "abcdefghi", "function": {"name": "add", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": "", "tool_calls": [call]}}
    recorder.answer = Answer(chunk(choices=[{**choice, "stop_reason": "tool_calls"}]), headers=EVENT_STREAM)
    deltas, failure = await answer(bedrock(recorder))
    assert failure is None
    assert deltas[-2] == ToolCalls((ToolCall("abcdefghi", "add", "{}"),))
    assert deltas[-1] == Finish("tool_calls", None, PIXTRAL)


async def test_a_failure_within_bedrocks_stream_keeps_the_text(recorder: Recorder) -> None:
    failed = frame(b"{}", message_type="exception", exception_type="modelStreamErrorException")
    recorder.answer = Answer(headers=EVENT_STREAM, pieces=[ANSWER[0], failed])
    deltas, failure = await answer(bedrock(recorder))
    assert deltas == [TextDelta("Hé")]
    assert isinstance(failure, AnswerCut)
    assert (failure.text, failure.code) == ("Hé", "modelStreamErrorException")


async def test_bedrock_counts_the_tokens_of_a_whole_answer_in_its_headers(recorder: Recorder) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "stop_reason": "length"}
    counts = {"x-amzn-bedrock-input-token-count": "9", "x-amzn-bedrock-output-token-count": "4"}
    body = json.dumps({"choices": [choice]}).encode()
    recorder.answer = Answer(body, headers={"content-type": "application/json", **counts})
    client = MistralClient(bedrock(recorder))
    completion = await client.complete(ASK)
    await client.aclose()
    assert (completion.text, completion.reason, completion.usage) == ("yes", "length", Usage(9, 4))


@pytest.mark.parametrize("status", [200, 429, 500])
async def test_the_head_of_every_answer_is_told(recorder: Recorder, status: int) -> None:
    recorder.answer = Answer(b"{}", status, {"x-ratelimit-remaining-tokens-minute": "7"})
    told: list[Mapping[str, str]] = []
    client = MistralClient(Home.at(recorder.base, "k"), on_headers=told.append)
    with pytest.raises(errors.ModelError):
        await client.complete(ASK)
    await client.aclose()
    assert [headers["x-ratelimit-remaining-tokens-minute"] for headers in told] == ["7"]


class _Tokens(Credentials):
    """Google credentials whose tokens are numbered; `failure` is what a renewal meets."""

    def __init__(self, failure: Exception | None = None, takes: float = 0.0) -> None:
        super().__init__()
        self.renewed_in: list[threading.Thread] = []
        self._failure = failure
        self._takes = takes

    def refresh(self, request: object) -> None:
        self.renewed_in.append(threading.current_thread())
        time.sleep(self._takes)
        if self._failure is not None:
            raise self._failure
        self.token = f"token-{len(self.renewed_in)}"
        self.expiry = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)


def vertex(recorder: Recorder, credentials: Credentials) -> Vertex:
    return Vertex("p", "europe-west4", GoogleToken(credentials=credentials), recorder.base)


async def test_many_calls_share_one_token_that_is_fetched_off_the_loop(recorder: Recorder) -> None:
    tokens = _Tokens(takes=0.05)
    home = vertex(recorder, tokens)
    for _, failure in await asyncio.gather(*(answer(home) for _ in range(8))):
        assert failure is None
    assert len(tokens.renewed_in) == 1
    assert tokens.renewed_in[0] is not threading.main_thread()
    assert {request.headers["authorization"] for request in recorder.requests} == {"Bearer token-1"}
    tokens.expiry = datetime.now(UTC).replace(tzinfo=None)
    assert (await answer(home))[1] is None
    assert recorder.last.headers["authorization"] == "Bearer token-2"


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (RefreshError("secret"), errors.ModelUnauthorized),
        (TransportError("secret"), errors.ModelUnreachable),
    ],
)
async def test_without_a_token_nothing_is_asked_and_nothing_is_billed(
    recorder: Recorder, trouble: Exception, kind: type[errors.ModelError]
) -> None:
    _, failure = await answer(vertex(recorder, _Tokens(trouble)))
    assert type(failure) is kind
    assert failure.unbilled
    assert "secret" not in str(failure)
    assert recorder.requests == []


async def test_a_token_that_does_not_come_is_not_waited_for_long(recorder: Recorder) -> None:
    _, failure = await answer(vertex(recorder, _Tokens(takes=0.3)), Timeouts(connect=0.05))
    assert isinstance(failure, errors.ConnectTimeout)
    assert failure.unbilled
    assert recorder.requests == []


@pytest.mark.parametrize("contents", [None, "no json", "{}", json.dumps({"type": "service_account"})])
async def test_a_key_file_that_is_none_is_told_as_a_refused_key(
    recorder: Recorder, tmp_path: Path, contents: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "google.json"
    if contents is not None:
        file.write_text(contents)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # google-auth would look for a metadata server
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    home = Vertex("p", "europe-west4", GoogleToken(file), recorder.base)
    _, failure = await answer(home)
    assert isinstance(failure, errors.ModelUnauthorized)


async def test_a_key_file_gives_a_token_by_googles_own_library(recorder: Recorder, tmp_path: Path) -> None:
    async with recording() as tokens:
        token: dict[str, Any] = {"access_token": "ya29.x", "expires_in": 3600}
        tokens.answer = Answer(json.dumps(token).encode(), headers={"content-type": "application/json"})
        file = tmp_path / "google.json"
        file.write_text(json.dumps(account(f"{tokens.base}/token")))
        home = Vertex("p", "europe-west4", GoogleToken(file), recorder.base)
        for _ in range(2):
            assert (await answer(home))[1] is None
        assert len(tokens.requests) == 1
    assert recorder.last.headers["authorization"] == "Bearer ya29.x"


async def test_without_credentials_of_aws_nothing_is_asked(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    signer = AwsSigner("bedrock", "us-east-1", AwsKeys())
    _, failure = await answer(Bedrock("us-east-1", signer=signer, endpoint=recorder.base))
    assert isinstance(failure, errors.ModelUnauthorized)
    assert failure.unbilled
    assert recorder.requests == []


async def test_keys_are_also_found_where_aws_keeps_them(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    file.write_text("[bise]\naws_access_key_id = FROMFILE\naws_secret_access_key = secret\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    signer = AwsSigner("bedrock", "us-east-1", AwsKeys(profile="bise"))
    await answer(Bedrock("us-east-1", signer=signer, endpoint=recorder.base))
    assert "Credential=FROMFILE/" in recorder.last.headers["authorization"]


async def test_a_home_without_a_list_of_models_is_not_asked_for_it(recorder: Recorder) -> None:
    client = MistralClient(bedrock(recorder))
    assert await client.models() == []
    await client.aclose()
    assert recorder.requests == []
