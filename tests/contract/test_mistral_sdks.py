"""The official SDKs judge the scripted API: what they read of it is what the script said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError
from openai import APIStatusError, AsyncOpenAI, AuthenticationError, RateLimitError

from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator

MODEL = "mistral-large-2512"
HELLO: Any = [{"role": "user", "content": "Hello there"}]
ANSWER = "You said: Hello there"


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="good")
    async with simulator.running():
        yield simulator


@pytest.fixture
async def openai(simulator: MistralSimulator) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="good", base_url=f"{simulator.base_url}/v1", max_retries=0) as client:
        yield client


@pytest.fixture
async def mistral(simulator: MistralSimulator) -> AsyncIterator[Mistral]:
    async with Mistral(api_key="good", server_url=simulator.base_url) as client:
        yield client


async def test_mistralai_reads_a_whole_answer(simulator: MistralSimulator, mistral: Mistral) -> None:
    answer = await mistral.chat.complete_async(model=MODEL, messages=HELLO, max_tokens=50)
    assert answer.choices[0].message is not None
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage.completion_tokens == simulator.calls[0].completion_tokens > 0


@pytest.mark.parametrize("apart", [False, True])
async def test_mistralai_reads_a_stream(simulator: MistralSimulator, mistral: Mistral, apart: bool) -> None:
    simulator.then(Reply(text=ANSWER, usage_apart=apart, cached_tokens=3))
    text, usage, reasons = "", None, []
    async for event in await mistral.chat.stream_async(model=MODEL, messages=HELLO):
        usage = event.data.usage or usage
        for choice in event.data.choices:
            text += str(choice.delta.content or "")
            reasons.append(choice.finish_reason)
    assert (text, reasons[-1]) == (ANSWER, "stop")
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (
        simulator.calls[0].prompt_tokens,
        simulator.calls[0].completion_tokens,
    )


async def test_mistralai_reads_thinking(simulator: MistralSimulator, mistral: Mistral) -> None:
    simulator.then(Reply(text="yes", thinking="hm", list_content=True))
    kinds = []
    async for event in await mistral.chat.stream_async(model=MODEL, messages=HELLO):
        content = event.data.choices[0].delta.content
        kinds += [part.type for part in content] if isinstance(content, list) else []
    assert kinds == ["thinking", "text"]


async def test_mistralai_lists_the_models(mistral: Mistral) -> None:
    listed = await mistral.models.list_async()
    names = {card.id for card in listed.data or []}
    assert {MODEL, "mistral-large-latest"} <= names
    assert "pixtral-large-2411" not in names


async def test_mistralai_knows_the_refusals(simulator: MistralSimulator, mistral: Mistral) -> None:
    with pytest.raises(SDKError) as gone:
        await mistral.chat.complete_async(model="pixtral-large-latest", messages=HELLO)
    assert gone.value.status_code == 400
    assert "1500" in gone.value.body
    simulator.new_error_shape = False
    with pytest.raises(HTTPValidationError):
        await mistral.chat.complete_async(model=MODEL, messages=HELLO, temperature=1.6)


async def test_openai_reads_a_whole_answer(openai: AsyncOpenAI) -> None:
    answer = await openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_openai_reads_a_stream(openai: AsyncOpenAI) -> None:
    text, usage = "", None
    async for chunk in await openai.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert text == ANSWER
    assert usage is not None
    assert usage.completion_tokens > 0


async def test_a_tolerant_server_tells_usage_only_when_asked() -> None:
    simulator = MistralSimulator(kind="openai")
    async with (
        simulator.running() as base,
        AsyncOpenAI(api_key="any", base_url=f"{base}/v1", max_retries=0) as client,
    ):
        told = []
        for options in ({"include_usage": True}, None):
            more: Any = {"stream_options": options} if options else {}
            stream: Any = await client.chat.completions.create(model="own", messages=HELLO, stream=True, **more)
            told.append([chunk.usage is not None async for chunk in stream])
    assert any(told[0])
    assert not any(told[1])


@pytest.mark.parametrize("new_shape", [False, True])
async def test_openais_own_fields_are_refused(
    simulator: MistralSimulator, openai: AsyncOpenAI, new_shape: bool
) -> None:
    simulator.new_error_shape = new_shape
    with pytest.raises(APIStatusError) as caught:
        await openai.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    assert caught.value.status_code == 422
    document = caught.value.response.json()
    detail = document["message"]["detail"] if new_shape else document["detail"]
    assert detail[0]["loc"] == ["body", "stream_options"]


async def test_openai_knows_a_refused_key_and_a_rate_limit(simulator: MistralSimulator, openai: AsyncOpenAI) -> None:
    with pytest.raises(AuthenticationError):
        await openai.with_options(api_key="bad").chat.completions.create(model=MODEL, messages=HELLO)
    simulator.then(error(429, "Rate limit exceeded", kind="rate_limited", code="1300", retry_after="7"))
    with pytest.raises(RateLimitError) as caught:
        await openai.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"


def shown(part: dict[str, Any], times: int = 1) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [part] * times}]}


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"messages": [*HELLO, {"role": "assistant", "content": "a"}]}, 400, "3230"),
        ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "a" * 9}, *HELLO]}, 400, "3230"),
        ({"messages": [{"role": "assistant", "content": None}, *HELLO]}, 400, "3240"),
        ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "call_1"}]}, 400, "3280"),
        ({"model": "never-was"}, 400, "1500"),
        ({"messages": [{"role": "user", "content": "a" * 1_100_000}]}, 400, "3051"),
        ({"temperature": 0, "top_p": 0.5}, 400, None),
        (shown({"type": "image_url", "image_url": "data:image/png;base64,AAAA"}), 400, "3310"),
        (shown({"type": "image_url", "image_url": "https://h/i.png"}, 9), 400, "3310"),
        (shown({"type": "image_url", "image_url": 3}), 422, None),
        (shown({"type": "video"}), 422, None),
        ({"messages": []}, 422, None),
        ({"user": "someone"}, 422, None),
        ({"messages": [{**HELLO[0], "name": "someone"}]}, 422, None),
        ({"max_tokens": "many"}, 422, None),
        ({"stream": 1}, 422, None),
    ],
)
async def test_what_mistral_refuses_is_refused(
    openai: AsyncOpenAI, change: dict[str, Any], status: int, code: str | None
) -> None:
    with pytest.raises(APIStatusError) as caught:
        await openai.post("/chat/completions", body={"model": MODEL, "messages": HELLO, **change}, cast_to=object)
    assert caught.value.status_code == status
    assert caught.value.response.json().get("code") == code
