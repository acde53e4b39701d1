"""Five hundred streams at once through one client and its throttle, in a process of its own.

`python -m tests.bench.many_streams BASE_URL` prints, as JSON, chunks that were lost and the memory of a stream.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys

import psutil
import structlog

from bots.playground.mistral.replies import Body, Reply
from bots.playground.mistral.simulator import MistralSimulator
from core.chat import ChatMessage, ChatRequest, TextDelta
from core.clock import SystemClock
from core.mistral.client import MistralClient
from core.mistral.providers.home import Home
from core.mistral.throttle.limits import Limits
from core.mistral.throttle.model import ThrottledModel
from tests.bench.stage import Ground
from tests.bench.subject import ROOT, clean_environment
from tests.bench.table import Row, verdict

_STREAMS = 500
_CHUNKS = 24
_PACE = 0.5
_AIM_KB = 100.0
_MODEL = "mistral-large-2512"
_WORDS = tuple(f"word{number} " for number in range(_CHUNKS))


async def measure(ground: Ground) -> list[Row]:
    simulator = MistralSimulator()
    simulator.script = _script
    async with simulator.running() as base_url:
        command = [sys.executable, "-m", "tests.bench.many_streams", base_url]
        process = await asyncio.create_subprocess_exec(
            *command, env=clean_environment({}), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError("the streams' process failed")
    seen: dict[str, float] = json.loads(told)
    return [
        Row(
            f"chunks lost, {_STREAMS} streams at once in one process",
            f"{seen['lost']:.0f}",
            compared=f"of {_STREAMS * _CHUNKS}; at most {seen['open']:.0f} open at once",
            aim="0",
            met=verdict(seen["lost"] == 0 and seen["open"] == _STREAMS),
        ),
        Row(
            "memory of a stream above idle",
            f"{seen['kilobytes']:.0f} KB",
            aim=f"≤ {_AIM_KB:.0f} KB",
            met=verdict(seen["kilobytes"] <= _AIM_KB),
        ),
    ]


def _script(body: Body) -> Reply:
    warming = body["messages"][-1]["content"] == "warm up"
    return Reply(chunks=_WORDS, chunk_delay=0.0 if warming else _PACE)


async def _streams(base_url: str) -> dict[str, float]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    client = MistralClient(Home("bench", base_url, api_key="bench"))
    model = ThrottledModel(
        client,
        limits=Limits(),
        clock=SystemClock(),
        concurrency=_STREAMS,
        probe=None,
        on_change=lambda _: None,
    )
    process, under_way = psutil.Process(), 0
    most_under_way = 0

    async def read(words: str, account: str) -> int:
        """How many chunks were lost or are not what was sent."""
        nonlocal under_way, most_under_way
        seen: list[str] = []
        request = ChatRequest(_MODEL, (ChatMessage("user", words),), max_tokens=100, account=account)
        async for delta in model.stream(request):
            if isinstance(delta, TextDelta):
                seen.append(delta.text)
                if len(seen) == 1:
                    under_way += 1
                    most_under_way = max(most_under_way, under_way)
        under_way -= 1
        pairs = zip(_WORDS, seen, strict=False)
        return max(len(seen), _CHUNKS) - sum(sent == came for sent, came in pairs)

    for _ in range(5):
        await read("warm up", "slack:T1")
    most_under_way = 0
    gc.collect()
    idle = process.memory_info().rss
    reading = [asyncio.create_task(read("Tell me", f"slack:T{number % 20}")) for number in range(_STREAMS)]
    most = idle
    while not all(task.done() for task in reading):
        await asyncio.sleep(0.2)
        most = max(most, process.memory_info().rss)
    lost = sum([await task for task in reading])
    await model.aclose()
    await client.aclose()
    return {"lost": lost, "open": most_under_way, "kilobytes": (most - idle) / 1000 / _STREAMS}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_streams(sys.argv[1]))))
