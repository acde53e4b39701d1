"""Tools: what a model is told of a function, and what it is answered, whatever it writes and whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from core.chat import ToolCall
from core.turns.tools import CALLS_AT_ONCE, LONGEST_ARGUMENTS, LONGEST_RESULT, Toolbox, ToolFunction
from tests.fakes import PATIENCE, ManualClock

SECRET = "a-password-of-the-tests"


async def weather(
    place: Annotated[str, Field(description="A town")], days: Annotated[int, Field(ge=1, le=7)] = 1
) -> dict[str, object]:
    """The weather
    of some days."""
    return {"place": place, "days": days}


async def units(system: Literal["metric", "imperial"]) -> str:
    """Chooses units."""
    return system


async def broken() -> str:
    """Always fails."""
    raise RuntimeError(SECRET)


async def endless() -> str:
    """Never ends."""
    await asyncio.Event().wait()
    return "never"


async def long() -> str:
    """Says a lot."""
    return "a" * (LONGEST_RESULT + 1)


class Colour(StrEnum):
    RED = "red"


async def nested(colour: Colour) -> str:
    """Takes a type of its own."""
    return colour.value


async def positional(place: str, /) -> str:
    """Takes an argument without a name."""
    return place


async def undescribed() -> str:
    return ""


def not_async() -> Awaitable[str]:
    """Gives an awaitable, but is not one."""
    return asyncio.sleep(0, "")


def box(*functions: Callable[..., Awaitable[object]], patience: float = PATIENCE) -> Toolbox:
    return Toolbox([ToolFunction.of(one, patience=patience) for one in functions], clock=ManualClock())


def asked(name: str, arguments: Any = None, call: str = "call00001") -> ToolCall:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return ToolCall(call, name, text)


async def answer(tools: Toolbox, call: ToolCall) -> Any:
    (message,) = await tools.call_all((call,))
    return json.loads(str(message.content))


async def fault(tools: Toolbox, call: ToolCall) -> str:
    """The sentence that a call is answered with, which is all that the answer has."""
    answered = await answer(tools, call)
    assert list(answered) == ["error"]
    return str(answered["error"])


# what a model is told


def test_a_function_is_offered_by_its_name_docstring_and_signature() -> None:
    (tool,) = box(weather).offered
    assert (tool.name, tool.description) == ("weather", "The weather of some days.")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "place": {"type": "string", "description": "A town"},
            "days": {"type": "integer", "minimum": 1, "maximum": 7, "default": 1},
        },
        "required": ["place"],
        "additionalProperties": False,
    }


def test_a_function_without_parameters_takes_an_empty_object() -> None:
    (tool,) = box(broken).offered
    assert tool.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("function", "why"),
    [(nested, r"\$defs"), (positional, "without names"), (undescribed, "docstring"), (not_async, "not an async")],
)
def test_a_function_that_cannot_be_offered_well_is_refused_at_once(function: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ToolFunction.of(function)


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        box(units, units)


# what a model is answered


async def test_a_result_names_its_call_and_its_tool() -> None:
    (message,) = await box(weather).call_all((asked("weather", {"place": "Nyon"}, "abcdefghi"),))
    assert (message.role, message.tool_call_id, message.name) == ("tool", "abcdefghi", "weather")
    assert message.content == '{"place":"Nyon","days":1}'


async def test_text_is_answered_as_it_is() -> None:
    (message,) = await box(units).call_all((asked("units", {"system": "metric"}),))
    assert message.content == "metric"


async def test_arguments_that_are_left_empty_are_an_empty_object() -> None:
    assert await answer(box(weather), asked("weather", " ")) == {"error": "place: Missing required argument"}
    assert "RuntimeError" in await fault(box(broken), asked("broken", ""))


async def test_calls_run_side_by_side_and_are_answered_in_their_order() -> None:
    met = asyncio.Barrier(2)

    async def first() -> str:
        """Waits for the second, and ends after it."""
        await met.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        return "first"

    async def second() -> str:
        """Waits for the first."""
        await met.wait()
        return "second"

    messages = await box(first, second).call_all((asked("first", call="1"), asked("second", call="2")))
    assert [(one.tool_call_id, one.content) for one in messages] == [("1", "first"), ("2", "second")]


async def test_no_calls_have_no_answers() -> None:
    assert await box(weather).call_all(()) == ()


async def test_an_unknown_tool_is_answered_with_those_that_there_are() -> None:
    assert await fault(box(weather, units), asked("wether")) == "There is no tool wether. There are: weather, units."


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("{", "The arguments are not JSON."),
        ('{"place": "Nyon"', "The arguments are not JSON."),
        ("[" * 5000, "The arguments are not JSON."),
        ('{"place": "\\ud800"}', "The arguments are not JSON."),
        ('["Nyon"]', "The arguments must be a JSON object."),
        ('"Nyon"', "The arguments must be a JSON object."),
        ("null", "The arguments must be a JSON object."),
        (json.dumps({"place": "é" * (LONGEST_ARGUMENTS // 2)}, ensure_ascii=False), "The arguments are too large: 64"),
        ('{"days": 2}', "place: Missing required argument"),
        ('{"place": 5}', "place: Input should be a valid string"),
        (
            '{"place": "Nyon", "days": 9, "hour": 1}',
            "days: Input should be less than or equal to 7\nhour: Unexpected keyword argument",
        ),
    ],
)
async def test_arguments_that_do_not_fit_are_told_field_by_field(arguments: str, why: str) -> None:
    assert (await fault(box(weather), asked("weather", arguments))).startswith(why)


async def test_half_a_surrogate_pair_in_the_arguments_is_answered_and_so_are_the_other_calls() -> None:
    halved = ToolCall("1", "units", '{"system": "\ud800"}')
    refused, good = await box(units).call_all((halved, asked("units", {"system": "metric"})))
    assert refused.content == '{"error": "The arguments are not JSON."}'
    assert good.content == "metric"


async def test_complaints_about_many_fields_stay_short() -> None:
    told = await fault(box(weather), asked("weather", {"x" * 500 + str(number): 1 for number in range(100)}))
    assert told.endswith("and 91 more")
    assert len(told) < 1500


async def test_a_tool_that_fails_tells_the_model_its_kind_and_nothing_else() -> None:
    assert await fault(box(broken), asked("broken")) == "The tool failed: RuntimeError."


async def test_a_tool_that_takes_too_long_is_stopped_and_the_others_are_answered() -> None:
    tools = box(endless, units, patience=0.02)
    async with asyncio.timeout(PATIENCE):
        late, good = await tools.call_all((asked("endless"), asked("units", {"system": "metric"})))
    assert "took longer than 0.02 seconds" in str(late.content)
    assert good.content == "metric"


async def test_a_time_out_of_the_tool_s_own_is_its_failure_and_not_ours() -> None:
    async def impatient() -> str:
        """Gives up by itself."""
        raise TimeoutError(SECRET)

    assert await fault(box(impatient), asked("impatient")) == "The tool failed: TimeoutError."


async def test_a_tool_that_cancels_itself_does_not_cancel_the_turn() -> None:
    async def fainting() -> str:
        """Waits for what somebody else has cancelled."""
        raise asyncio.CancelledError

    assert await fault(box(fainting), asked("fainting")) == "The tool was stopped."


async def test_a_result_that_json_cannot_show_is_a_failure_of_the_tool() -> None:
    async def strange() -> object:
        """Gives an object."""
        return object()

    assert "PydanticSerializationError" in await fault(box(strange), asked("strange"))


async def test_half_a_surrogate_pair_in_a_result_can_still_be_sent() -> None:
    async def half() -> str:
        """Gives half of a pair."""
        return "a\ud800"

    (message,) = await box(half).call_all((asked("half"),))
    assert message.content == "a?"


async def test_a_long_result_is_cut_and_says_so() -> None:
    (message,) = await box(long).call_all((asked("long"),))
    text = str(message.content)
    assert text == "a" * LONGEST_RESULT + "\n[cut: only the first 8,000 characters are shown]"


async def test_of_too_many_calls_at_once_the_rest_is_refused() -> None:
    calls = tuple(asked("units", {"system": "metric"}, str(number)) for number in range(CALLS_AT_ONCE + 2))
    messages = await box(units).call_all(calls)
    assert [one.tool_call_id for one in messages] == [call.id for call in calls]
    assert {str(one.content) for one in messages[:CALLS_AT_ONCE]} == {"metric"}
    assert all("Only 16 tools" in str(one.content) for one in messages[CALLS_AT_ONCE:])


async def test_a_cancellation_passes_and_ends_every_call() -> None:
    began, ended = asyncio.Semaphore(0), []

    async def patient(name: str) -> str:
        """Waits until it is stopped."""
        began.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)
        return name

    work = asyncio.create_task(
        box(patient).call_all((asked("patient", {"name": "one"}), asked("patient", {"name": "two"})))
    )
    async with asyncio.timeout(PATIENCE):
        await began.acquire()
        await began.acquire()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert sorted(ended) == ["one", "two"]


# what is logged


async def test_the_log_has_names_and_outcomes_but_no_words() -> None:
    tools = box(weather, broken)
    with structlog.testing.capture_logs() as logs:
        await tools.call_all(
            (asked("weather", {"place": SECRET}), asked("weather", {SECRET: 1}), asked("broken"), asked(SECRET))
        )
    assert [(one["event"], one["name"], one["outcome"], one["why"], one["ms"]) for one in logs] == [
        ("tool.call", "weather", "ok", None, 0),
        ("tool.call", "weather", "invalid", None, 0),
        ("tool.call", "broken", "raised", "RuntimeError", 0),
        ("tool.call", "unknown", "unknown", None, 0),
    ]
    assert SECRET not in str(logs)


@given(
    st.text(max_size=200) | st.from_regex(r'\A\{("place"|"days"|"x"): ?[\[{"0-9.eEa-z\\-]*\}?\Z'), st.text(max_size=80)
)
def test_whatever_a_model_writes_is_answered(arguments: str, name: str) -> None:
    async def scene() -> None:
        calls = (ToolCall("1", "weather", arguments), ToolCall("2", name, arguments))
        messages = await box(weather).call_all(calls)
        assert [one.tool_call_id for one in messages] == ["1", "2"]
        for one in messages:
            assert isinstance(json.loads(str(one.content)), dict)

    asyncio.run(scene())
