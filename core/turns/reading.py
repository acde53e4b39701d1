"""One attempt's stream as it comes: its text shown, the rest of it counted and kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from core import errors
from core.chat import Admitted, Delta, Finish, TextDelta, ThinkingDelta, ToolCallDelta, ToolCalls
from core.ports import Clock, LanguageModel, Reply
from core.turns.progress import Attempt, Progress

LONGEST_CALL = 600.0  # seconds; a hold lasts longer


async def read(model: LanguageModel, call: Attempt, reply: Reply, progress: Progress, clock: Clock) -> None:
    """Makes the call's one request and takes down what comes of it.

    Raises ModelError, also where nothing was said that could be an answer, and PlatformError once nothing can be shown.
    """
    try:
        async with asyncio.timeout(LONGEST_CALL):
            await _read(model, call, reply, progress, clock)
    except TimeoutError as error:
        raise errors.SilenceTimeout("the answer did not end in ten minutes") from error


async def _read(model: LanguageModel, call: Attempt, reply: Reply, progress: Progress, clock: Clock) -> None:
    stream = cast("AsyncGenerator[Delta, None]", model.stream(call.request))
    async with aclosing(stream) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                call.texts.append(delta.text)
                _show(delta.text, call, reply, progress, clock)
            elif isinstance(delta, ThinkingDelta):
                call.unseen += len(delta.text.encode("utf-8", "replace"))
            elif isinstance(delta, ToolCallDelta):
                call.unseen += len(delta.name) + len(delta.arguments.encode("utf-8", "replace"))
            elif isinstance(delta, ToolCalls):
                call.tool_calls = delta.calls
            elif isinstance(delta, Admitted):
                call.admitted, call.began, call.began_at = True, clock.now(), clock.monotonic()
            elif isinstance(delta, Finish):
                call.finish = delta
    if call.finish is not None and call.finish.reason == "error":
        raise errors.StreamCut("the model ended with an error")
    if not call.shown and (call.final or not call.tool_calls):
        raise errors.EmptyAnswer()


def _show(text: str, call: Attempt, reply: Reply, progress: Progress, clock: Clock) -> None:
    """Shows more of the text. Raises PlatformError.

    What is blank waits for the first word: an attempt that never says one has shown nothing that another would double.
    """
    if not call.shown:
        text = call.text
        if not text.strip():
            return
        call.first_text_at = clock.monotonic()
        if progress.texts:  # said before tools were called
            text = f"\n\n{text.lstrip()}"
    progress.texts.append(text)
    reply.write(text)
    if (refusal := reply.error()) is not None:
        raise refusal
