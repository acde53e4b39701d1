"""When a home is given up, who is told, and how it is found to be mended."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import errors
from core.errors import ModelError
from core.mistral.throttle.limits import Limits
from tests.unit.throttle_world import World, play, request

MODEL_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ModelError)]


def kinds(world: World) -> list[str | None]:
    return [change.kind if change is not None else None for change in world.changes]


def broken(times: int) -> list[ModelError | None]:
    return [errors.ModelServerError(status=500) for _ in range(times)]


def test_five_outages_in_a_row_open_it_and_a_trial_closes_it() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.extend(broken(5))
        assert [await world.ask() for _ in range(6)] == ["ModelServerError"] * 5 + ["ModelGivenUp"]
        assert kinds(world) == ["unavailable"]
        assert world.model.trouble == world.changes[0]
        await asyncio.sleep(9.0)
        assert await world.ask() == "ModelGivenUp"
        assert len(world.home.started) == 5
        await asyncio.sleep(1.5)
        assert await world.ask() == "ok"
        assert world.model.trouble is None
        assert kinds(world) == ["unavailable", None]

    play(scene)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    async def scene() -> None:
        world = World()
        for between in (None, errors.ModelNotFound(status=404)):
            world.home.errors.extend([*broken(4), between])
        assert "ModelGivenUp" not in [await world.ask() for _ in range(10)]
        assert world.changes == []

    play(scene)


def test_no_connection_is_an_outage_and_no_capacity_is_none() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.extend(errors.ModelOverloaded(status=503, retry_after=0.0) for _ in range(9))
        assert [await world.ask() for _ in range(9)] == ["ModelOverloaded"] * 9
        await asyncio.sleep(100)
        world.home.errors.extend([errors.ModelUnreachable(), errors.ConnectTimeout(), *broken(3)])
        await asyncio.gather(*(world.ask(str(number)) for number in range(5)))
        assert kinds(world) == ["unavailable"]

    play(scene)


def test_one_trial_at_a_time_and_a_failed_one_waits_longer() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.extend(broken(7))
        for _ in range(5):
            await world.ask()
        await asyncio.sleep(10.5)
        world.home.first_byte = 1.0
        assert sorted(await asyncio.gather(*(world.ask() for _ in range(9)))) == ["ModelGivenUp"] * 8 + [
            "ModelServerError"
        ]
        await asyncio.sleep(15.0)
        assert await world.ask() == "ModelGivenUp", "twenty seconds now"
        await asyncio.sleep(6.0)
        assert await world.ask() == "ModelServerError"
        assert len(world.home.started) == 7
        assert kinds(world) == ["unavailable"], "told once"
        await asyncio.sleep(41.0)
        world.home.errors.extend([None, *broken(5)])
        assert [await world.ask() for _ in range(7)] == ["ok", *["ModelServerError"] * 5, "ModelGivenUp"]
        await asyncio.sleep(11.0)
        assert await world.ask() == "ok", "ten seconds again"

    play(scene)


def test_a_trial_whose_caller_goes_leaves_the_next_one_to_try() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.extend(broken(5))
        for _ in range(5):
            await world.ask()
        await asyncio.sleep(10.5)
        world.home.first_byte = 50.0
        trial = asyncio.create_task(world.ask())
        await asyncio.sleep(1.0)
        assert await world.ask() == "ModelGivenUp"
        trial.cancel()
        await asyncio.gather(trial, return_exceptions=True)
        assert await world.ask() == "ok"

    play(scene)


def test_a_refused_key_stops_all_calls_until_a_probe_is_let_in() -> None:
    async def scene() -> None:
        refused = errors.ModelUnauthorized(status=401)
        answers: deque[ModelError | None] = deque([refused, refused, errors.ModelUnreachable()])
        probed: list[float] = []

        async def probe() -> None:
            probed.append(asyncio.get_running_loop().time())
            if answers and (error := answers.popleft()) is not None:
                raise error

        world = World(probe=probe)
        world.home.errors.append(errors.ModelUnauthorized(status=401))
        assert await world.ask() == "ModelUnauthorized"
        await asyncio.sleep(170.0)
        assert await world.ask() == "ModelGivenUp"
        assert kinds(world) == ["unauthorized"]
        await asyncio.sleep(15.0)
        assert kinds(world) == ["unauthorized", None]
        assert probed == [0.0, 60.0, 120.0, 180.0]
        assert await world.ask() == "ok"
        assert len(world.home.started) == 2

    play(scene)


def test_a_list_that_anybody_may_read_proves_no_key_and_one_call_a_minute_finds_out() -> None:
    async def scene() -> None:
        async def probe() -> None:
            """Answers whoever asks."""

        world = World(probe=probe)
        world.home.errors.extend([errors.ModelUnauthorized(status=401) for _ in range(3)])
        outcomes = []
        for _ in range(200):
            outcomes.append(await world.ask())
            await asyncio.sleep(1.0)
        assert outcomes.count("ModelUnauthorized") == 3
        assert outcomes[-1] == "ok"
        assert kinds(world) == ["unauthorized", None], "told once, and once of its end"

    play(scene)


def test_without_credit_one_real_call_a_minute_finds_out() -> None:
    async def scene() -> None:
        probed: list[int] = []

        async def probe() -> None:
            probed.append(1)

        world = World(probe=probe)
        refusals = [errors.ModelOutOfCredit(status=402) for _ in range(3)]
        world.home.errors.extend([refusals[0], refusals[1], errors.RequestRejected(status=422), refusals[2]])
        outcomes = []
        for _ in range(300):
            outcomes.append(await world.ask())
            await asyncio.sleep(1.0)
        assert len([outcome for outcome in outcomes[:240] if outcome != "ModelGivenUp"]) == 4
        assert outcomes[-1] == "ok"
        assert probed == [], "a list of models proves nothing about credit"
        assert kinds(world) == ["out_of_credit", None]

    play(scene)


def test_who_waits_when_it_opens_is_not_kept_waiting() -> None:
    async def scene() -> None:
        world = World(Limits(requests_per_second=0.1))
        world.home.first_byte = 1.0
        world.home.errors.append(errors.ModelOutOfCredit(status=402))
        outcomes = await asyncio.gather(*(world.ask(str(number)) for number in range(20)))
        assert outcomes == ["ModelOutOfCredit"] + ["ModelGivenUp"] * 19
        assert asyncio.get_running_loop().time() == 1.0
        assert len(world.home.started) == 1

    play(scene)


def test_what_left_before_it_opened_neither_closes_nor_opens_it() -> None:
    async def scene() -> None:
        world = World()
        world.home.first_byte = 5.0
        slow = [asyncio.create_task(world.ask()) for _ in range(2)]
        await asyncio.sleep(1.0)
        world.home.first_byte = 0.0
        world.home.errors.append(errors.ModelUnauthorized(status=401))
        assert await world.ask() == "ModelUnauthorized"
        assert await asyncio.gather(*slow) == ["ok", "ok"]
        assert kinds(world) == ["unauthorized"]

    play(scene)


def test_being_given_up_costs_nothing_and_says_when_it_is_tried_again() -> None:
    async def scene() -> None:
        world = World()
        world.home.errors.append(errors.ModelOutOfCredit(status=402))
        await world.ask()
        with pytest.raises(errors.ModelGivenUp) as given_up:
            await anext(world.model.stream(request()))
        assert given_up.value.unbilled
        assert given_up.value.retry_after == pytest.approx(60.0)

    play(scene)


mixes = st.lists(st.tuples(st.sampled_from([None, *MODEL_ERRORS]), st.integers(0, 599), st.floats(0, 70)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(mixes)
def test_any_mix_of_errors_is_typed_and_leaves_the_home_usable(
    mix: list[tuple[type[ModelError] | None, int, float]],
) -> None:
    async def scene() -> None:
        world = World(concurrency=2)
        names = {kind.__name__ for kind in MODEL_ERRORS} | {"ok"}
        asking = []
        for kind, status, pause in mix:
            retry_after = pause if status % 2 else None
            world.home.errors.append(
                kind(status=status if status >= 400 else None, retry_after=retry_after) if kind is not None else None
            )
            asking.append(asyncio.create_task(world.ask(str(status % 3))))
            await asyncio.sleep(pause if status % 3 else 0.0)
        assert set(await asyncio.gather(*asking)) <= names
        world.home.errors.clear()
        await asyncio.sleep(700.0)
        assert await world.ask() == "ok"
        assert world.model.trouble is None
        opened = kinds(world)
        assert opened[-1:] in ([], [None])
        assert all(left != right for left, right in itertools.pairwise(opened)), "each change told once"
        assert (world.model.waiting, world.home.inside) == (0, 0)

    play(scene)
