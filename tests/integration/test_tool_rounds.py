"""Rounds of tool calls: what the model is told of its tools and of what they gave, what is shown, what is paid for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.playground.mistral.replies import Reply
from bots.playground.mistral.simulator import MistralSimulator
from core import errors
from core.chat import Admitted, Finish, ThinkingDelta, ToolCall, ToolCallDelta, ToolCalls, Usage
from core.messages import Answer
from core.turns import tools
from core.turns.asking import ROUNDS
from core.turns.estimate import TokenEstimate
from core.turns.tools import ToolFunction
from tests import fakes
from tests.databases import Place, house
from tests.fakes import PATIENCE, TEAM, ScriptedModel, direct, message, said
from tests.integration.asking_world import SUM, calls, results, workshop

LEDGER = "SELECT attempt, outcome, prompt_tokens, completion_tokens, estimated FROM usage ORDER BY id"
NOW = ("current_time", '{"zone": "Europe/Zurich"}')


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="a-key-of-the-tests")
    async with simulator.running():
        yield simulator


# one round after the other


async def test_a_tool_is_called_and_its_result_is_in_the_next_request(
    simulator: MistralSimulator, place: Place
) -> None:
    wanted = (ToolCall("abcdefgh1", *SUM), ToolCall("abcdefgh2", *NOW))
    simulator.then(Reply(tool_calls=wanted), Reply(text="It is 399."))
    async with house(place, simulator=simulator) as home:
        await home.hear(message("How much is 19 * 21?"))
        (reply,) = home.platform.replies
        assert reply.answer == Answer("It is 399.", "done")
        assert reply.text == "It is 399."
        assert reply.statuses == [("thinking", 0), ("using_tool", 0), ("thinking", 0)]
        assert home.rows("SELECT sum(cost_microusd), count(*) FROM usage") == [(simulator.billed_microusd, 2)]
    first, second = (one.body for one in simulator.requests)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["current_time", "calculate"]
    assert second["tools"] == first["tools"]
    assert second["messages"][: len(first["messages"])] == first["messages"], "the cache finds the beginning again"
    asked, *answered = second["messages"][len(first["messages"]) :]
    assert [call["id"] for call in asked["tool_calls"]] == ["abcdefgh1", "abcdefgh2"]
    assert [(one["role"], one["tool_call_id"], one["name"]) for one in answered] == [
        ("tool", "abcdefgh1", "calculate"),
        ("tool", "abcdefgh2", "current_time"),
    ]
    assert json.loads(answered[0]["content"])["result"] == "399"
    assert json.loads(answered[1]["content"])["zone"] == "Europe/Zurich"


async def test_calls_that_come_in_parts_are_put_together(simulator: MistralSimulator, tmp_path: Path) -> None:
    simulator.then(Reply(tool_calls=(ToolCall("abcdefgh1", *SUM),), call_parts=3), Reply(text="399."))
    async with fakes.house(tmp_path, simulator=simulator) as home:
        await home.hear(message())
        assert home.platform.replies[0].text == "399."
    (tool,) = [one for one in simulator.requests[1].body["messages"] if one["role"] == "tool"]
    assert json.loads(tool["content"])["result"] == "399"


async def test_every_round_is_a_row_of_its_own_with_its_own_tokens(place: Place) -> None:
    model = ScriptedModel(calls(SUM, usage=Usage(50, 10)), calls(SUM, usage=Usage(80, 11)), ["399."])
    async with house(place, model=model) as home:
        await home.hear(message(), message(id="2"))
        assert home.rows(LEDGER) == [
            (1, "tool_calls", 50, 10, 0),
            (2, "tool_calls", 80, 11, 0),
            (3, "ok", 100, 20, 0),
            (1, "ok", 100, 20, 0),
        ]
        cost = await home.core.cost_of(TEAM, 1)
        assert (cost.calls, cost.prompt_tokens, cost.completion_tokens) == (3, 230, 41)


async def test_what_was_said_before_a_tool_stays_before_the_answer(place: Place) -> None:
    model = ScriptedModel(
        calls(SUM, text="Let me compute."), calls(NOW, text="\n And look at the clock."), ["\n", " ", "It is ", "399."]
    )
    whole = "Let me compute.\n\nAnd look at the clock.\n\nIt is 399."
    async with house(place, model=model) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert (reply.text, reply.answer) == (whole, Answer(whole, "done"))
        assert home.rows("SELECT text FROM message WHERE role = 'assistant'") == [(whole,)]
        await home.hear(said("Sure?", "2"))
    asked = [one for one in model.requests[2].messages if one.tool_calls]
    assert [one.content for one in asked] == ["Let me compute.", "\n And look at the clock."], "the model's own words"
    assert model.prompts()[3][1] == ("assistant", whole)


async def test_at_most_eight_calls_are_made_and_in_the_last_no_tool_may_be_called(place: Place) -> None:
    model = ScriptedModel(*[calls(SUM) for _ in range(ROUNDS - 1)], ["399."], ["never"])
    async with house(place, model=model) as home:
        await home.hear(message())
        assert home.platform.replies[0].answer == Answer("399.", "done")
        assert home.rows("SELECT count(*) FROM usage") == [(8,)]
    assert [request.tool_choice for request in model.requests] == [None] * 7 + ["none"]
    assert all(request.tools == model.requests[0].tools for request in model.requests), "and so the cache is hit"


async def test_who_calls_a_tool_where_none_may_be_called_is_not_taken_for_an_answer(place: Place) -> None:
    model = ScriptedModel(*[calls(SUM) for _ in range(ROUNDS + 5)])
    async with house(place, model=model) as home:
        await home.hear(message())
        answer = home.platform.answers[0]
        assert answer is not None
        assert (answer.outcome, home.platform.told()) == ("failed", ["empty_answer"])
        assert home.rows("SELECT count(*) FROM usage") == [(len(model.requests),)]
    assert [request.tool_choice for request in model.requests] == [None] * 7 + ["none"]


async def test_an_empty_answer_and_its_repeat_are_two_of_the_eight_rounds(place: Place) -> None:
    model = ScriptedModel(calls(SUM), [""], *[calls(SUM) for _ in range(ROUNDS - 3)], ["399."], ["never"])
    async with house(place, model=model) as home:
        await home.hear(message())
        assert home.platform.replies[0].answer == Answer("399.", "done")
    assert [request.tool_choice for request in model.requests] == [None] * 7 + ["none"]


async def test_results_that_fill_a_quarter_of_the_context_end_the_calling(tmp_path: Path) -> None:
    async def read_all() -> str:
        """Reads everything."""
        return "word " * 1600

    model = ScriptedModel(*[calls(*[("read_all", "{}")] * 15)] * 2, ["Enough."])
    async with workshop(tmp_path, model, ToolFunction.of(read_all)) as here:
        await here.home.core.accept(message())
        await here.run()
        assert here.home.platform.replies[0].answer == Answer("Enough.", "done")
    assert [request.tool_choice for request in model.requests] == [None, None, "none"]


# what goes wrong in a round


async def test_unknown_tools_and_bad_arguments_are_answered_to_the_model(place: Place) -> None:
    bad = [
        ("fly", "{}"),
        ("calculate", "19 *"),
        ("calculate", '{"sum": 1}'),
        ("calculate", '{"expression": "1/0"}'),
        SUM,
    ]
    model = ScriptedModel(calls(*bad), ["Sorry."])
    async with house(place, model=model) as home:
        await home.hear(message())
        assert home.platform.replies[0].answer == Answer("Sorry.", "done")
    told = results(model.requests[1])
    assert [name for name, _ in told] == [name for name, _ in bad]
    assert ["error" in content for _, content in told] == [True, True, True, True, False]


async def test_a_tool_that_hangs_is_timed_out_and_the_model_answers_without_it(tmp_path: Path) -> None:
    async def hang() -> str:
        """Never ends."""
        await asyncio.Event().wait()
        return "never"

    async def work() -> str:
        """Ends."""
        return "done"

    model = ScriptedModel(calls(("hang", "{}"), ("work", "{}")), ["Without it."])
    async with workshop(tmp_path, model, ToolFunction.of(hang, patience=0.05), ToolFunction.of(work)) as here:
        await here.home.core.accept(message())
        await here.run()
        assert here.home.platform.replies[0].answer == Answer("Without it.", "done")
    hung, worked = (one.content for one in model.requests[1].messages if one.role == "tool")
    assert "took longer" in str(hung)
    assert worked == "done"


async def test_stop_during_a_tool_ends_the_tool_and_the_turn(tmp_path: Path) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang() -> str:
        """Never ends."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "never"

    model = ScriptedModel(calls(("hang", "{}"), text="Let me see."))
    async with workshop(tmp_path, model, ToolFunction.of(hang)) as here:
        await here.home.core.accept(message())
        running = here.begin()
        async with asyncio.timeout(PATIENCE):
            await began.wait()
            here.controls.interrupt(1)
            await running
        assert ended.is_set()
        answer = here.home.platform.answers[0]
        assert answer is not None
        assert (answer.text, answer.outcome, here.home.platform.told()) == ("Let me see.", "cancelled", ["stopped"])
        assert here.home.states() == ["cancelled"]
        assert here.home.rows(LEDGER) == [(1, "tool_calls", 50, 10, 0)], "the call that was made, once"
    assert len(model.requests) == 1


async def test_an_empty_answer_after_tools_is_asked_for_again_and_then_told(place: Place) -> None:
    model = ScriptedModel(calls(SUM, text="Let me compute."), [" "], ["\n"])
    async with house(place, model=model) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert reply.answer is not None
        assert (reply.text, reply.answer.text) == ("Let me compute.", "Let me compute.")
        assert (reply.answer.outcome, home.platform.told()) == ("failed", ["empty_answer"])
        assert [row[1] for row in home.rows(LEDGER)] == ["tool_calls", "empty_answer", "empty_answer"]


async def test_blanks_that_nothing_follows_are_not_shown_twice(place: Place) -> None:
    async with house(place, model=ScriptedModel([" \n"], ["\n\n", "Yes."])) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert reply.text == "\n\nYes."
        assert reply.answer == Answer("\n\nYes.", "done")


async def test_a_failure_in_a_later_round_is_tried_again_without_calling_the_tools_again(tmp_path: Path) -> None:
    called = []

    async def count() -> str:
        """Counts."""
        called.append(1)
        return str(len(called))

    model = ScriptedModel(calls(("count", "{}"), text="One moment."), [errors.ModelOverloaded()], ["One."])
    async with workshop(tmp_path, model, ToolFunction.of(count)) as here:
        await here.home.core.accept(message())
        await here.run()
        assert here.home.platform.replies[0].answer == Answer("One moment.\n\nOne.", "done")
        assert [row[1] for row in here.home.rows(LEDGER)] == ["tool_calls", "model_overloaded", "ok"]
    assert called == [1]
    assert model.requests[1].messages == model.requests[2].messages


async def test_a_stream_cut_in_a_later_round_keeps_the_text_of_all(place: Place) -> None:
    model = ScriptedModel(calls(SUM, text="Let me compute."), ["It is ", errors.StreamCut()])
    async with house(place, model=model) as home:
        await home.hear(message())
        answer = home.platform.answers[0]
        assert answer is not None
        assert (answer.text, answer.outcome) == ("Let me compute.\n\nIt is ", "failed")
        assert home.platform.told() == ["stream_cut"]
        assert home.platform.replies[0].text == answer.text


async def test_too_many_tokens_halve_what_was_shown_also_far_below_the_limit(tmp_path: Path) -> None:
    too_long = [errors.ContextTooLong()]
    model = ScriptedModel(*[["Yes."] for _ in range(5)], calls(SUM), too_long, ["399."])
    async with fakes.house(tmp_path, model=model, history_tokens=16_000) as home:
        await home.hear(*(direct("w" * 400, str(number)) for number in range(1, 7)))
        assert home.states()[-1] == "done"
        assert [row[1] for row in home.rows(LEDGER)][-3:] == ["tool_calls", "context_too_long", "ok"]
    shown = [[one for one in request.messages if one.role == "user"] for request in model.requests]
    assert [len(users) for users in shown[-3:]] == [6, 6, 3]
    assert results(model.requests[-1]) == results(model.requests[-2]), "what the tools have said stays"


# money


async def test_without_usage_thoughts_tools_and_their_arguments_are_estimated(tmp_path: Path) -> None:
    arguments = json.dumps({"expression": "1 + " * 400 + "1"})
    silent = Finish("tool_calls", None, "m")
    made = ToolCalls((ToolCall("abcdefgh1", "calculate", arguments),))
    thought = ThinkingDelta("h" * 3500)
    model = ScriptedModel(
        [made, silent],
        [thought, ToolCallDelta(0, "calculate", arguments), made, silent],
        ["Yes.", Finish("stop", None, "m")],
    )
    async with fakes.house(tmp_path, model=model) as home:
        await home.hear(message())
        rows = home.rows("SELECT prompt_tokens, completion_tokens, estimated FROM usage ORDER BY id")
    (first, _, _), (second, thinking, _), (third, _, _) = rows
    assert {estimated for _, _, estimated in rows} == {1}
    guess = TokenEstimate()
    system = str(model.requests[0].messages[0].content)
    assert first > guess.text(system) + 200, "what the tools are is part of the prompt"
    assert second - first > len(arguments) // 5
    assert third - second > len(arguments) // 5
    assert thinking >= (3500 + len(arguments)) // 4


async def test_what_the_tools_take_of_a_prompt_does_not_distort_the_estimate_of_texts(place: Place) -> None:
    model = ScriptedModel(["Yes."])
    async with house(place, model=model) as home:
        await home.hear(message(id="1"))
        (first,) = model.requests
        sent = sum(len(str(one.content)) for one in first.messages) + tools.written(first.tools)
        model.usage = Usage(int(sent / 3.5), 5)
        await home.hear(*(message(id=str(number)) for number in range(2, 27)))
        model.scripts = [["Yes.", Finish("stop", None, "m")]]
        await home.hear(message("w" * 35_000, "27"))
        ((tokens,),) = home.rows("SELECT prompt_tokens FROM usage WHERE estimated")
    assert 9_000 < tokens < 12_000, "35,000 bytes are some 10,000 tokens"


async def test_who_was_stopped_while_waiting_for_a_free_place_has_cost_nothing(tmp_path: Path) -> None:
    model = ScriptedModel([asyncio.Event()], [Admitted(), asyncio.Event()])
    async with workshop(tmp_path, model, queues=True) as here:
        for number in (1, 2):
            await here.home.core.accept(message(id=str(number)))
            running = here.begin(number)
            await model.asked(number)
            here.controls.interrupt(number)
            await running
        assert here.home.states() == ["cancelled", "cancelled"]
        assert here.home.rows("SELECT turn_id, outcome, estimated FROM usage") == [(2, "stopped", 1)]


# what is away, and what dies


async def test_a_database_that_is_away_during_a_round_loses_no_row_of_the_ledger(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([gate, *calls(SUM, text="Let me compute.")], ["399."])
    async with house(place, model=model) as home:
        await home.core.accept(message())
        await model.asked(1)
        place.change("ALTER TABLE usage RENAME TO usage_away")
        gate.set()
        while ("using_tool", 0) not in home.platform.replies[0].statuses:  # the first call could not be written down
            await asyncio.sleep(0.01)
        place.change("ALTER TABLE usage_away RENAME TO usage")  # the second is not made before its money is held
        await model.asked(2)
        await home.settled()
        await home.core.sweep()
        assert home.platform.replies[0].answer == Answer("Let me compute.\n\n399.", "done")
        assert sorted(home.rows("SELECT attempt, outcome FROM usage")) == [(1, "tool_calls"), (2, "ok")]


async def test_a_process_that_dies_between_rounds_loses_and_doubles_nothing(place: Place) -> None:
    gate = asyncio.Event()
    first = ScriptedModel(calls(SUM, text="Let me compute."), [gate, "Too late."])
    async with house(place, model=first, stopped=False) as dying:
        await dying.core.accept(message())
        await first.asked(2)
        second = ScriptedModel(calls(SUM, text="I compute."), ["399."])
        async with house(place, model=second) as home:
            await home.settled()
            whole = "I compute.\n\n399."
            (reply,) = home.platform.replies
            assert (reply.text, reply.answer, reply.order.attempt) == (whole, Answer(whole, "done"), 2)
            assert home.rows("SELECT text FROM message WHERE role = 'assistant'") == [(whole,)]
            assert home.states() == ["done"]
            assert [row[1] for row in home.rows(LEDGER)] == ["tool_calls", "tool_calls", "ok"]
        gate.set()
        await dying.settled()
        assert dying.rows("SELECT count(*) FROM message WHERE role = 'assistant'") == [(1,)]
        assert dying.platform.answers == [None], "whoever lost the turn shows nothing more of it"
        assert dying.rows("SELECT count(*) FROM usage") == [(4,)]
