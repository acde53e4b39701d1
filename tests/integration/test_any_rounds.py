"""Whatever a model sends over however many rounds: what is shown is what is stored, and every request is paid for."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import errors
from core.chat import Finish, FinishReason, TextDelta, ThinkingDelta, ToolCall, ToolCallDelta, ToolCalls, Usage
from tests.fakes import ScriptedModel, Step, house, message

KINDS: tuple[type[errors.ModelError], ...] = (
    errors.ModelRateLimited,
    errors.ModelOverloaded,
    errors.ModelServerError,
    errors.StreamCut,
    errors.SilenceTimeout,
    errors.ConnectTimeout,
    errors.EmptyAnswer,
    errors.ContextTooLong,
    errors.ModelForbidden,
    errors.ModelNotFound,
)
NEVER_SENT = (errors.ModelHeldBack, errors.ModelGivenUp)
TEXTS = st.sampled_from(["", " ", "\n", "\n\n", "A ", "wind", " \n x", "```\n", "é😀", "  code", "."])
PARTS: st.SearchStrategy[Step] = st.one_of(
    TEXTS.map(TextDelta), TEXTS.map(ThinkingDelta), TEXTS.map(lambda text: ToolCallDelta(0, "calculate", text))
)
CALLED = st.lists(
    st.tuples(
        st.sampled_from(["calculate", "current_time", "fly", ""]),
        st.sampled_from(["{}", "", '{"expression": "1"}', "{"]),
    ),
    min_size=1,
    max_size=3,
).map(lambda wanted: ToolCalls(tuple(ToolCall(f"call{n:05d}", *one) for n, one in enumerate(wanted))))
REASONS: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length", "tool_calls", "error", "unknown"])
FINISHED = st.builds(Finish, REASONS, st.none() | st.just(Usage(7, 3, 2)), st.just("m"), st.none())
FAILED = st.sampled_from([*KINDS, *NEVER_SENT]).map(lambda kind: kind())


@st.composite
def scripts(draw: st.DrawFn) -> list[Step]:
    """One answer of a model: anything, then perhaps calls of tools, then an end or a failure."""
    said = draw(st.lists(PARTS, max_size=5))
    called: list[Step] = [draw(CALLED)] if draw(st.booleans()) else []
    ended: Step = draw(st.one_of(FINISHED, FAILED))
    if isinstance(ended, NEVER_SENT):
        return [ended]
    return [*said, ended] if isinstance(ended, errors.ModelError) else [*said, *called, ended]


def sent(script: list[Step]) -> bool:
    return not isinstance(script[0], NEVER_SENT)


async def _answered(written: list[list[Step]], folder: Path) -> None:
    model = ScriptedModel(*written)
    async with house(folder, model=model) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert reply.answer is not None
        stored = home.rows("SELECT text FROM message WHERE role = 'assistant'")
        assert reply.text == reply.answer.text, "what was shown as it came is what stands in the end"
        assert stored == ([(reply.text,)] if reply.text.strip() else [])
        assert reply.text.strip() or reply.answer.notices, "nobody is left without a word"
        made = [script for script in written[: len(model.requests)] if sent(script)]
        made += [[] for _ in range(len(model.requests) - len(written))]  # the double goes on by itself
        assert home.rows("SELECT count(*) FROM usage") == [(len(made),)]
        assert home.states()[0] in ("done", "failed")
        words = "".join(step.text for script in made for step in script if isinstance(step, TextDelta))
        words += "".join(f"answer {n + 1}" for n in range(len(written), len(model.requests)))
        assert "".join(reply.text.split()) == "".join(words.split()), "each word once, in its order"


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(scripts(), min_size=1, max_size=6))
def test_any_rounds_show_what_they_store_and_every_request_is_a_row(written: list[list[Step]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_answered(written, Path(folder)))
