"""Money around a turn: held before each call, saved where it is short, refused with a sentence, settled once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest

from core import errors
from core.budgets.terms import Terms
from core.chat import Finish, Usage
from core.messages import Person, Press, Tokens
from core.store import reservations
from core.store.budgets import Spender
from core.store.ledger import Call
from core.store.reservations import Order
from tests.databases import Place, house
from tests.fakes import ADA, BEN, TEAM, House, ScriptedModel, message, said

LONG = "word " * 400  # 2000 bytes, about 570 tokens by the estimate
MINUTE = 60.0


def standing(home: House) -> set[tuple[int, int]]:
    """What the eight rows say that counts were taken in: (reserved, spent)."""
    return {(row[0], row[1]) for row in home.rows("SELECT reserved_microusd, spent_microusd FROM budget")}


def holds(home: House) -> list[str]:
    return [row[0] for row in home.rows("SELECT state FROM reservation ORDER BY id")]


async def test_a_call_is_made_under_a_hold_on_eight_limits_that_becomes_what_it_cost(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([gate, "Paris.", Finish("stop", Usage(1000, 10, 0), "m")])
    async with house(place, model=model) as home:
        await home.core.accept(message())
        await model.asked(1)
        ((bound,),) = home.rows("SELECT bound_microusd FROM reservation")
        assert home.rows("SELECT count(*) FROM budget") == [(8,)]
        assert standing(home) == {(bound, 0)}
        assert bound > model.requests[0].max_tokens * 3 // 2  # 1.5 dollars per million tokens that come
        gate.set()
        await home.settled()
        assert standing(home) == {(0, 515)}
        assert holds(home) == ["settled"]
        assert home.rows("SELECT cost_microusd, estimated_microusd, reservation_id FROM usage") == [(515, 0, 1)]


async def test_without_room_nothing_is_called_and_the_asker_alone_is_told(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, user_daily_budget=100) as home:
        await home.hear(message())
        answer = home.platform.replies[0].answer
        assert model.requests == []
        assert answer is not None
        assert (answer.outcome, answer.only_asker, bool(answer.ask_admin)) == ("failed", True, True)
        (notice,) = answer.notices
        assert notice.name == "budget_refused"
        assert notice.values == {
            "scope": "person",
            "period": "day",
            "left": 100,
            "limit": 100,
            "resets": "2026-11-24T00:00:00+00:00",
            "zone": "UTC",
            "busy": 0,
            "workspace": "slack:T1",
        }
        assert home.rows("SELECT refused_by, local_date FROM turn") == [("person", "2026-11-23")]
        assert home.rows("SELECT count(*) FROM usage") == [(0,)]
        assert holds(home) == []


async def test_a_refusal_is_the_askers_own_also_for_the_process_that_shows_it_later(place: Place) -> None:
    async with house(place, started=False, user_daily_budget=100) as home:
        home.platform.failing = errors.PlatformUnavailable("away")
        await home.core.accept(message())
        await home.core.start()
        while home.rows("SELECT attempt FROM turn") < [(2,)]:
            await asyncio.sleep(0.01)
        home.platform.failing = None
        await home.settled()
        first, last = home.platform.replies[0], home.platform.replies[-1]
        assert first is not last
        assert last.answer is not None
        assert (last.answer.only_asker, bool(last.answer.ask_admin)) == (True, True)


async def test_with_little_room_the_history_goes_first(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, daily_budget=None, user_daily_budget=None, monthly_budget=9_000) as home:
        model.usage = Usage(0, 0)
        for number in range(1, 5):
            await home.hear(said(f"{number}: {LONG}", str(number), mentioned=True) if number > 1 else message(LONG))
        answer = home.platform.replies[-1].answer
        assert answer is not None
        assert [notice.name for notice in answer.notices] == ["saved_money"]
        assert (answer.notices[0].values["history"], answer.notices[0].values["length"]) == (1, 0)
        assert len(model.prompts()[-1]) < len(model.prompts()[-2]) + 2
        assert model.requests[-1].max_tokens == 4096
        assert home.rows("SELECT trimmed_to_seq FROM conversation") == [(1,)]  # with more money it is shown again
        assert home.rows("SELECT saved_by FROM turn ORDER BY id DESC LIMIT 1") == [("history",)]


async def test_with_less_room_the_answer_is_shortened_then_the_economy_model_asked(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, monthly_budget=3_000, daily_budget=None, user_daily_budget=None) as home:
        await home.hear(message("Why?"))
        assert 256 <= model.requests[0].max_tokens < 4096
        assert model.requests[0].model == "mistral-large-2512"
        answer = home.platform.replies[0].answer
        assert answer is not None
        assert answer.notices[0].values["length"] == 1
    with_less = ScriptedModel()
    settings = {"monthly_budget": 700, "daily_budget": None, "user_daily_budget": None}
    async with house(place, model=with_less, **settings) as home:
        await home.hear(message("Why?", id="9", channel="C2", root="C2:9"))
        assert with_less.requests[0].model == "mistral-small-2603"
        ((bound, room),) = home.rows(
            "SELECT bound_microusd, 700 - spent_microusd + (SELECT max(cost_microusd) FROM usage) FROM reservation "
            "JOIN budget ON place = 'installation' AND kind = 'month' ORDER BY reservation.id DESC LIMIT 1"
        )
        assert bound <= room


async def test_a_turn_waits_for_others_holds_and_goes_on_when_they_end(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel([gate, "First.", Finish("stop", Usage(10, 10), "m")])
    settings = {"monthly_budget": 7_600, "daily_budget": None, "user_daily_budget": None}
    async with house(place, model=model, **settings) as home:
        await home.core.accept(message())
        await model.asked(1)
        place.change("UPDATE budget SET reserved_microusd = reserved_microusd + 7600 - reserved_microusd")
        await home.core.accept(message(id="2", author=BEN, channel="C2", root="C2:2"))
        while ("waiting_for_budget", 0) not in home.platform.replies[-1].statuses:
            await asyncio.sleep(0)
        place.change("UPDATE budget SET reserved_microusd = 0 WHERE place NOT LIKE 'person:1:1'")
        await model.asked(2)
        gate.set()
        await home.settled()
        assert home.states() == ["done", "done"]


async def test_who_waits_in_vain_is_refused_after_ten_seconds(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        await home.hear(message())
        place.change("UPDATE budget SET reserved_microusd = 20000000")
        before = home.clock.monotonic()
        await home.hear(said("And now?", "2", mentioned=True))
        assert 10.0 <= home.clock.monotonic() - before < 12.0
        answer = home.platform.replies[-1].answer
        assert answer is not None
        assert answer.notices[0].name == "budget_refused"
        assert answer.notices[0].values["busy"] == 1
        assert home.rows("SELECT count(*) FROM announcement") == [(0,)], "nothing of it is used up"


async def test_one_answer_costs_no_more_than_its_own_limit(place: Place) -> None:
    async with house(place, turn_budget=50) as home:
        await home.hear(message())
        answer = home.platform.replies[0].answer
        assert answer is not None
        assert answer.notices[0].values["scope"] == "turn"
        assert not answer.ask_admin  # whoever runs Bise has set it, and nobody else can raise it


async def test_a_stopped_answer_is_charged_at_its_bound_and_says_so(place: Place) -> None:
    gate = asyncio.Event()
    model = ScriptedModel(["Once upon", gate, " a time."])
    async with house(place, model=model) as home:
        await home.core.accept(message())
        await model.asked(1)
        stop = home.platform.replies[0].order.stop
        await home.core.press(Press(TEAM, stop, ADA))
        await home.settled()
        ((bound,),) = home.rows("SELECT bound_microusd FROM reservation")
        assert home.rows("SELECT cost_microusd, estimated_microusd, outcome FROM usage") == [(bound, bound, "stopped")]
        assert standing(home) == {(0, bound)}
        assert holds(home) == ["charged"]


async def test_what_was_surely_not_billed_is_given_back(place: Place) -> None:
    refused = errors.ModelForbidden("by its rules", status=403)
    async with house(place, model=ScriptedModel([refused])) as home:
        await home.hear(message())
        assert standing(home) == {(0, 0)}
        assert holds(home) == ["voided"]
        assert home.rows("SELECT cost_microusd, outcome FROM usage") == [(0, "model_forbidden")]


async def test_the_hold_of_a_dead_process_is_charged_when_its_own_lease_is_past(place: Place) -> None:
    async with house(place) as home:
        await home.hear(message())
        terms, spender = Terms.of(home.core.settings), Spender(1, "C1", 1)
        order = Order(spender, 1, 1, 2, "mistral-global", "mistral-large-2512", None, 900, 100, 5_000)
        began = home.clock.now()  # and then the process dies
        hold = await home.core.database.write(lambda one: reservations.hold(one, order, terms, began))
        home.clock.advance(timedelta(minutes=14).total_seconds())
        await home.core.sweep()
        assert holds(home) == ["settled", "held"]  # a call could still be under way
        home.clock.advance(timedelta(minutes=1, seconds=1).total_seconds())
        await home.core.sweep()
        await home.core.sweep()
        assert holds(home) == ["settled", "charged"]
        usage = "SELECT cost_microusd, estimated_microusd, outcome FROM usage WHERE reservation_id = 2 ORDER BY id"
        assert home.rows(usage) == [(5_000, 5_000, "abandoned")]
        call = Call(  # it was only asleep, and tells at last what the call has really cost
            *(1, 1, 1, 1, "C1", 2, "mistral-global", "mistral-large-2512", None, Tokens(1, 100, 10, 0, 65, 0), False),
            *(hold.periods, None, 1, "ok", None, began, hold.number),
        )
        end = partial(reservations.end, hold=hold, call=call, how="settled", terms=terms, now=home.clock.now())
        await home.core.database.write(end)
        await home.core.database.write(end)
        assert home.rows(usage) == [(5_000, 5_000, "abandoned"), (65 - 5_000, -5_000, "ok")]
        ((spent,),) = home.rows("SELECT sum(cost_microusd) FROM usage")
        assert standing(home) == {(0, spent)}


async def test_more_than_the_bound_is_written_down_alarmed_and_widens_the_next_bound(place: Place) -> None:
    dear = Finish("stop", Usage(1_000_000, 0), "m")
    model = ScriptedModel(["Yes.", dear], ["No."])
    async with house(place, model=model, turn_budget=None) as home:
        await home.hear(message())
        assert standing(home) == {(0, 500_000)}
        ((per_mille,),) = home.rows("SELECT per_mille FROM model_margin")
        assert per_mille > 50_000
        assert home.rows("SELECT kind FROM announcement WHERE kind = 'above_bound'") == [("above_bound",)]
        ((first,),) = home.rows("SELECT bound_microusd FROM reservation")
        await home.hear(message(id="2", channel="C2", root="C2:2"))
        ((second,),) = home.rows("SELECT bound_microusd FROM reservation WHERE id = 2")
        assert second > first * 50


async def test_half_most_and_all_of_a_limit_are_announced_once_each(place: Place) -> None:
    usage = Finish("stop", Usage(1000, 0), "m")  # 500 micro-dollars
    model = ScriptedModel(*(["Yes.", usage] for _ in range(6)))
    settings = {"monthly_budget": None, "daily_budget": 20_000, "user_daily_budget": None}
    async with house(place, model=model, **settings) as home:
        place.change("UPDATE budget_epoch SET at = '2020-01-01 00:00:00'")
        await home.hear(message())
        place.change("UPDATE budget SET spent_microusd = 9400 WHERE place = 'workspace:1' AND kind = 'day'")
        for number in range(2, 5):
            await home.hear(message(id=str(number), channel="C2", root=f"C2:{number}"))
        named = home.rows("SELECT name FROM announcement ORDER BY id")
        assert [name.rpartition(":")[2] for (name,) in named] == ["50"]


async def test_too_many_questions_a_minute_get_a_plain_answer_for_their_asker(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, user_turns_per_minute=2) as home:
        for number in (1, 2, 3):
            await home.hear(message(id=str(number), channel="C1", root=f"C1:{number}"))
        assert len(model.requests) == 2
        answer = home.platform.replies[-1].answer
        assert answer is not None
        assert (answer.notices[0].name, answer.only_asker) == ("too_fast", True)
        await home.hear(message(id="4", author=BEN, channel="C1", root="C1:4"))
        assert len(model.requests) == 3  # others are not kept from asking
        home.clock.advance(MINUTE + 1)


async def test_a_workspace_as_a_whole_has_its_own_pace(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model, workspace_turns_per_minute=2) as home:
        for number, author in enumerate((ADA, BEN, Person("U3", "Cy")), 1):
            await home.hear(message(id=str(number), author=author, channel="C1", root=f"C1:{number}"))
        answer = home.platform.replies[-1].answer
        assert answer is not None
        assert answer.notices[0].values["who"] == "workspace"
        assert len(model.requests) == 2


async def test_the_economy_model_takes_over_where_a_workspace_wants_that(place: Place) -> None:
    model = ScriptedModel()
    async with house(place, model=model) as home:
        await home.hear(message())
        place.change("INSERT INTO workspace_setting (workspace_id, economy_at_percent) VALUES (1, 80)")
        await home.hear(message(id="2", channel="C1", root="C1:2"))
        place.change("UPDATE budget SET spent_microusd = 16000000 WHERE place = 'workspace:1' AND kind = 'month'")
        await home.hear(message(id="3", channel="C1", root="C1:3"))
        assert [request.model for request in model.requests] == [
            "mistral-large-2512",
            "mistral-large-2512",
            "mistral-small-2603",
        ]


@pytest.mark.parametrize("self_hosted", [True])
async def test_a_server_of_ones_own_costs_nothing_and_is_never_refused(place: Place, *, self_hosted: bool) -> None:
    settings = {"mistral_base_url": "http://127.0.0.1:9/v1", "self_hosted": self_hosted, "monthly_budget": 1}
    async with house(place, model=ScriptedModel(), **settings) as home:
        await home.hear(message())
        assert home.states() == ["done"]
        assert standing(home) == {(0, 0)}
        assert home.rows("SELECT cost_microusd FROM usage") == [(0,)]
