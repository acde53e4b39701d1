"""How evenly answers grow in Discord, and how soon they are whole: one in a channel, and five in another, at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from bots.playground.mistral.replies import Body, Reply
from tests.bench.stage import Ground, Stage, Who, last_mark, staged
from tests.bench.table import Row, percentile, verdict

_CHUNKS = 500
_PACE = 0.025
_ALONE, _CROWD = ("Q1",), ("Q2", "Q3", "Q4", "Q5", "Q6")
_LONGEST_TAIL = 15.0
_AIMS = {"gap max, one": 1.5, "tail, one": 0.5, "tail, five": 5.0}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between the changes of each answer, and from the model's end to the last; how many 429s there were."""

    gaps: dict[str, list[float]]
    tails: dict[str, float]
    refused: int


async def measure(ground: Ground) -> list[Row]:
    ours, bare = await asyncio.gather(_of("ours", ground), _of("bare", ground))
    rows = []
    for crowd, name in ((_ALONE, "one"), (_CROWD, "five")):
        rows.append(_row(f"gap p50, {name}", *(percentile(_gaps(pace, crowd), 0.5) for pace in (ours, bare))))
        rows.append(_row(f"gap max, {name}", *(max(_gaps(pace, crowd)) for pace in (ours, bare))))
        rows.append(_row(f"tail, {name}", *(max(pace.tails[mark] for mark in crowd) for pace in (ours, bare))))
    return [*rows, Row("Discord 429s", str(ours.refused), str(bare.refused), "", "0", verdict(ours.refused == 0))]


async def _of(who: Who, ground: Ground) -> Pace:
    async with staged(who, ground, ("discord",)) as stage:
        return await _watch(stage)


def _row(name: str, mine: float, theirs: float) -> Row:
    aim = _AIMS.get(name)
    told = (f"≤ {aim} s", verdict(mine <= aim)) if aim is not None else ("", "")
    return Row(f"Discord edit {name}", f"{mine:.2f} s", f"{theirs:.2f} s", f"{mine - theirs:+.2f} s", *told)


def _gaps(pace: Pace, crowd: Sequence[str]) -> list[float]:
    return [gap for mark in crowd for gap in pace.gaps[mark]]


async def _watch(stage: Stage) -> Pace:
    discord, model = stage.discord, stage.model
    model.script = _script
    channels = dict.fromkeys(_ALONE, discord.add_channel("one")) | dict.fromkeys(_CROWD, discord.add_channel("five"))
    for mark, channel in channels.items():
        await discord.post("Ada", channel, f"<@{discord.bot_id}> {mark}")
    ends = await _ends(stage, len(channels))
    until = time.time() + _LONGEST_TAIL
    while time.time() < until and not all(_is_whole(stage, channels[mark], mark) for mark in channels):
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    gaps, tails = {}, {}
    for mark, channel in channels.items():
        changes = _changes(stage, channel, mark)
        gaps[mark] = [later - earlier for earlier, later in pairwise(changes)]
        whole = _is_whole(stage, channel, mark)
        tails[mark] = max(0.0, changes[-1] - ends[mark]) if whole else float("inf")
    return Pace(gaps, tails, sum(discord.rate_limited.values()))


async def _ends(stage: Stage, count: int) -> dict[str, float]:
    """When the model sent each answer's last chunk."""
    ends: dict[str, float] = {}
    async with asyncio.timeout(_CHUNKS * _PACE * 2 + 10):
        while len(ends) < count:
            await asyncio.sleep(0.005)
            for request, call in zip(stage.model.requests, stage.model.calls, strict=False):
                mark = last_mark(request.body)
                if mark not in ends and call.completion_tokens >= _tokens(mark):
                    ends[mark] = time.time()
    return ends


def _changes(stage: Stage, channel: str, mark: str) -> list[float]:
    """When what is seen of an answer changed, in all its posts."""
    seen = []
    for post in stage.discord.messages(channel):
        if post.author == stage.discord.bot_id and _word(mark) in post.content:
            before = None
            for at, content in post.edited:
                if content != before:
                    seen.append(at)
                before = content
    return sorted(seen)


def _is_whole(stage: Stage, channel: str, mark: str) -> bool:
    posts = [post.content for post in stage.discord.messages(channel) if post.author == stage.discord.bot_id]
    mine = [content for content in posts if _word(mark) in content]
    return "".join(mine).count(_word(mark)) >= _CHUNKS  # the bare loop cuts words in two


def _word(mark: str) -> str:
    return f"word{mark[1:]}"


def _tokens(mark: str) -> int:
    return _CHUNKS * -(-len(f"{_word(mark)} ") // 4)


def _script(body: Body) -> Reply:
    return Reply(chunks=(f"{_word(last_mark(body))} ",) * _CHUNKS, chunk_delay=_PACE)
