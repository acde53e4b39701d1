"""Our client against the scripted API, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import date
from io import BytesIO

import httpx
import pytest
from PIL import Image
from structlog.testing import capture_logs

from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from core import errors
from core.chat import ChatMessage, ChatRequest, Delta, Finish, ImagePart, TextDelta, ThinkingDelta, Usage
from core.mistral.catalogue import Catalogue
from core.mistral.client import MistralClient, Timeouts, shared_http
from core.mistral.providers.home import Home

MODEL = "mistral-large-2512"
ASK = ChatRequest(MODEL, (ChatMessage("user", "Hello there"),), max_tokens=50, prompt_cache_key="c")
SLOW = Timeouts(connect=0.3, first_byte=0.15, silence=0.15)


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="good-key")
    async with simulator.running():
        yield simulator


@pytest.fixture
async def client(simulator: MistralSimulator) -> AsyncIterator[MistralClient]:
    client = MistralClient(Home("here", simulator.base_url, api_key="good-key"))
    yield client
    await client.aclose()


async def answer(client: MistralClient, request: ChatRequest = ASK) -> tuple[list[Delta], errors.ModelError | None]:
    deltas: list[Delta] = []
    try:
        async for delta in client.stream(request):
            deltas.append(delta)  # noqa: PERF401 – what came before an error is kept
    except errors.ModelError as exc:
        return deltas, exc
    return deltas, None


def text_of(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, TextDelta))


async def test_an_answer_streams_and_ends_with_the_providers_usage(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    simulator.then(Reply(text="You said: Hello there", cached_tokens=4, headers={"mistral-correlation-id": "abc"}))
    deltas, failure = await answer(client)
    assert failure is None
    assert text_of(deltas) == "You said: Hello there"
    assert deltas[-1] == Finish("stop", simulator.calls[0].usage, MODEL, "abc")
    assert simulator.calls[0].cached_tokens == 4
    assert simulator.billed_microusd == simulator.calls[0].microusd > 0


async def test_one_call_is_one_request_that_names_us(simulator: MistralSimulator, client: MistralClient) -> None:
    simulator.then(error(503, "busy"))
    await answer(client)
    assert len(simulator.requests) == 1
    received = simulator.requests[0]
    assert received.body["prompt_cache_key"] == "c"
    assert received.headers["User-Agent"].startswith("bise/")
    assert received.headers["Authorization"] == "Bearer good-key"


async def test_a_base_with_its_version_works_too(simulator: MistralSimulator) -> None:
    client = MistralClient(Home("here", simulator.base_url + "/v1", api_key="good-key"))
    assert (await answer(client))[1] is None
    await client.aclose()


async def test_an_image_is_read_and_billed_by_its_grid(simulator: MistralSimulator, client: MistralClient) -> None:
    png = BytesIO()
    Image.new("RGB", (56, 28)).save(png, "PNG")
    image = ImagePart(png.getvalue(), "image/png", 56, 28)
    request = ChatRequest(MODEL, (ChatMessage("user", (image,)),), max_tokens=50)
    deltas, failure = await answer(client, request)
    assert failure is None
    assert text_of(deltas) == "You said:  I see 1 image."
    assert simulator.calls[0].prompt_tokens == 3 + 3  # a message, and one row of two squares


async def test_a_model_that_cannot_see_refuses_images(simulator: MistralSimulator, client: MistralClient) -> None:
    request = ChatRequest("codestral-2508", (ChatMessage("user", (ImagePart(b"", "image/png", 1, 1),)),), max_tokens=5)
    assert isinstance((await answer(client, request))[1], errors.RequestRejected)


async def test_a_server_that_speaks_openai_tells_us_its_usage() -> None:
    simulator = MistralSimulator(kind="openai")
    async with simulator.running() as base:
        client = MistralClient(Home.at(base, "any", self_hosted=True))
        simulator.then(Reply(text="a", usage_apart=True))
        deltas, _ = await answer(client, ChatRequest("my-own", ASK.messages, max_tokens=5, prompt_cache_key="c"))
        await client.aclose()
    last = deltas[-1]
    assert isinstance(last, Finish)
    assert last.usage == simulator.calls[0].usage


@pytest.mark.parametrize("reply", [Reply(text="a b", list_content=True), Reply(text="a b", padding=False)])
async def test_every_shape_of_content_is_text(simulator: MistralSimulator, client: MistralClient, reply: Reply) -> None:
    simulator.then(reply)
    assert text_of((await answer(client))[0]) == "a b"


async def test_thinking_is_told_apart_from_text(simulator: MistralSimulator, client: MistralClient) -> None:
    simulator.then(Reply(text="yes", thinking="hm"))
    assert (await answer(client))[0][:2] == [ThinkingDelta("hm"), TextDelta("yes")]


@pytest.mark.parametrize(("usage", "told"), [(False, None), (Usage(9, 8, 7), Usage(9, 8, 7))])
async def test_usage_is_the_providers_or_none(
    simulator: MistralSimulator, client: MistralClient, usage: bool | Usage, told: Usage | None
) -> None:
    simulator.then(Reply(text="a", usage=usage))
    last = (await answer(client))[0][-1]
    assert isinstance(last, Finish)
    assert last.usage == told


@pytest.mark.parametrize(
    "reply",
    [
        Reply(text="a b c", done=False),
        Reply(text="a b c d", cut_after=3),
        Reply(text="a b c", error_in_stream={"object": "error", "message": "secret", "code": "3505"}),
        Reply(text="a b c", error_in_stream={"error": {"message": "secret"}}),
        Reply(text="a b c", finish_reason="error"),
    ],
)
async def test_a_cut_stream_keeps_its_text(simulator: MistralSimulator, client: MistralClient, reply: Reply) -> None:
    simulator.then(reply)
    deltas, failure = await answer(client)
    assert text_of(deltas).split() == ["a", "b", "c"]
    assert isinstance(failure, errors.StreamCut)
    assert not failure.unbilled
    assert "secret" not in str(failure)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error(402, "No credit"), errors.ModelOutOfCredit),
        (error(403, "guardrail"), errors.ModelForbidden),
        (error(429, "Rate limit exceeded", code="1300", retry_after="2"), errors.ModelRateLimited),
        (error(503, "capacity exceeded", code=3505), errors.ModelOverloaded),
        (Reply(status=502, body=b"<html>" + b"x" * 500_000), errors.ModelServerError),
        (Reply(status=307, headers={"location": "http://127.0.0.1:1/"}), errors.ModelUnreachable),
    ],
)
async def test_a_refusal_is_a_typed_error(
    simulator: MistralSimulator, client: MistralClient, reply: Reply, kind: type[errors.ModelError]
) -> None:
    simulator.then(reply)
    deltas, failure = await answer(client)
    assert deltas == []
    assert type(failure) is kind
    assert kind is not errors.ModelRateLimited or failure.retry_after == 2


async def test_a_refused_key_a_retired_model_and_a_wrong_order_are_told_apart(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    bad = MistralClient(Home("here", simulator.base_url, api_key="very-secret"))
    failure = (await answer(bad))[1]
    await bad.aclose()
    assert isinstance(failure, errors.ModelUnauthorized)
    assert "very-secret" not in repr(failure) + repr(bad.home)
    retired = ChatRequest("pixtral-large-2411", ASK.messages, max_tokens=5)
    assert isinstance((await answer(client, retired))[1], errors.ModelNotFound)
    order = ChatRequest(MODEL, (ChatMessage("assistant", "a"),), max_tokens=5)
    assert isinstance((await answer(client, order))[1], errors.RequestRejected)
    long = ChatRequest(MODEL, (ChatMessage("user", "a" * 1_100_000),), max_tokens=5)
    assert isinstance((await answer(client, long))[1], errors.ContextTooLong)


async def test_closing_the_generator_closes_the_connection_at_once(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    simulator.then(Reply(text="a b c", chunk_delay=30))
    async with aclosing(client.stream(ASK)) as deltas:
        assert await anext(deltas) == TextDelta("a ")
        assert simulator.open_streams == 1
    began = time.monotonic()
    await simulator.until(lambda now: now.open_streams == 0 and now.closed_early == 1)
    assert time.monotonic() - began < 1
    assert simulator.calls[0].completion_tokens == 1


async def test_cancelling_the_task_closes_the_connection(simulator: MistralSimulator, client: MistralClient) -> None:
    simulator.then(Reply(text="a b c", chunk_delay=30))
    task = asyncio.create_task(answer(client))
    await simulator.until(lambda now: now.open_streams == 1)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await simulator.until(lambda now: now.closed_early == 1)


async def test_a_whole_answer_leaves_its_connection_to_the_next(simulator: MistralSimulator) -> None:
    home = Home("here", simulator.base_url, api_key="good-key")
    connects = 0

    async def trace(name: str, info: object) -> None:
        nonlocal connects
        connects += name == "connection.connect_tcp.complete"

    async def add_trace(request: httpx.Request) -> None:
        request.extensions["trace"] = trace

    http = shared_http(home, Timeouts())
    http.event_hooks = {"request": [add_trace]}
    client = MistralClient(home, http=http)
    for _ in range(3):
        assert (await answer(client))[1] is None
    await client.aclose()
    assert not http.is_closed
    await http.aclose()
    assert connects == 1


async def limited(
    simulator: MistralSimulator, timeouts: Timeouts
) -> tuple[list[Delta], errors.ModelError | None, float]:
    client = MistralClient(Home("here", simulator.base_url, api_key="good-key"), timeouts=timeouts)
    began = time.monotonic()
    deltas, failure = await answer(client)
    await client.aclose()
    return deltas, failure, time.monotonic() - began


async def test_an_answer_that_does_not_begin_is_a_first_byte_timeout(simulator: MistralSimulator) -> None:
    simulator.then(Reply(text="a", delay_first=5))  # the head comes at once, the first event does not
    deltas, failure, seconds = await limited(simulator, Timeouts(first_byte=0.1, silence=5))
    assert (deltas, type(failure)) == ([], errors.FirstByteTimeout)
    assert seconds < 1


async def test_a_head_that_does_not_come_is_a_first_byte_timeout(simulator: MistralSimulator) -> None:
    simulator.then(Reply(status=500, delay_first=1.2))
    _, failure, seconds = await limited(simulator, Timeouts(first_byte=0.1, silence=5))
    assert type(failure) is errors.FirstByteTimeout
    assert seconds < 1


async def test_silence_within_an_answer_is_a_timeout_of_its_own(simulator: MistralSimulator) -> None:
    simulator.then(Reply(text="a b", chunk_delay=5))
    deltas, failure, seconds = await limited(simulator, Timeouts(first_byte=5, silence=0.1))
    assert (text_of(deltas), type(failure)) == ("a ", errors.SilenceTimeout)
    assert seconds < 1


async def test_silence_may_last_longer_than_the_first_byte(simulator: MistralSimulator) -> None:
    simulator.then(Reply(text="a b", chunk_delay=0.3))
    deltas, failure, _ = await limited(simulator, Timeouts(first_byte=0.15, silence=5))
    assert (text_of(deltas), failure) == ("a b", None)


async def test_a_slow_but_steady_answer_is_no_silence(simulator: MistralSimulator) -> None:
    simulator.then(Reply(text="a b c d e f g", chunk_delay=0.08))
    assert (await limited(simulator, Timeouts(first_byte=0.2, silence=0.2)))[1] is None


async def test_a_slow_reader_is_no_silence(simulator: MistralSimulator) -> None:
    client = MistralClient(Home("here", simulator.base_url, api_key="good-key"), timeouts=SLOW)
    simulator.then(Reply(text="a b c"))
    text = ""
    async for delta in client.stream(ASK):
        text += delta.text if isinstance(delta, TextDelta) else ""
        await asyncio.sleep(0.2)
    await client.aclose()
    assert text == "a b c"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def raw_server(answer_bytes: bytes, drip: bytes = b"", hang: bool = False) -> AsyncIterator[str]:
    """A server that says exactly these bytes to any request, then hangs up, hangs, or drips for ever."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(answer_bytes)
            while drip or hang:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(0.02)
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (b"", errors.ModelUnreachable),
        (b"HTTP/1.1 nonsense\r\n\r\n", errors.ModelUnreachable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\ndata: {", errors.StreamCut),
        (b"HTTP/1.1 500 Oh\r\ncontent-length: 99\r\n\r\n{", errors.ModelServerError),
        (SSE_HEAD + b"<html>", errors.StreamCut),
        (SSE_HEAD + b"\x00" * 3_000_000, errors.StreamCut),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}}", errors.StreamCut),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + b'{"error":{"code":"3505"}}', errors.StreamCut),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nnot gzip", errors.StreamCut),
    ],
)
async def test_a_broken_server_is_a_typed_error(said: bytes, kind: type[errors.ModelError]) -> None:
    async with raw_server(said) as base:
        client = MistralClient(Home("here", base))
        deltas, failure = await answer(client)
        await client.aclose()
    assert deltas == [] or kind is errors.StreamCut
    assert isinstance(failure, kind)
    assert failure is not None
    assert not failure.unbilled


async def test_a_server_that_does_not_stream_is_read_whole() -> None:
    document = b'{"model":"m","choices":[{"message":{"content":"Bonjour"},"finish_reason":"stop"}]}'
    async with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + document) as base:
        client = MistralClient(Home("here", base))
        assert await answer(client) == ([TextDelta("Bonjour"), Finish("stop", None, "m")], None)
        await client.aclose()


@pytest.mark.parametrize(
    ("said", "drip", "kind"),
    [
        (SSE_HEAD, b": ping\n\n", errors.FirstByteTimeout),
        (SSE_HEAD + b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n', b": ping\n\n", errors.SilenceTimeout),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", errors.FirstByteTimeout),
        (b"HTTP/1.1 500 Oh\r\n\r\n", b"x", errors.ModelServerError),
    ],
)
async def test_a_server_that_only_drips_does_not_hold_us(
    said: bytes, drip: bytes, kind: type[errors.ModelError]
) -> None:
    async with raw_server(said, drip) as base:
        client = MistralClient(Home("here", base), timeouts=SLOW)
        began = time.monotonic()
        failure = (await answer(client))[1]
        await client.aclose()
    assert type(failure) is kind
    assert time.monotonic() - began < 2


async def test_nobody_listening_is_unreachable_and_surely_unbilled() -> None:
    async with raw_server(b"") as base:
        pass
    client = MistralClient(Home("here", base))
    failure = (await answer(client))[1]
    await client.aclose()
    assert isinstance(failure, errors.ModelUnreachable)
    assert failure.unbilled


async def test_a_proxy_is_never_asked_for_this_machine(
    simulator: MistralSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client = MistralClient(Home("here", simulator.base_url, api_key="good-key"))
    assert (await answer(client))[1] is None
    await client.aclose()


async def test_a_call_leaves_one_log_line_without_words_or_key(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    simulator.then(Reply(text="secret words"), error(429, "secret", code="1300"), Reply(text="a b", chunk_delay=9))
    with capture_logs() as logs:
        await answer(client)
        await answer(client)
        async with aclosing(client.stream(ASK)) as deltas:
            await anext(deltas)
    assert [(line["event"], line["outcome"], line["status"]) for line in logs] == [
        ("model.call", "stop", 200),
        ("model.call", "ModelRateLimited", 429),
        ("model.call", "closed", 200),
    ]
    assert (logs[0]["model"], logs[0]["home"], logs[0]["prompt_tokens"]) == (
        MODEL,
        "here",
        simulator.calls[0].prompt_tokens,
    )
    shown = repr(logs)
    assert not any(word in shown for word in ("secret", "Hello", "good-key"))


async def test_the_log_line_of_a_paid_call_tells_its_cost(simulator: MistralSimulator) -> None:
    paid = MistralClient(Home("here", simulator.base_url, api_key="good-key"), catalogue=Catalogue.load())
    free = Home("own", simulator.base_url, api_key="good-key", priced=False)
    own = MistralClient(free, catalogue=Catalogue.load())
    with capture_logs() as logs:
        await answer(paid)
        await answer(own)
    costs = [line["cost_microusd"] for line in logs]
    assert costs[0] == simulator.calls[0].microusd > 0
    assert costs[1] == 0
    await paid.aclose()
    await own.aclose()


async def test_the_home_tells_what_it_serves(client: MistralClient) -> None:
    cards = {card.id: card for card in await client.models()}
    assert cards[MODEL].vision
    assert cards[MODEL].context == 256_000
    assert cards["codestral-2508"].vision is False
    assert "pixtral-large-2411" not in cards


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\n\r\n<html>", b"HTTP/1.1 500 Oh\r\n\r\n", b""])
async def test_a_list_of_models_that_cannot_be_read_is_a_typed_error(said: bytes) -> None:
    async with raw_server(said) as base:
        client = MistralClient(Home("here", base))
        with pytest.raises(errors.ModelError):
            await client.models()
        await client.aclose()


async def test_fifty_streams_at_once_lose_nothing_and_the_bill_agrees(
    simulator: MistralSimulator, client: MistralClient
) -> None:
    chunks = tuple(f"w{number} " for number in range(40))
    simulator.script = lambda _: Reply(chunks=chunks, chunk_delay=0.001)
    answers = await asyncio.gather(*(answer(client) for _ in range(50)))
    assert {text_of(deltas) for deltas, _ in answers} == {"".join(chunks)}
    model = simulator.catalogue.resolve(MODEL)
    assert model is not None
    told = [deltas[-1].usage for deltas, _ in answers if isinstance(deltas[-1], Finish)]
    assert sum(model.cost(usage, date(2026, 11, 23)) for usage in told if usage) == simulator.billed_microusd
    assert simulator.open_streams == simulator.closed_early == 0
