"""Tools over real sockets: our client and the official SDKs against the scripted API, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from mistralai.client import Mistral
from openai import APIStatusError, AsyncOpenAI

from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from core.chat import (
    ChatMessage,
    ChatRequest,
    Delta,
    DocumentPart,
    Finish,
    ImagePart,
    JsonMode,
    JsonSchema,
    NamedTool,
    TextDelta,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCall,
    ToolCalls,
)
from core.errors import FirstByteTimeout, ModelRateLimited, StreamCut
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient, Timeouts
from core.mistral.providers.home import Home

MODEL = "mistral-medium-3-5"
ADD: Any = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
CALLS = (ToolCall("abcdefghi", "add", '{"a": 1, "b": 2}'), ToolCall("123456789", "add", "{}"))
HELLO: Any = [{"role": "user", "content": "Hello"}]
ASK = ChatRequest(
    MODEL, (ChatMessage("user", "Hello"),), max_tokens=50, tools=(Tool("add", "Adds.", {"type": "object"}),)
)


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="good")
    async with simulator.running():
        yield simulator


@pytest.fixture
async def client(simulator: MistralSimulator) -> AsyncIterator[MistralClient]:
    client = MistralClient(Home("here", simulator.base_url, api_key="good"), catalogue=Catalogue.load())
    yield client
    await client.aclose()


@pytest.fixture
async def openai(simulator: MistralSimulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="good", base_url=f"{simulator.base_url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
async def mistral(simulator: MistralSimulator) -> AsyncIterator[Mistral]:
    async with Mistral(api_key="good", server_url=simulator.base_url) as client:
        yield client


@pytest.mark.parametrize("size", [None, 1, 5])
async def test_our_client_reads_tool_calls(
    simulator: MistralSimulator, client: MistralClient, size: int | None
) -> None:
    simulator.then(Reply(text="Let me see.", tool_calls=CALLS, call_parts=size))
    deltas: list[Delta] = [delta async for delta in client.stream(ASK)]
    assert deltas[-2] == ToolCalls(CALLS)
    assert deltas[-1] == Finish("tool_calls", simulator.calls[0].usage, MODEL)
    assert "".join(delta.text for delta in deltas if isinstance(delta, TextDelta)) == "Let me see."


async def test_our_client_reads_a_whole_answer_with_every_choice(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    simulator.then(Reply(text="a b", tool_calls=CALLS))
    completion = await client.complete(replace(ASK, n=2))
    assert [(choice.text, choice.tool_calls) for choice in completion.choices] == [("a b", CALLS)] * 2
    assert completion.usage == simulator.calls[0].usage
    assert simulator.requests[0].body["stream"] is False


async def test_a_whole_answer_that_fails_is_a_typed_error(simulator: MistralSimulator) -> None:
    timeouts = Timeouts(connect=0.3, whole=0.1)
    client = MistralClient(Home("here", simulator.base_url, api_key="good"), timeouts=timeouts)
    simulator.then(Reply(status=429, body={"code": "1300"}), Reply(body=None, text="", finish_reason="error"))
    with pytest.raises(ModelRateLimited):
        await client.complete(ASK)
    with pytest.raises(StreamCut):
        await client.complete(ASK)
    simulator.then(Reply(text="late", delay_first=5))
    with pytest.raises(FirstByteTimeout):
        await client.complete(ASK)
    await client.aclose()


async def test_a_round_with_a_tool_is_accepted_whatever_the_ids_were(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    messages = (
        *ASK.messages,
        ChatMessage("assistant", "", (ToolCall("call_of_another_home", "add", "{}"),)),
        ChatMessage("tool", "3", tool_call_id="call_of_another_home"),
    )
    sent: list[str] = []

    def again(body: Any) -> Reply:
        sent.append(body["messages"][1]["tool_calls"][0]["id"])
        return Reply(tool_calls=(ToolCall(sent[-1], "add", "{}"),))

    simulator.script = again
    deltas = [delta async for delta in client.stream(replace(ASK, messages=messages))]
    assert deltas[-2] == ToolCalls((ToolCall("call_of_another_home", "add", "{}"),))
    assert (len(sent[0]), sent[0].isalnum()) == (9, True)


async def test_a_cut_stream_tells_what_came(simulator: MistralSimulator, client: MistralClient) -> None:
    for reply in (Reply(text="a b c d", cut_after=3), Reply(text="a b c ", done=False)):
        simulator.then(reply)
        with pytest.raises(StreamCut) as caught:
            async for _ in client.stream(ASK):
                pass
        assert getattr(caught.value, "text", None) == "a b c "
        assert "a b" not in str(caught.value)


async def test_leaving_early_closes_the_connection_at_once(simulator: MistralSimulator, client: MistralClient) -> None:
    simulator.then(Reply(text="a b", chunk_delay=30))
    async with aclosing(client.stream(ASK)) as deltas:
        await anext(deltas)
    await simulator.until(lambda seen: seen.closed_early == 1)

    async def read() -> None:
        async for _ in client.stream(ASK):
            pass

    simulator.then(Reply(text="a b", delay_first=30))
    task = asyncio.create_task(read())
    await simulator.until(lambda seen: seen.open_streams == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await simulator.until(lambda seen: seen.closed_early == 2)


@pytest.mark.parametrize("size", [None, 4])
async def test_the_sdks_read_tool_calls(
    simulator: MistralSimulator, mistral: Mistral, openai: AsyncOpenAI, size: int | None
) -> None:
    simulator.then(*[Reply(tool_calls=CALLS, call_parts=size)] * 4)
    whole = await mistral.chat.complete_async(model=MODEL, messages=HELLO, tools=[ADD])
    assert whole.choices[0].message is not None
    told = whole.choices[0].message.tool_calls
    assert told
    assert [(call.id, call.function.name, call.function.arguments) for call in told] == [
        (call.id, call.name, call.arguments) for call in CALLS
    ]
    assert whole.choices[0].finish_reason == "tool_calls"
    answer = await openai.chat.completions.create(model=MODEL, messages=HELLO, tools=[ADD])
    assert [call.id for call in answer.choices[0].message.tool_calls or ()] == [call.id for call in CALLS]
    ours = ["".join(call.arguments for call in CALLS)] * 2
    theirs = ["", ""]
    async for event in await mistral.chat.stream_async(model=MODEL, messages=HELLO, tools=[ADD]):
        for call in event.data.choices[0].delta.tool_calls or ():
            theirs[0] += str(call.function.arguments)
    stream: Any = await openai.chat.completions.create(model=MODEL, messages=HELLO, tools=[ADD], stream=True)
    async for chunk in stream:
        for call in chunk.choices[0].delta.tool_calls or ():
            theirs[1] += call.function.arguments
    assert theirs == ours


PARTS: Any = [
    {"type": "text", "text": "Read."},
    {"type": "image_url", "image_url": "https://h/i.png"},
    {"type": "document_url", "document_url": "https://h/d.pdf", "document_name": "d.pdf"},
]
ROUND: Any = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [PARTS[0], PARTS[2]]},
    {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}],
        "tool_calls": [{"id": "abcdefghi", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
    },
    {"role": "tool", "content": "3", "tool_call_id": "abcdefghi", "name": "add"},
    {"role": "assistant", "content": "So", "prefix": True},
]
OUR_ROUND = (
    ChatMessage("system", "Be kind."),
    ChatMessage("user", (TextPart("Read."), DocumentPart("https://h/d.pdf", "d.pdf"))),
    ChatMessage("assistant", (ThinkingPart("hm"),), (ToolCall("abcdefghi", "add", "{}"),)),
    ChatMessage("tool", "3", tool_call_id="abcdefghi", name="add"),
    ChatMessage("assistant", "So", prefix=True),
)
SCHEMA: Any = {"type": "object", "properties": {}}
SAME: list[tuple[dict[str, Any], ChatRequest]] = [
    ({"messages": HELLO}, replace(ASK, tools=())),
    ({"messages": ROUND, "tools": [ADD]}, replace(ASK, messages=OUR_ROUND)),
    (
        {
            "messages": HELLO,
            "tools": [ADD],
            "tool_choice": "any",
            "parallel_tool_calls": False,
            "reasoning_effort": "high",
        },
        replace(ASK, tool_choice="any", parallel_tool_calls=False, reasoning_effort="high"),
    ),
    (
        {"messages": HELLO, "tools": [ADD], "tool_choice": {"type": "function", "function": {"name": "add"}}},
        replace(ASK, tool_choice=NamedTool("add")),
    ),
    (
        {
            "messages": HELLO,
            "temperature": 0.3,
            "top_p": 0.9,
            "stop": ["END"],
            "random_seed": 7,
            "response_format": {"type": "json_object"},
            "prompt_cache_key": "k",
            "safe_prompt": True,
            "presence_penalty": 0.5,
            "frequency_penalty": 0.25,
            "n": 2,
            "prediction": {"type": "content", "content": "so"},
        },
        replace(
            ASK,
            tools=(),
            temperature=0.3,
            top_p=0.9,
            stop=("END",),
            random_seed=7,
            response_format=JsonMode(),
            prompt_cache_key="k",
            safe_prompt=True,
            presence_penalty=0.5,
            frequency_penalty=0.25,
            n=2,
            prediction="so",
        ),
    ),
    (
        {
            "messages": HELLO,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": SCHEMA, "strict": True, "description": "d"},
            },
        },
        replace(ASK, tools=(), response_format=JsonSchema("a", SCHEMA, "d", strict=True)),
    ),
]


def plain(value: Any) -> Any:
    """Without what says the default, as the SDK spells it out: `prefix` false, a call's index 0."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        kept = {name: plain(item) for name, item in value.items()}
        return {
            name: item for name, item in kept.items() if not (name == "prefix" and item is False) and name != "index"
        }
    return value


@pytest.mark.parametrize(("theirs", "ours"), SAME)
async def test_our_body_equals_the_mistralai_sdks(
    simulator: MistralSimulator, client: MistralClient, mistral: Mistral, theirs: dict[str, Any], ours: ChatRequest
) -> None:
    await mistral.chat.complete_async(model=MODEL, max_tokens=50, **theirs)
    await client.complete(ours)
    official, own = (plain(request.body) for request in simulator.requests)
    assert own == official


def call(id_: str = "abcdefghi", name: str = "add", arguments: str = "{}") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def asked(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


RESULT: Any = {"role": "tool", "content": "3", "tool_call_id": "abcdefghi"}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"messages": [*HELLO, asked(call()), RESULT, *HELLO]}, 400, "3230"),
        ({"messages": [*HELLO, asked(call(), call("123456789")), RESULT]}, 400, "3230"),
        ({"messages": [*HELLO, RESULT]}, 400, "3230"),
        ({"messages": [*HELLO, asked(call()), RESULT, RESULT]}, 400, "3230"),
        ({"messages": [*HELLO, asked(call()), *HELLO]}, 400, "3230"),
        ({"messages": [{"role": "system", "content": "a"}, asked(call()), RESULT]}, 400, "3230"),
        ({"messages": [*HELLO, {"role": "system", "content": "a"}, asked(call("call_1")), RESULT]}, 400, "3280"),
        ({"messages": [*HELLO, asked(call(name="add it")), RESULT]}, 400, "3280"),
        ({"messages": [*HELLO, asked(call(arguments="{")), RESULT]}, 400, "3280"),
        ({"model": "mistral-large-2512", "reasoning_effort": "high"}, 400, "3051"),
        ({"reasoning_effort": "much"}, 422, None),
        ({"tools": [ADD] * 129}, 422, None),
        ({"tools": [{"type": "function", "function": {"name": "a"}}]}, 422, None),
        ({"tools": [{**ADD, "cache": 1}]}, 422, None),
        ({"tools": [ADD], "tool_choice": "some"}, 422, None),
        ({"response_format": {"type": "xml"}}, 422, None),
        ({"response_format": {"type": "json_schema"}}, 422, None),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}}, 422, None),
        ({"prediction": {"text": "a"}}, 422, None),
        ({"stop": [3]}, 422, None),
        ({"messages": [{"role": "user", "content": [{"type": "document_url", "document_url": 3}]}]}, 422, None),
        ({"messages": [{"role": "system", "content": [PARTS[1]]}, *HELLO]}, 422, None),
        ({"messages": [*HELLO, asked({"id": "abcdefghi"}), RESULT]}, 422, None),
    ],
)
async def test_what_mistral_refuses_of_tools_is_refused(
    openai: AsyncOpenAI, change: dict[str, Any], status: int, code: str | None
) -> None:
    with pytest.raises(APIStatusError) as caught:
        await openai.post("/chat/completions", body={"model": MODEL, "messages": HELLO, **change}, cast_to=object)
    assert caught.value.status_code == status
    assert caught.value.response.json().get("code") == code


async def test_an_image_travels_the_same_way_as_the_sdks(simulator: MistralSimulator, client: MistralClient) -> None:
    image = ImagePart(b"not one", "image/png", 1, 1)
    with pytest.raises(Exception, match="3310"):
        await client.complete(replace(ASK, messages=(ChatMessage("user", (image,)),)))
    assert simulator.requests[0].body["messages"][0]["content"][0]["image_url"].startswith("data:image/png;base64,")
