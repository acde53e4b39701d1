"""The tools that come with Bise."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.chat import ToolCall
from core.store.recent import RecentMessage
from core.turns.built_in_tools import BUILT_IN_NAMES, Recent, built_in
from core.turns.tools import CALLS_AT_ONCE, LONGEST_RESULT, Toolbox
from tests.fakes import T0, ManualClock

ZURICH = ZoneInfo("Europe/Zurich")


def heard(*messages: RecentMessage) -> Recent:
    async def recent(limit: int) -> list[RecentMessage]:
        return list(messages)[-limit:]

    return recent


def box(
    recent: Recent | None = None, names: tuple[str, ...] = BUILT_IN_NAMES, clock: ManualClock | None = None
) -> Toolbox:
    return built_in(names, zone=ZURICH, clock=clock or ManualClock(), recent=recent)


async def asked(tools: Toolbox, name: str, **arguments: Any) -> dict[str, Any]:
    (message,) = await tools.call_all((ToolCall("1", name, json.dumps(arguments)),))
    found = json.loads(str(message.content))
    assert isinstance(found, dict)
    return found


def named(tools: Toolbox) -> list[str]:
    return [tool.name for tool in tools.offered]


async def test_the_longest_calculations_of_a_round_leave_the_event_loop_free() -> None:
    longest = json.dumps({"expression": "+".join(["sqrt(2)**999/sqrt(3)**999"] * 38)})
    calls = tuple(ToolCall(str(place), "calculate", longest) for place in range(CALLS_AT_ONCE))
    work, turns = asyncio.create_task(box(None).call_all(calls)), 0
    while not work.done():
        await asyncio.sleep(0)
        turns += 1
    assert all("E-87" in str(one.content) for one in work.result())
    assert turns > 100, "each that is calculated in the loop would take one turn alone"


# what is offered


def test_every_built_in_tool_is_offered_where_the_workspace_has_turned_on_recent_messages() -> None:
    assert named(box(heard())) == list(BUILT_IN_NAMES)


def test_recent_messages_are_not_offered_where_they_are_not_turned_on() -> None:
    assert named(box(None)) == ["current_time", "calculate"]


def test_an_assistant_has_the_tools_that_it_names_in_one_fixed_order() -> None:
    assert named(box(heard(), ("calculate", "current_time"))) == ["current_time", "calculate"]
    assert named(box(heard(), ())) == []


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="There is no tool clock"):
        box(None, ("clock",))


def test_the_offer_is_the_same_at_every_hour_and_for_every_turn() -> None:
    clock = ManualClock()
    first = box(heard(), clock=clock).offered
    clock.advance(5 * 3600)
    assert repr(box(heard(RecentMessage("Ada", "Brr", T0)), clock=clock).offered) == repr(first)


# the time


async def test_the_time_is_that_of_the_workspace() -> None:
    assert await asked(box(), "current_time") == {
        "date": "2026-11-23",
        "time": "13:00:00",
        "weekday": "Monday",
        "zone": "Europe/Zurich",
        "utc_offset": "+0100",
    }


async def test_the_time_of_another_zone_is_given_where_it_is_asked_for() -> None:
    clock = ManualClock()
    clock.advance(13 * 3600)
    found = await asked(box(clock=clock), "current_time", zone="Asia/Tokyo")
    assert (found["date"], found["time"], found["weekday"]) == ("2026-11-24", "10:00:00", "Tuesday")
    assert (found["zone"], found["utc_offset"]) == ("Asia/Tokyo", "+0900")


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "a" * 5000])
async def test_what_is_no_zone_is_told_with_examples(zone: str) -> None:
    assert "Europe/Zurich" in (await asked(box(), "current_time", zone=zone))["error"]


# arithmetic


async def test_a_sum_is_calculated_exactly() -> None:
    assert await asked(box(), "calculate", expression="0.1 + 0.2") == {"result": "0.3", "exact": True}


async def test_a_fraction_has_its_decimal_beside_it() -> None:
    found = await asked(box(), "calculate", expression="1/3")
    assert found == {"result": "1/3", "exact": True, "decimal": "0.333333333333333333333333333333"}


async def test_a_root_says_that_it_is_not_exact() -> None:
    assert (await asked(box(), "calculate", expression="sqrt(2)"))["exact"] is False


async def test_a_mistake_is_told_in_a_sentence() -> None:
    assert await asked(box(), "calculate", expression="1/0") == {"error": "A division by zero has no result."}


# recent messages


async def test_recent_messages_have_author_text_and_local_time_the_bot_s_own_no_author() -> None:
    recent = heard(RecentMessage("Ada", "Brr é", T0), RecentMessage(None, "Indeed.", T0 + timedelta(minutes=1)))
    assert await asked(box(recent), "recent_messages") == {
        "messages": [
            {"author": "Ada", "text": "Brr é", "sent_at": "2026-11-23 13:00"},
            {"author": None, "text": "Indeed.", "sent_at": "2026-11-23 13:01"},
        ],
        "older_left_out": 0,
    }


async def test_recent_messages_are_bounded_by_the_limit_asked_for() -> None:
    recent = heard(*(RecentMessage("Ada", str(number), T0) for number in range(60)))
    assert len((await asked(box(recent), "recent_messages"))["messages"]) == 20
    assert len((await asked(box(recent), "recent_messages", limit=50))["messages"]) == 50
    for limit in (0, 51):
        assert (await asked(box(recent), "recent_messages", limit=limit))["error"].startswith("limit: ")


@pytest.mark.parametrize("text", ["w" * 2000, '"\\\n' * 600, "é" * 2000, "\u0001" * 2000])
async def test_when_the_room_is_short_the_newest_messages_are_shown_whole(text: str) -> None:
    recent = heard(*(RecentMessage("Ada", f"{number}{text}", T0) for number in range(9)))
    (message,) = await box(recent).call_all((ToolCall("1", "recent_messages", "{}"),))
    assert len(str(message.content)) <= LONGEST_RESULT
    found = json.loads(str(message.content))
    shown = [one["text"] for one in found["messages"]]
    assert found["older_left_out"] == 9 - len(shown)
    assert shown == [f"{number}{text}" for number in range(9 - len(shown), 9)]
