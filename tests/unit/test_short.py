"""When money is short: the dearest form of a call that the room covers, cheaper in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from core.budgets import short
from core.budgets.short import SHORTEST, Cut


@dataclass(frozen=True, slots=True)
class Offer:
    cost: int
    max_tokens: int
    bare: bool


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `lines` lines of history of which a halving leaves out half; `prices`: of the model, of the economy's.

    `asked`: the forms that were asked for.
    """

    lines: int
    question: int
    longest: int
    prices: tuple[tuple[int, int], tuple[int, int]]
    asked: list[Cut]

    def form(self, cut: Cut) -> Offer:
        self.asked.append(cut)
        left = self.lines >> cut.halvings
        longest = self.longest if cut.max_tokens is None else min(cut.max_tokens, self.longest)
        of_prompt, of_answer = self.prices[cut.economy]
        return Offer((left + self.question) * of_prompt + longest * of_answer, longest, left == 0)

    def all_forms(self, *, economy: bool) -> list[Offer]:
        longests = {min(SHORTEST, self.longest), self.longest}
        return [
            self.form(Cut(halvings, longest, by))
            for by in ((False, True) if economy else (False,))
            for halvings in range(self.lines.bit_length() + 1)
            for longest in longests
        ]


PRICES = st.tuples(st.integers(0, 50), st.integers(0, 50))
CALLS = st.builds(
    Call, st.integers(0, 5000), st.integers(1, 200), st.integers(1, 8192), st.tuples(PRICES, PRICES), st.builds(list)
)
ROOMS = st.integers(-100, 1_000_000)


@given(CALLS, ROOMS, st.booleans())
def test_what_is_afforded_never_exceeds_the_room(call: Call, room: int, economy: bool) -> None:
    found = short.affordable(call.form, room, economy=economy)
    if found is not None:
        cut, offer = found
        assert offer.cost <= room
        assert offer == call.form(cut), "the cut is what leads to that form"
        assert offer.max_tokens >= min(SHORTEST, call.longest)


@given(CALLS, ROOMS, st.booleans())
def test_something_is_found_whenever_the_cheapest_form_fits(call: Call, room: int, economy: bool) -> None:
    least = min(offer.cost for offer in call.all_forms(economy=economy))
    assert short.cheapest(call.form, economy=economy) == least
    assert (short.affordable(call.form, room, economy=economy) is not None) == (least <= room)


@given(CALLS, ROOMS)
def test_history_goes_first_then_length_then_the_model(call: Call, room: int) -> None:
    found = short.affordable(call.form, room, economy=True)
    if found is None:
        return
    cut, _ = found
    bare = call.lines.bit_length()
    usual = [Cut(halvings) for halvings in range(bare + 1)]
    if cut.halvings:
        assert call.form(Cut(cut.halvings - 1, economy=cut.economy)).cost > room, "no line is left out for nothing"
    if cut.max_tokens is not None:
        assert cut.halvings == bare, "an answer is shortened only once no history is left"
        assert call.form(Cut(bare, cut.max_tokens + 1, cut.economy)).cost > room, "it is as long as there is room for"
    if cut.economy:
        assert all(call.form(one).cost > room for one in usual)
        assert call.form(Cut(bare, min(SHORTEST, call.longest))).cost > room
        assert short.affordable(call.form, room, economy=False) is None


@given(CALLS, ROOMS, st.booleans())
def test_few_forms_are_tried(call: Call, room: int, economy: bool) -> None:
    short.affordable(call.form, room, economy=economy)
    assert len(call.asked) <= 2 * (call.lines.bit_length() + 1 + call.longest.bit_length() + 1)


def test_with_room_for_all_nothing_is_cut() -> None:
    call = Call(10, 1, 4096, ((1, 1), (1, 1)), [])
    assert short.affordable(call.form, 10_000, economy=True) == (Cut(), Offer(4107, 4096, bare=False))
    assert call.asked == [Cut()]


def test_people_are_told_of_each_thing_that_was_saved() -> None:
    assert Cut().names == ()
    assert Cut(3, 300, economy=True).names == ("history", "length", "economy")
    assert Cut(max_tokens=300).names == ("length",)
