"""Turns, start to end: what is asked of the model, what is kept, what is shown, what is on the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from bots.playground.mistral.replies import Reply, error
from bots.playground.mistral.simulator import MistralSimulator
from core import errors
from core.chat import Finish, ThinkingDelta, Usage
from core.errors import PlaceForbidden
from core.messages import ConversationKind, Quoted
from core.turns import retry
from tests.databases import Place, house
from tests.fakes import BEN, T0, FakePlatform, ManualClock, ScriptedModel, Step, chained, direct, message, said

LEDGER = "SELECT attempt, model, outcome, estimated FROM usage ORDER BY id"


@pytest.fixture
async def simulator() -> AsyncIterator[MistralSimulator]:
    simulator = MistralSimulator(api_key="a-key-of-the-tests")
    async with simulator.running():
        yield simulator


# a whole answer


async def test_an_answer_is_shown_stored_and_on_the_ledger_to_the_micro_dollar(
    simulator: MistralSimulator, place: Place
) -> None:
    told = Usage(prompt_tokens=90_211, completion_tokens=1_203, cached_tokens=51_200)
    simulator.then(Reply(text="A cold wind.", usage=told, headers={"mistral-correlation-id": "abc"}))
    async with house(place, simulator=simulator) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert (reply.text, home.states()) == ("A cold wind.", ["done"])
        assert reply.answer is not None
        assert (reply.answer.text, reply.answer.notices) == ("A cold wind.", ())
        assert reply.statuses == [("thinking", 0)]
        assert home.rows("SELECT role, text FROM message") == [
            ("person", "What is a bise?"),
            ("assistant", "A cold wind."),
        ]
        exactly = (39_011 * 500_000 + 51_200 * 50_000 + 1_203 * 1_500_000) / 1_000_000
        (row,) = home.rows(
            "SELECT prompt_tokens, cached_tokens, completion_tokens, cost_microusd, estimated, outcome, model,"
            " price_from, local_date, month_period, correlation_id FROM usage"
        )
        assert exactly == 23_870.0
        assert row == (
            90_211,
            51_200,
            1_203,
            23_870,
            0,
            "ok",
            "mistral-large-2512",
            "2025-12-01",
            "2026-11-23",
            "2026-11",
            "abc",
        )


async def test_a_request_names_a_dated_model_its_length_and_the_conversation_as_cache_key(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, max_tokens=99, system_prompt="Be brief.") as home:
        await home.hear(message(), said("And in Nice?", "2"))
    first, second = model.requests
    assert (first.model, first.max_tokens) == ("mistral-large-2512", 99)
    assert first.prompt_cache_key == second.prompt_cache_key
    system = str(first.messages[0].content)
    assert system.startswith("Be brief.\n")
    assert system.endswith("\nToday is Monday, 2026-11-23.")
    assert second.messages[: len(first.messages)] == first.messages, "the beginning stays the same for the cache"


async def test_an_answer_cut_at_its_greatest_length_says_so(place: Place) -> None:
    model = ScriptedModel(["A long", Finish("length", Usage(1, 1), "m")])
    async with house(place, model=model) as home:
        await home.hear(message())
        assert (home.platform.told(), home.states()) == (["length"], ["done"])


async def test_what_a_model_only_thinks_is_not_shown(place: Place) -> None:
    async with house(place, model=ScriptedModel([ThinkingDelta("Hm, "), "A wind."])) as home:
        await home.hear(message())
        assert home.platform.replies[0].text == "A wind."


# the conversation as memory


async def test_a_thread_is_the_memory_with_the_names_of_all_who_wrote(place: Place) -> None:
    model = ScriptedModel(["A wind."])
    async with house(place, model=model) as home:
        await home.hear(message(), said("Brr", "2", author=BEN), said("How cold?", "3", mentioned=True))
    assert model.prompts()[1] == [
        ("user", "Ada: What is a bise?"),
        ("assistant", "A wind."),
        ("user", "Ben: Brr\n\nAda: How cold?"),
    ]


async def test_a_question_asked_while_an_answer_runs_waits_for_it_and_knows_it(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([gate, "A wind."])
    async with house(place, model=model) as home:
        for one in (message(), said("How cold?", "2"), said("Brr", "3", author=BEN)):
            await home.core.accept(one)
        await model.asked(1)
        gate.set()
        await home.settled()
        await home.hear(said("So?", "4", mentioned=True))
    assert model.most_at_once == 1
    assert model.prompts()[1:] == [
        [("user", "Ada: What is a bise?"), ("assistant", "A wind."), ("user", "Ada: How cold?")],
        [
            ("user", "Ada: What is a bise?"),
            ("assistant", "A wind."),
            ("user", "Ada: How cold?"),
            ("assistant", "answer 2"),
            ("user", "Ben: Brr\n\nAda: So?"),
        ],
    ]


async def test_a_question_that_waits_while_the_history_is_reset_is_still_answered(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([gate, "A wind."])
    async with house(place, model=model) as home:
        for one in (message(), said("How cold?", "2"), said("reset", "3", mentioned=True)):
            await home.core.accept(one)
        gate.set()
        await home.settled()
        assert home.states() == ["done", "done", "done"]
        await home.hear(said("New", "4"))
    assert model.prompts()[1:] == [[("user", "Ada: How cold?")], [("user", "Ada: New")]]


async def test_a_chain_shows_the_branch_that_was_replied_to_alone(place: Place) -> None:
    model = ScriptedModel(["a1"], ["a2"])
    async with house(place, model=model, platform=FakePlatform("discord")) as home:
        await home.hear(
            chained("q1", "1"), chained("q2", "2", reply_to="post-of-1"), chained("q3", "3", reply_to="post-of-1")
        )
    first = [("user", "Ada: q1"), ("assistant", "a1")]
    assert model.prompts()[1:] == [[*first, ("user", "Ada: q2")], [*first, ("user", "Ada: q3")]]


async def test_the_message_of_somebody_else_that_was_replied_to_is_context(place: Place) -> None:
    model = ScriptedModel()
    quoted = Quoted("77", BEN, "The bise blew my hat off.", T0)
    async with house(place, model=model, platform=FakePlatform("discord")) as home:
        await home.hear(chained("Why?", "1", reply_to="77", quoted=quoted))
        await home.hear(chained("Sure?", "2", reply_to="77", quoted=quoted, author=BEN))
        assert home.rows("SELECT count(*) FROM message WHERE source_id = '77'") == [(1,)]
    assert model.prompts() == [
        [("user", "Ben: The bise blew my hat off.\n\nAda: Why?")],
        [("user", "Ben: The bise blew my hat off.\n\nBen: Sure?")],
    ]


async def test_a_long_conversation_is_trimmed_in_big_steps_that_are_remembered(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, history_tokens=500) as home:
        for number in range(1, 13):
            await home.hear(direct("w" * 300, str(number)))
        (trimmed,) = home.rows("SELECT trimmed_to_seq FROM conversation")[0]
    lengths = [len(prompt) for prompt in model.prompts()]
    assert max(lengths) <= 11
    assert lengths != sorted(lengths), "it was trimmed"
    begins_anew = [later <= earlier for earlier, later in pairwise(lengths)]
    assert 0 < sum(begins_anew) < len(begins_anew) // 2, "in big steps"
    assert trimmed > 1


# side by side


async def test_conversations_are_answered_side_by_side(place: Place) -> None:
    gate = asyncio.Event()
    script: list[Step] = [gate, "Yes."]
    model = ScriptedModel(*[script] * 5)
    async with house(place, model=model) as home:
        for number in range(1, 6):
            await home.core.accept(message(id=str(number)))
        await model.asked(5)
        assert model.under_way == 5
        gate.set()
        await home.settled()


async def test_no_more_turns_run_at_once_than_the_setting_says(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, max_concurrent_turns=2) as home:
        for number in range(1, 9):
            await home.core.accept(message(id=str(number)))
        await home.settled()
        assert home.states() == ["done"] * 8
    assert model.most_at_once <= 2


# attempts


async def test_a_rate_limit_is_waited_out_as_long_as_the_provider_says(
    simulator: MistralSimulator, place: Place
) -> None:
    simulator.then(error(429, "slow down", code="1300", Retry_After="7"), Reply(text="A wind."))
    async with house(place, simulator=simulator) as home:
        await home.hear(message())
        (reply,) = home.platform.replies
        assert reply.text == "A wind."
        assert reply.statuses == [("thinking", 0), ("waiting_for_model", 0)]
        (waited,) = home.clock.slept
        assert 7.0 <= waited <= 7.7
        assert home.rows(LEDGER) == [
            (1, "mistral-large-2512", "model_rate_limited", 0),
            (2, "mistral-large-2512", "ok", 0),
        ]
        assert home.rows("SELECT sum(cost_microusd) FROM usage") == [(simulator.billed_microusd,)]


async def test_every_attempt_has_a_row_of_its_own_and_what_may_have_cost_is_estimated(place: Place) -> None:
    model = ScriptedModel([errors.ModelUnauthorized()], [errors.ModelServerError()], [errors.StreamCut()], ["Yes."])
    async with house(place, model=model) as home:
        await home.hear(message(), message(id="2"))
        assert home.rows(LEDGER) == [
            (1, "mistral-large-2512", "model_unauthorized", 0),
            (1, "mistral-large-2512", "model_server_error", 1),
            (2, "mistral-large-2512", "stream_cut", 1),
            (3, "mistral-large-2512", "ok", 0),
        ]
        costs = [row[0] for row in home.rows("SELECT cost_microusd FROM usage ORDER BY id")]
        assert costs[0] == 0
        assert min(costs[1:]) > 0
    assert home.platform.told(0) == ["model_unauthorized"]


async def test_the_trying_ends_and_people_are_told_why(place: Place) -> None:
    model = ScriptedModel(*([errors.ModelOverloaded(retry_after=1.0)] for _ in range(9)))
    async with house(place, model=model) as home:
        await home.hear(message())
        assert (home.platform.told(), home.states()) == (["model_overloaded"], ["failed"])
        await home.hear(said("Again?", "2", author=BEN, mentioned=True))
    assert len(model.requests) == 2 * retry.MAX_ATTEMPTS


async def test_a_model_that_the_home_no_longer_has_gives_way_at_once_and_for_good(
    simulator: MistralSimulator, place: Place
) -> None:
    before_it_went = ManualClock(datetime(2026, 5, 30, tzinfo=UTC))
    async with house(place, simulator=simulator, clock=before_it_went, chosen="pixtral-large-2411") as home:
        await home.hear(message(), said("And?", "2"))
        assert home.states() == ["done", "done"]
        assert home.clock.slept == []
        assert home.rows(LEDGER) == [
            (1, "pixtral-large-2411", "model_not_found", 0),
            (2, "mistral-medium-3-5", "ok", 0),
            (1, "mistral-medium-3-5", "ok", 0),
        ]


async def test_a_model_that_nothing_replaces_is_told_by_name(place: Place) -> None:
    async with house(place, model=ScriptedModel([errors.ModelNotFound()])) as home:
        await home.hear(message())
        assert home.platform.told() == ["model_not_found"]


async def test_a_model_without_a_price_is_never_called(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, chosen="gpt-99") as home:
        await home.hear(message())
        assert home.platform.told() == ["unknown_model"]
        assert home.rows("SELECT count(*) FROM usage") == [(0,)]
    assert model.requests == []


async def test_a_context_that_is_too_long_is_trimmed_once_and_asked_again(place: Place) -> None:
    too_long = [errors.ContextTooLong()]
    model = ScriptedModel(["a1"], ["a2"], too_long, ["a3"], too_long, too_long)
    async with house(place, model=model, history_tokens=500) as home:
        await home.hear(*(direct("w" * 400, str(number)) for number in range(1, 4)))
        assert home.states() == ["done"] * 3
        await home.hear(direct("And now?", "4"))
        assert (home.states()[-1], home.platform.told()) == ("failed", ["context_too_long"])
    lengths = [len(prompt) for prompt in model.prompts()]
    assert lengths[:3] == [1, 3, 5]
    assert lengths[3] < lengths[2]
    assert len(lengths) == 6


async def test_a_cut_stream_keeps_its_text_and_its_cost_is_estimated(simulator: MistralSimulator, place: Place) -> None:
    simulator.then(Reply(chunks=("A cold ", "wind ", "from"), cut_after=2))
    async with house(place, simulator=simulator) as home:
        await home.hear(message())
        answer = home.platform.answers[0]
        assert answer is not None
        assert (answer.text, answer.outcome, home.platform.told()) == ("A cold wind ", "failed", ["stream_cut"])
        assert home.rows("SELECT text FROM message WHERE role = 'assistant'") == [("A cold wind ",)]
        assert home.rows(LEDGER) == [(1, "mistral-large-2512", "stream_cut", 1)]
        assert home.rows("SELECT cost_microusd > 0, prompt_tokens > 0, completion_tokens > 0 FROM usage") == [(1, 1, 1)]
    assert len(simulator.requests) == 1, "what people have read is not taken back"


async def test_an_empty_answer_is_asked_for_twice_and_then_told(place: Place) -> None:
    model = ScriptedModel([" \n"], [""])
    async with house(place, model=model) as home:
        await home.hear(message())
        assert home.platform.told() == ["empty_answer"]
        assert (
            home.rows("SELECT outcome, prompt_tokens, completion_tokens FROM usage") == [("empty_answer", 100, 20)] * 2
        )


async def test_on_a_server_of_ones_own_calls_are_counted_and_cost_nothing(place: Place) -> None:
    async with house(place, chosen="my-model", self_hosted=True, mistral_base_url="http://127.0.0.1:1") as home:
        await home.hear(message(), said("cost", "2", mentioned=True))
        assert home.rows("SELECT model, cost_microusd, price_from FROM usage") == [("my-model", 0, None)]
        answer = home.platform.answers[1]
        assert answer is not None
        assert dict(answer.notices[0].values) == {"calls": 1, "tokens": 120, "microusd": 0, "free": 1}


# what goes wrong around it


async def test_an_answer_that_the_platform_refuses_fails_and_the_conversation_goes_on(place: Place) -> None:
    async with house(place) as home:
        home.platform.failing = PlaceForbidden(code="not_in_channel")
        await home.hear(message())
        home.platform.failing = None
        await home.hear(said("And?", "2"))
        assert home.states() == ["failed", "done"]
        assert home.rows("SELECT count(*) FROM message WHERE role = 'assistant'") == [(2,)]


async def test_a_private_question_shows_no_name_and_its_address_reaches_the_adapter(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        private = {"source": "command", "kind": ConversationKind.PRIVATE, "root": None, "address": {"url": "u"}}
        await home.hear(message("Psst", "1", **private))
        order = home.platform.replies[0].order
        assert (order.kind, order.asker, order.address) == (ConversationKind.PRIVATE, "U1", {"url": "u"})
        assert (order.attempt, order.posts) == (1, ())
    assert model.prompts() == [[("user", "Psst")]]


async def test_the_metrics_count_turns_calls_and_cost(place: Place) -> None:
    async with house(place, model=ScriptedModel(["Yes."], [errors.ModelForbidden()])) as home:
        troubles = []
        for number in ("1", "2"):
            await home.hear(message(id=number))
            troubles.append(home.core.metrics.model_trouble)
        assert troubles == [None, "model_forbidden"]
        text = home.core.metrics.text().decode()
    assert 'bise_turns_total{outcome="done",platform="slack"} 1.0' in text
    assert 'bise_turns_total{outcome="failed",platform="slack"} 1.0' in text
    assert 'bise_cost_microusd_total{home="mistral-global",model="mistral-large-2512"}' in text
    assert "bise_turns_waiting 0.0" in text
    assert "What is a bise?" not in text
