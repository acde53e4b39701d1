"""How soon events are acknowledged while many answers stream and images are decoded."""

from __future__ import annotations

import asyncio
import io
import time

from bots.playground.mistral.replies import Body, Reply
from bots.playground.slack.posts import UploadedFile
from tests.bench.stage import ADA, Ground, Stage, Who, last_mark, staged, steady
from tests.bench.table import Row, percentile, verdict

_ROUNDS = 3
_STREAMS = 20
_PACE = 0.025  # seconds between two chunks of each
_EVENTS_A_SECOND = 50
_SECONDS = 5
_LONG, _SHORT = "Q1", "Q2"
_CHANNELS = ("C0GENERAL", "C0RANDOM")
_AIM_MS = 25.0
_UNANSWERED = 60.0


async def measure(ground: Ground) -> list[Row]:
    photos = await asyncio.to_thread(_photos)
    taken: dict[Who, list[tuple[float, float]]] = {"ours": [], "bare": []}
    every = 0
    for _ in range(_ROUNDS):
        for who in ("ours", "bare"):
            arguments = ("--append-every", str(every)) if who == "bare" else ()
            async with staged(who, ground, arguments=arguments) as stage:
                latencies, appends = await _round(stage, photos)
            every = max(1, int(_STREAMS * _SECONDS / _PACE / max(1, appends))) if who == "ours" else every
            taken[who].append((percentile(latencies, 0.5), percentile(latencies, 0.99)))
    rows = []
    for place, name in enumerate(("p50", "p99")):
        mine, theirs = (min(one[place] for one in taken[who]) * 1000 for who in ("ours", "bare"))
        aim = (f"≤ +{_AIM_MS:.0f} ms", verdict(mine - theirs <= _AIM_MS)) if name == "p99" else ("", "")
        what = f"ack {name}, {_EVENTS_A_SECOND} events/s, {_STREAMS} streams, images"
        rows.append(Row(what, f"{mine:.1f} ms", f"{theirs:.1f} ms", f"{mine - theirs:+.1f} ms", *aim))
    return rows


async def _round(stage: Stage, photos: list[UploadedFile]) -> tuple[list[float], int]:
    """Seconds to each acknowledgement, and the appends that the answers made meanwhile."""
    slack, model = stage.slack, stage.model
    model.script = _script
    roots = [await slack.post("U0GRACE", channel, "Lunch?") for channel in _CHANNELS for _ in range(5)]
    for number in range(_STREAMS):
        await slack.post(ADA, _CHANNELS[number % 2], stage.mention(_LONG))
    await model.until(lambda model: model.open_streams >= _STREAMS, 20)
    await asyncio.sleep(0.5)
    began, loop = time.time(), asyncio.get_running_loop()
    start = loop.time()
    for slot in range(_EVENTS_A_SECOND * _SECONDS):
        await asyncio.sleep(start + slot / _EVENTS_A_SECOND - loop.time())
        if slot % 90 == 45:
            photo = photos[slot // 90 % len(photos)]
            await slack.post(ADA, _CHANNELS[0], stage.mention(_SHORT), files=[photo])
        elif slot % 10 == 0:  # comes as two events, so that the next slot is empty
            await slack.post(ADA, _CHANNELS[1], stage.mention(_SHORT))
        elif slot % 10 != 1:
            root = roots[slot % len(roots)]
            channel = _CHANNELS[roots.index(root) // 5]
            await slack.post(ADA, channel, "At noon, downstairs?", thread_ts=root)
    ended = time.time()
    await asyncio.sleep(0.5)
    sent = [one for one in slack.deliveries if one.kind == "events_api" and began <= one.sent_at <= ended]
    appends = sum(call.method in ("chat.appendStream", "chat.update") and call.at >= began for call in slack.calls)
    return [_UNANSWERED if one.latency is None else one.latency for one in sent], appends


def _script(body: Body) -> Reply:
    if last_mark(body) == _LONG:
        return steady(int((_SECONDS + 4) / _PACE), _PACE)
    return Reply(text="At noon.")


def _photos() -> list[UploadedFile]:
    """3000×2000 pixels, as a JPEG and as a PNG."""
    from PIL import Image

    grain = Image.effect_noise((750, 500), 60).resize((3000, 2000))
    shade = Image.linear_gradient("L").resize((3000, 2000))
    photo = Image.merge("RGB", (grain, shade, grain.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
    files = []
    for kind in ("JPEG", "PNG"):
        target = io.BytesIO()
        photo.save(target, kind)
        files.append(UploadedFile(f"photo.{kind.lower()}", target.getvalue(), f"image/{kind.lower()}"))
    return files
