"""The throttled model in leaping time: limits, turns, patience, and what a refusal does to everybody."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import errors
from core.chat import Admitted, Finish, TextDelta, Usage
from core.mistral.throttle.limits import Limits
from tests.unit.throttle_world import MODEL, World, most_in, play, request

SIXTY = Limits(requests_per_minute=60)
BUSY, QUIET = "slack:T1", "discord:2"


def test_a_call_says_that_it_leaves_and_then_what_the_home_says() -> None:
    async def scene() -> None:
        world = World()
        deltas = [delta async for delta in world.model.stream(request())]
        assert deltas == [Admitted(), TextDelta("word"), Finish("stop", Usage(10, 5), MODEL)]
        assert len(world.home.started) == 1

    play(scene)


offers = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 3), st.integers(1, 400)), min_size=1, max_size=80)


@settings(max_examples=40, deadline=None)
@given(offers, st.integers(1, 30), st.one_of(st.none(), st.floats(0.3, 5)), st.integers(1, 8))
def test_no_order_of_arrival_passes_a_limit(
    offers: list[tuple[float, int, int]], per_minute: int, per_second: float | None, concurrency: int
) -> None:
    async def scene() -> None:
        world = World(Limits(per_second, per_minute, None), concurrency=concurrency, patience=1e9)
        world.home.seconds = 3.0
        asking = []
        for pause, account, max_tokens in offers:
            await asyncio.sleep(pause if max_tokens % 3 == 0 else 0.0)
            asking.append(asyncio.create_task(world.ask(str(account), max_tokens=max_tokens)))
        assert Counter(await asyncio.gather(*asking)) == {"ok": len(offers)}
        assert most_in(world.home.times, 60.0) <= per_minute
        if per_second is not None:
            stretch = 1.0 if per_second >= 1 else 1.0 / per_second
            assert most_in(world.home.times, stretch) <= max(int(per_second), 1)
        assert world.home.most_inside <= concurrency
        assert world.model.waiting == 0

    play(scene)


def test_tokens_are_limited_too_and_what_was_not_used_is_given_back() -> None:
    async def scene(usage: Usage | None) -> float:
        world = World(Limits(tokens_per_minute=10_000), patience=1e9)
        world.home.usage = usage
        for _ in range(40):
            assert await world.ask(max_tokens=2000) == "ok"
        return world.home.times[-1]

    assert play(lambda: scene(Usage(10, 10))) < 60.0
    assert play(lambda: scene(None)) > 120.0, "what nobody counted is taken at its estimate"


def test_one_busy_workspace_cannot_starve_another() -> None:
    async def scene() -> None:
        world = World(SIXTY)
        outcomes: dict[str, list[str]] = {BUSY: [], QUIET: []}
        waits: list[float] = []

        async def ask(account: str) -> None:
            began = asyncio.get_running_loop().time()
            outcomes[account].append(await world.ask(account))
            if account == QUIET:
                waits.append(asyncio.get_running_loop().time() - began)

        async def offer(account: str, a_minute: int) -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(5 * a_minute):
                    group.create_task(ask(account))
                    await asyncio.sleep(60 / a_minute)

        await asyncio.gather(offer(BUSY, 100), offer(QUIET, 5))
        assert Counter(outcomes[QUIET]) == {"ok": 25}
        assert max(waits) < 3.0
        served = Counter(outcomes[BUSY])
        assert served["ok"] >= 5 * 55, "the busy one has all the rest"
        assert set(served) == {"ok", "ModelHeldBack"}

    play(scene)


def test_one_accounts_calls_go_in_the_order_in_which_they_came() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_second=1.0), patience=1e9)
        asking = [asyncio.create_task(world.ask(max_tokens=number + 1)) for number in range(20)]
        await asyncio.gather(*asking)
        assert [asked.max_tokens for _, asked in world.home.started] == list(range(1, 21))

    play(scene)


def test_who_waits_too_long_is_told_so_and_nothing_was_asked() -> None:
    async def scene() -> None:
        world = World(concurrency=1, patience=60.0)
        world.home.seconds = 200.0
        first = asyncio.create_task(world.ask())
        await asyncio.sleep(1.0)
        with pytest.raises(errors.ModelHeldBack) as held:
            await anext(world.model.stream(request()))
        assert asyncio.get_running_loop().time() == pytest.approx(61.0, abs=0.01)
        assert held.value.unbilled
        assert len(world.home.started) == 1
        assert await first == "ok"
        assert await world.ask() == "ok"

    play(scene)


def test_a_queue_that_cannot_be_served_in_time_is_not_joined() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_minute=2))
        outcomes = [asyncio.create_task(world.ask()) for _ in range(10)]
        await asyncio.sleep(0.1)
        assert sum(task.done() and task.result() == "ModelHeldBack" for task in outcomes) >= 6
        assert await world.ask("discord:2") != "ok"

    play(scene)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_nothing_is_lost_when_callers_are_cancelled_at_any_instant(seed: int, concurrency: int) -> None:
    chance = random.Random(seed)

    async def scene() -> None:
        world = World(Limits(requests_per_second=5.0), concurrency=concurrency, patience=1e9)
        world.home.first_byte, world.home.seconds = 0.1, 0.3

        async def ask_and_perhaps_stop() -> None:
            asking = asyncio.create_task(world.ask(str(chance.randrange(3))))
            if chance.random() < 0.7:
                await asyncio.sleep(chance.choice([0.0, 0.0, 0.1, 0.2, 0.5, 2.0]))
                asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

        await asyncio.gather(*(ask_and_perhaps_stop() for _ in range(30)))
        assert world.model.waiting == 0
        assert world.home.inside == 0
        before = len(world.home.started)
        assert await asyncio.gather(*(world.ask() for _ in range(2 * concurrency))) == ["ok"] * 2 * concurrency
        assert len(world.home.started) == before + 2 * concurrency, "every place is free again"

    play(scene)


def test_a_caller_that_goes_before_its_request_left_has_taken_nothing() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_minute=1), patience=1e9)
        left = world.model.stream(request())
        assert await anext(left) == Admitted()
        await asyncio.sleep(100.0)
        second = asyncio.create_task(world.ask())
        await asyncio.sleep(100.0)
        assert not second.done(), "a place that is taken does not grow old before its request leaves"
        await left.aclose()
        assert await second == "ok"
        assert world.home.times == [200.0]

    play(scene)


def test_a_request_grows_old_from_when_it_leaves_however_long_its_answer_takes() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_minute=1), patience=1e9)
        world.home.first_byte = 500.0
        first = world.model.stream(request())
        await anext(first)
        second = asyncio.create_task(world.ask())
        await asyncio.sleep(100.0)
        reading = asyncio.create_task(anext(first))
        await asyncio.sleep(100.0)
        assert world.home.times == [100.0, pytest.approx(160.0, abs=0.5)]
        await reading
        await first.aclose()
        assert await second == "ok"

    play(scene)


def test_a_request_that_never_arrived_has_taken_nothing() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_minute=1), patience=1e9)
        world.home.errors.append(errors.ConnectTimeout())
        assert [await world.ask(), await world.ask()] == ["ConnectTimeout", "ok"]
        assert world.home.times == [0.0, 0.0]

    play(scene)


def test_its_place_is_free_for_the_next_one() -> None:
    async def scene() -> None:
        world = World(concurrency=1)
        left = world.model.stream(request())
        await anext(left)
        await left.aclose()
        assert await world.ask() == "ok"

    play(scene)


def test_a_place_given_to_a_caller_that_is_cancelled_at_that_instant_is_given_on() -> None:
    async def scene() -> None:
        world = World(concurrency=1)
        first = world.model.stream(request())
        await anext(first)
        second = asyncio.create_task(world.ask())
        await asyncio.sleep(1.0)
        await first.aclose()
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert world.home.started == []
        assert await world.ask() == "ok"

    play(scene)


def test_models_take_turns_for_the_places_that_there_are() -> None:
    async def scene() -> None:
        world = World(concurrency=1)
        world.home.seconds = 1.0
        models = ["mistral-large-2512"] * 10 + ["mistral-small-2603"] * 10
        await asyncio.gather(*(world.ask(model=model) for model in models))
        served = [asked.model for _, asked in world.home.started]
        assert served[:11].count("mistral-small-2603") == 5

    play(scene)


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_slows_everybody_down_and_success_brings_the_pace_back(status: int) -> None:
    async def scene() -> None:
        world = World()
        home = world.home
        for _ in range(40):
            await world.ask()
            await asyncio.sleep(0.25)
        before = len(home.started)
        home.errors.append(errors.ModelOverloaded(status=status, retry_after=7.0))
        assert await world.ask() == "ModelOverloaded"
        refused_at = asyncio.get_running_loop().time()
        await asyncio.gather(*(world.ask(str(number)) for number in range(30)))
        after = home.times[before + 1 :]
        assert after[0] == pytest.approx(refused_at + 7.0, abs=0.01), "the Retry-After is everybody's"
        assert after[1] - after[0] == pytest.approx(0.5, rel=0.2), "half the pace"
        assert after[-1] - after[-2] < 0.01, "and none to keep in the end"

    play(scene)


def test_another_model_is_not_slowed_down() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.append(errors.ModelRateLimited(status=429, retry_after=30.0))
        assert await world.ask() == "ModelRateLimited"
        assert await world.ask(model="mistral-small-2603") == "ok"
        assert world.home.times == [0.0, 0.0]

    play(scene)


def test_who_would_not_live_to_see_the_end_of_a_pause_is_told_at_once() -> None:
    async def scene() -> None:
        world = World(concurrency=1)
        world.home.first_byte = 1.0
        world.home.errors.append(errors.ModelRateLimited(status=429, retry_after=90.0))
        outcomes = await asyncio.gather(world.ask(), world.ask(), world.ask())
        assert list(outcomes) == ["ModelRateLimited", "ModelHeldBack", "ModelHeldBack"]
        assert await world.ask() == "ModelHeldBack"
        assert asyncio.get_running_loop().time() == 1.0

    play(scene)


def test_limits_are_learned_from_the_answers() -> None:
    async def scene() -> None:
        world = World(patience=1e9)
        world.home.headers = lambda: {"x-ratelimit-limit-req-minute": "10", "x-ratelimit-limit-tokens-minute": "90000"}
        assert await world.ask() == "ok"
        await asyncio.gather(*(world.ask() for _ in range(40)))
        assert most_in(world.home.times[1:], 60.0) <= 10

    play(scene)


def test_what_others_use_of_the_same_key_is_left_to_them() -> None:
    async def scene() -> None:
        world = World(SIXTY, patience=1e9)
        remaining = iter(["5"])
        world.home.headers = lambda: {"x-ratelimit-remaining-req-minute": next(remaining, "59")}
        await asyncio.gather(*(world.ask() for _ in range(50)))
        assert len([at for at in world.home.times if at < 60.0]) <= 16 + 5, "a burst had left before the news came"
        await asyncio.sleep(300)
        world.home.started.clear()
        await asyncio.gather(*(world.ask() for _ in range(60)))
        assert world.home.times[-1] - world.home.times[0] < 60.0, "and the news grow old"

    play(scene)


def test_what_the_provider_counts_of_a_query_stands_against_our_estimate() -> None:
    async def scene() -> None:
        world = World(Limits(tokens_per_minute=10_000), patience=1e9)
        world.home.headers = lambda: {"x-ratelimit-tokens-query-cost": "5000"}
        for _ in range(4):
            await world.ask(max_tokens=20)
        assert world.home.times[2] > 60.0

    play(scene)


def test_headers_that_answer_no_question_teach_nothing() -> None:
    async def scene() -> None:
        world = World(SIXTY)
        assert await world.ask() == "ok"
        world.model.learn({"x-ratelimit-limit-req-minute": "1"})
        assert list(await asyncio.gather(world.ask(), world.ask())) == ["ok", "ok"]
        assert world.home.times == [0.0, 0.0, 0.0]

    play(scene)


async def test_the_end_sends_away_who_waits_and_leaves_nothing_running() -> None:
    world = World(concurrency=1)
    world.home.seconds = 60.0
    first = asyncio.create_task(world.ask())
    second = asyncio.create_task(world.ask())
    await asyncio.sleep(0)
    await world.model.aclose()
    assert await second == "ModelGivenUp"
    assert await world.ask() == "ModelGivenUp"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
