"""CPU per 1000 streamed chunks: our client, raw httpx bytes, and the official SDKs, against one local server.

`python -m tests.bench.client_cpu [--json]` prints milliseconds of this process's CPU; the server runs in a process
of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import msgspec
import structlog
from aiohttp import web

from core.chat import ChatMessage, ChatRequest, TextDelta
from core.mistral.client import MistralClient
from core.mistral.providers.home import Home

MODEL = "mistral-large-2512"
_BODY = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4096, "stream": True}
_REQUEST = ChatRequest(MODEL, (ChatMessage("user", "Hello"),), max_tokens=4096)
Run = Callable[[], Awaitable[int]]


def measure(chunks: int = 2000, rounds: int = 7) -> dict[str, float]:
    """CPU milliseconds per 1000 chunks by client: the least of `rounds` streams of `chunks` chunks, taken in turn.

    The least, as what disturbs a run (another process, a collection) only ever adds to it.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with _server(chunks) as base_url:
        return asyncio.run(_measure(base_url, chunks, rounds))


async def _measure(base_url: str, chunks: int, rounds: int) -> dict[str, float]:
    async with contextlib.AsyncExitStack() as closing:
        runs = await _clients(base_url, closing)
        costs: dict[str, list[float]] = {name: [] for name in runs}
        for round_ in range(rounds + 1):
            for name, run in runs.items():
                gc.collect()
                began = time.process_time()
                pieces = await run()
                spent = (time.process_time() - began) * 1_000_000 / chunks
                if pieces < (chunks if name != "raw httpx bytes" else 1):
                    raise AssertionError(f"{name} saw {pieces} of {chunks} chunks")
                if round_:  # the first one warms up
                    costs[name].append(spent)
        return {name: round(min(spent), 2) for name, spent in costs.items()}


async def _clients(base_url: str, closing: contextlib.AsyncExitStack) -> dict[str, Run]:
    http = await closing.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=60))
    ours = MistralClient(Home("bench", base_url, api_key="bench"))
    closing.push_async_callback(ours.aclose)
    payload = msgspec.json.encode(_BODY)

    async def raw() -> int:
        pieces = 0
        headers = {"content-type": "application/json", "authorization": "Bearer bench"}
        url = f"{base_url}/v1/chat/completions"
        async with http.stream("POST", url, content=payload, headers=headers) as response:
            async for _ in response.aiter_bytes():
                pieces += 1
        return pieces

    async def bise() -> int:
        pieces = 0
        async for delta in ours.stream(_REQUEST):
            pieces += isinstance(delta, TextDelta)
        return pieces

    runs: dict[str, Run] = {"raw httpx bytes": raw, "bise": bise}
    return {**runs, **await _sdks(base_url, closing)}


async def _sdks(base_url: str, closing: contextlib.AsyncExitStack) -> dict[str, Run]:
    runs: dict[str, Run] = {}
    messages: Any = _BODY["messages"]
    with contextlib.suppress(ImportError):
        from openai import AsyncOpenAI

        openai = AsyncOpenAI(api_key="bench", base_url=f"{base_url}/v1", max_retries=0)
        closing.push_async_callback(openai.close)

        async def run_openai() -> int:
            pieces = 0
            stream: Any = await openai.chat.completions.create(
                model=MODEL, messages=messages, max_tokens=4096, stream=True
            )
            async for chunk in stream:
                pieces += bool(chunk.choices and chunk.choices[0].delta.content)
            return pieces

        runs["openai SDK"] = run_openai
    with contextlib.suppress(ImportError):
        from mistralai.client import Mistral

        mistral = await closing.enter_async_context(Mistral(api_key="bench", server_url=base_url))

        async def run_mistralai() -> int:
            pieces = 0
            stream = await mistral.chat.stream_async(model=MODEL, messages=messages, max_tokens=4096)
            async for event in stream:
                pieces += bool(event.data.choices and event.data.choices[0].delta.content)
            return pieces

        runs["mistralai SDK"] = run_mistralai
    return runs


@contextlib.contextmanager
def _server(chunks: int) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.bench.client_cpu", "--serve", str(chunks)]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


async def _serve(chunks: int) -> None:
    """Sends chunks as Mistral does: an HTTP chunk for each event, padded, usage on the last."""
    events = [
        _event({"content": f"word{number} "}, None, padding="abcdefgh"[: number % 8 + 1]) for number in range(chunks)
    ]
    usage = {"prompt_tokens": 4, "completion_tokens": chunks, "total_tokens": chunks + 4}
    last = [_event({"content": ""}, "stop", usage=usage), b"data: [DONE]\n\n"]

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for event in (*events, *last):
            await response.write(event)
        await response.write_eof()
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def _event(delta: dict[str, str], reason: str | None, padding: str = "", **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    chunk = {"id": "cmpl-0123456789", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": MODEL}
    return b"data: %b\n\n" % msgspec.json.encode({**chunk, "choices": [choice], "p": padding, **more})


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        asyncio.run(_serve(int(sys.argv[2])))
        return
    costs = measure()
    if sys.argv[1:] == ["--json"]:
        print(json.dumps(costs))
        return
    raw = costs["raw httpx bytes"]
    for name, cost in costs.items():
        print(f"{name:18} {cost:8.1f} ms CPU per 1000 chunks   {cost / raw:5.2f} x raw")


if __name__ == "__main__":
    main()
