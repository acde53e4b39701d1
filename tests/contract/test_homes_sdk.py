"""What each home is sent, held against what its own SDK sends to the same local server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Set
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from mistralai.azure.client import MistralAzure
from mistralai.client import Mistral
from mistralai.gcp.client import MistralGCP
from openai import AsyncAzureOpenAI, AsyncOpenAI

from core.chat import ChatMessage, ChatRequest, Finish, ImagePart, TextPart, Tool
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient
from core.mistral.providers.configured import provider
from core.mistral.providers.home import Home
from core.mistral.providers.provider import Provider
from core.settings import Settings
from tests.contract.recorder import Answer, Recorded, Recorder, recording

ASKED: dict[str, Any] = {"max_tokens": 5, "temperature": 0.3, "top_p": 0.9, "stop": ["END"]}
MESSAGES: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "héllo"}]
PIXTRAL = "us.mistral.pixtral-large-2502-v1:0"
KEYS = {
    "AWS_REGION": "eu-west-3",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "session",
}
# What every client writes in its own way, and what it says of itself.
OWN = {"host", "user-agent", "accept-encoding", "connection", "content-length"}


def request(model: str, **more: Any) -> ChatRequest:
    messages = (ChatMessage("system", "Be brief."), ChatMessage("user", "héllo"))
    return ChatRequest(model, messages, max_tokens=5, temperature=0.3, top_p=0.9, stop=("END",), **more)


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


def home(**environ: str) -> Provider:
    return provider(Settings.read(environ, None))


async def sent(recorder: Recorder, place: Provider, asked: ChatRequest, *, stream: bool) -> Recorded:
    """The one request that our client makes, whose answer it can read."""
    client = MistralClient(place, catalogue=Catalogue.load())
    before = len(recorder.requests)
    try:
        if stream:
            deltas = [delta async for delta in client.stream(asked)]
            assert isinstance(deltas[-1], Finish)
        else:
            assert (await client.complete(asked)).text == "yes"
    finally:
        await client.aclose()
    assert len(recorder.requests) == before + 1
    return recorder.last


def alike(ours: Recorded, theirs: Recorded, *, more_headers: Set[str] = frozenset()) -> None:
    """The same request, but for headers that only we send."""
    assert (ours.method, ours.path, ours.json) == (theirs.method, theirs.path, theirs.json)
    for name in theirs.headers.keys() - OWN:
        assert ours.headers[name] == theirs.headers[name], name
    assert ours.headers.keys() - theirs.headers.keys() - OWN == more_headers


async def ask(sdk: Any, model: str, *, stream: bool) -> None:
    """The same question by one of Mistral's SDKs."""
    async with sdk:
        if stream:
            async with await sdk.chat.stream_async(model=model, messages=MESSAGES, **ASKED) as events:
                async for _ in events:
                    pass
        else:
            await sdk.chat.complete_async(model=model, messages=MESSAGES, **ASKED)


async def by_openai(sdk: AsyncOpenAI, model: str, *, stream: bool) -> None:
    """The same question by OpenAI's SDK."""
    async with sdk:
        if stream:
            usage = {"include_usage": True}
            async for _ in await sdk.chat.completions.create(
                model=model, messages=MESSAGES, stream=True, stream_options=usage, **ASKED
            ):
                pass
        else:
            await sdk.chat.completions.create(model=model, messages=MESSAGES, stream=False, **ASKED)


@pytest.mark.parametrize("stream", [True, False])
async def test_mistral_is_sent_what_its_sdk_sends(recorder: Recorder, stream: bool) -> None:
    model = "mistral-large-2512"
    ours = await sent(recorder, Home.at(recorder.base, "key"), request(model), stream=stream)
    await ask(Mistral(api_key="key", server_url=recorder.base), model, stream=stream)
    alike(ours, recorder.last)


@pytest.mark.parametrize("stream", [True, False])
async def test_azure_is_sent_what_mistrals_sdk_for_it_sends(recorder: Recorder, stream: bool) -> None:
    place = home(BISE_HOME="azure", AZURE_ENDPOINT=f"{recorder.base}/models", AZURE_API_KEY="key")
    ours = await sent(recorder, place, request("mistral-large-2411", prompt_cache_key="c"), stream=stream)
    await ask(MistralAzure(api_key="key", server_url=recorder.base), "mistral-large-2411", stream=stream)
    alike(ours, recorder.last, more_headers={"api-key"})


@pytest.mark.parametrize("stream", [True, False])
async def test_azure_in_openais_form_is_sent_what_openais_sdk_sends(recorder: Recorder, stream: bool) -> None:
    place = home(BISE_HOME="azure", AZURE_ENDPOINT=recorder.base, AZURE_API_KEY="key")
    ours = await sent(recorder, place, request("Mistral-Large-3", prompt_cache_key="c"), stream=stream)
    plain = AsyncOpenAI(api_key="key", base_url=f"{recorder.base}/openai/v1", max_retries=0)
    await by_openai(plain, "Mistral-Large-3", stream=stream)
    theirs = recorder.last
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    own = AsyncAzureOpenAI(api_key="key", base_url=f"{recorder.base}/openai/v1", api_version="v1", max_retries=0)
    await by_openai(own, "Mistral-Large-3", stream=False)
    assert ours.headers["api-key"] == recorder.last.headers["api-key"] == "key"


class _Signed:
    """AWS's signature, version 4, computed by hand from what came over the wire."""

    def __init__(self, recorded: Recorded, secret: str) -> None:
        fields = dict(part.split("=", 1) for part in recorded.headers["authorization"].split(" ", 1)[1].split(", "))
        self.headers = fields["SignedHeaders"].split(";")
        self.told = fields["Signature"]
        _, *scope = fields["Credential"].split("/")
        self.scope = "/".join(scope)
        address = urlsplit(recorded.path)
        canonical = "\n".join(
            [
                recorded.method,
                quote(address.path, safe="/-_.~"),
                address.query,
                *(f"{name}:{recorded.headers[name]}" for name in self.headers),
                "",
                ";".join(self.headers),
                hashlib.sha256(recorded.body).hexdigest(),
            ]
        )
        date = recorded.headers["x-amz-date"]
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{secret}".encode()
        for step in (*scope, f"AWS4-HMAC-SHA256\n{date}\n{self.scope}\n{hashed}"):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        self.right = key.hex()


def botocore_client(service: str, base: str) -> Any:
    session = botocore.session.Session()
    session.set_credentials("AKID", "secret", "session")
    once = Config(retries={"total_max_attempts": 1}, proxies={})
    return session.create_client(service, region_name="eu-west-3", endpoint_url=base, config=once)


def by_aws(service: str, base: str, operation: str, **parameters: Any) -> Any:
    """One call of botocore's, in a thread: it blocks."""

    def call() -> None:
        client = botocore_client(service, base)
        answer = getattr(client, operation)(**parameters)
        for name in ("body", "Body"):
            if name in answer:
                answer[name].close()
        client.close()

    return asyncio.to_thread(call)


AWS_OWN = {"amz-sdk-invocation-id", "amz-sdk-request", "x-amz-date", "authorization"}


def signed_alike(ours: Recorded, theirs: Recorded) -> None:
    assert (ours.method, ours.path, ours.body) == (theirs.method, theirs.path, theirs.body)
    for name in theirs.headers.keys() - OWN - AWS_OWN:
        assert ours.headers[name] == theirs.headers[name], name
    for recorded in (theirs, ours):  # theirs first: it proves that the sum below is right
        signature = _Signed(recorded, "secret")
        assert signature.told == signature.right
        assert {"host", "x-amz-date", "content-type", "x-amz-security-token"} <= set(signature.headers)
    assert _Signed(ours, "secret").scope == _Signed(theirs, "secret").scope
    assert _Signed(ours, "another").right != _Signed(ours, "another").told


@pytest.mark.parametrize("stream", [True, False])
async def test_bedrock_is_sent_what_botocore_sends(recorder: Recorder, stream: bool) -> None:
    place = home(BISE_HOME="bedrock", AWS_ENDPOINT_URL_BEDROCK_RUNTIME=recorder.base, **KEYS)
    picture = ImagePart(b"png", "image/png", 1, 1)
    tool = Tool("add", "Adds.", {"type": "object", "properties": {}})
    asked = ChatRequest(
        PIXTRAL,
        (ChatMessage("user", (TextPart("look"), picture)),),
        max_tokens=5,
        tools=(tool,),
        tool_choice="any",
        random_seed=3,
        prompt_cache_key="c",
    )
    ours = await sent(recorder, place, asked, stream=stream)
    operation = "invoke_model_with_response_stream" if stream else "invoke_model"
    usual = {"contentType": "application/json", "accept": "application/json"}
    await by_aws("bedrock-runtime", recorder.base, operation, modelId=PIXTRAL, body=ours.body, **usual)
    signed_alike(ours, recorder.last)
    # Mistral's form on Bedrock: the address names the model, `any` is its word for a tool that must be called.
    assert ours.json.keys() == {"messages", "max_tokens", "tools", "tool_choice"}
    assert ours.json["tool_choice"] == "any"
    assert ours.json["messages"][0]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,cG5n"},
    }


@pytest.mark.parametrize("stream", [True, False])
async def test_sagemaker_is_sent_what_botocore_sends(recorder: Recorder, stream: bool) -> None:
    place = home(
        BISE_HOME="sagemaker",
        SAGEMAKER_ENDPOINT_NAME="ours",
        BISE_SELF_HOSTED="yes",
        AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME=recorder.base,
        **KEYS,
    )
    ours = await sent(recorder, place, request("any-name"), stream=stream)
    operation = "invoke_endpoint_with_response_stream" if stream else "invoke_endpoint"
    accept = "text/event-stream" if stream else "application/json"
    usual = {"ContentType": "application/json", "Accept": accept}
    await by_aws("sagemaker-runtime", recorder.base, operation, EndpointName="ours", Body=ours.body, **usual)
    signed_alike(ours, recorder.last)
    assert ours.json.get("stream_options") == ({"include_usage": True} if stream else None)


async def test_a_key_of_bedrocks_own_goes_as_botocore_sends_it(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = home(
        BISE_HOME="bedrock",
        AWS_REGION="eu-west-3",
        AWS_BEARER_TOKEN_BEDROCK="bearer",
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME=recorder.base,
    )
    ours = await sent(recorder, place, request(PIXTRAL), stream=False)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bearer")
    built: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        built.append(request)
        return AWSResponse(request.url, 200, {}, None)

    # botocore sends such a key over TLS alone: what it is about to send is looked at instead.
    client = botocore_client("bedrock-runtime", "https://127.0.0.1:1")
    client.meta.events.register("before-send.bedrock-runtime", keep)
    client.invoke_model(modelId=PIXTRAL, body=ours.body, contentType="application/json", accept="application/json")
    client.close()
    (theirs,) = built
    assert (ours.method, ours.path, ours.body) == (theirs.method, urlsplit(theirs.url).path, theirs.body)
    for name in ("authorization", "content-type", "accept"):
        told = theirs.headers[name]
        assert ours.headers[name] == (told.decode() if isinstance(told, bytes) else told)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_newer_model_on_bedrock_is_asked_by_openais_form(recorder: Recorder, stream: bool) -> None:
    place = home(
        BISE_HOME="bedrock",
        AWS_REGION="eu-west-3",
        AWS_BEARER_TOKEN_BEDROCK="bearer",
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME=recorder.base,
    )
    ours = await sent(recorder, place, request("mistral-large-2512"), stream=stream)
    sdk = AsyncOpenAI(api_key="bearer", base_url=f"{recorder.base}/openai/v1", max_retries=0)
    model = "mistral.mistral-large-3-675b-instruct"
    await by_openai(sdk, model, stream=stream)
    theirs = recorder.last
    assert (ours.path, ours.json) == (theirs.path, theirs.json)
    assert ours.headers["authorization"] == theirs.headers["authorization"]


@pytest.mark.parametrize("stream", [True, False])
async def test_vertex_is_sent_what_mistrals_sdk_for_it_sends(
    recorder: Recorder, stream: bool, google_file: str
) -> None:
    place = home(
        BISE_HOME="vertex",
        GOOGLE_CLOUD_PROJECT="project",
        GOOGLE_CLOUD_LOCATION="europe-west4",
        GOOGLE_APPLICATION_CREDENTIALS=google_file,
        CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM=recorder.base,
    )
    asked = request("mistral-small-2503@001", prompt_cache_key="c", safe_prompt=True)
    ours = await sent(recorder, place, asked, stream=stream)
    sdk = MistralGCP(project_id="project", region="europe-west4", access_token="ya29.google", server_url=recorder.base)
    await ask(sdk, "mistral-small-2503@001", stream=stream)
    alike(ours, recorder.last)


@pytest.fixture
async def google_file(tmp_path: Any) -> AsyncIterator[str]:
    """A service account's key whose tokens a server on this machine gives out."""
    from tests.contract.google_account import account

    async with recording() as tokens:
        token = {"access_token": "ya29.google", "expires_in": 3600, "token_type": "Bearer"}
        tokens.answer = Answer(json.dumps(token).encode(), headers={"content-type": "application/json"})
        file = tmp_path / "google.json"
        file.write_text(json.dumps(account(f"{tokens.base}/token")))
        yield str(file)
