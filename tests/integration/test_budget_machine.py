"""Money in any order: holds, ends of all kinds, corrections, limits, zones and calendars, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import Engine, create_engine, text

from tests.databases import Place
from tests.integration.budget_machine import BudgetMachine, furnish

_SIZE = settings(
    max_examples=30,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    made = create_engine(place.url if place.postgres else f"sqlite:///{place.file}")
    if not place.postgres:
        with made.connect() as connection:
            connection.execute(text("PRAGMA journal_mode=MEMORY"))
    furnish(made)
    yield made
    made.dispose()


def test_counters_equal_their_rows_whatever_happens_in_whatever_order(engine: Engine) -> None:
    run_state_machine_as_test(partial(BudgetMachine, engine), settings=_SIZE)  # type: ignore[no-untyped-call]


def check(machine: BudgetMachine) -> None:
    machine.counters_are_the_sums_over_their_rows()
    machine.each_hold_comes_to_what_it_must()
    machine.no_date_has_two_periods()


def test_in_a_workspace_that_moves_west_everybodys_old_day_goes_on(engine: Engine) -> None:
    machine = BudgetMachine(engine)
    machine.begin(turn=None, zone="UTC", whose="Pacific/Kiritimati")
    for place in (0, 1):
        machine.hold(1, place, place, turn=0, model=0, bound=100, ahead=0)
    machine.a_workspace_moves(workspace=1, zone="Pacific/Pago_Pago")
    machine.a_period_ends("day")  # the installation's
    machine.a_period_ends("day")  # the workspace's, where it was
    for place in (0, 1):
        machine.hold(1, place, place, turn=0, model=0, bound=100, ahead=0)
    check(machine)


def test_a_clock_that_is_behind_counts_in_the_day_that_has_not_ended_for_it(engine: Engine) -> None:
    machine = BudgetMachine(engine)
    machine.begin(turn=None, zone="UTC", whose=None)
    machine.hold(1, 0, 0, turn=0, model=0, bound=100, ahead=0)
    machine.a_period_ends("day")
    for ahead in (0, -90, 90):
        machine.hold(1, 0, 0, turn=0, model=0, bound=100, ahead=ahead)
    check(machine)
