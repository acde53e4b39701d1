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
