"""Which model answers a turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.errors import UnknownModel
from core.mistral.catalogue import Catalogue
from core.settings import Settings
from core.turns.choosing import ModelChoice
from tests.fakes import ManualClock


def choice(at: datetime | None = None, **settings: Any) -> ModelChoice:
    clock = ManualClock(at) if at else ManualClock()
    return ModelChoice(Settings(**settings), Catalogue.load(), clock)


def test_models_are_called_by_dated_ids() -> None:
    assert choice(model="mistral-large-latest").models().text.id == "mistral-large-2512"
    assert choice(model="economy").models().text.id == "mistral-small-2603"


def test_a_retired_vision_model_gives_way_to_a_conversations_model_that_can_see() -> None:
    models = choice().models()
    assert models.vision is models.text


def test_a_retired_vision_model_gives_way_to_its_successor_where_the_conversations_model_is_blind() -> None:
    models = choice(model="codestral-2508").models()
    assert models.text.id == "codestral-2508"
    assert models.vision is not None
    assert models.vision.id == "mistral-medium-3-5"


def test_chosen_its_retirement_the_configured_vision_model_looks() -> None:
    models = choice(datetime(2026, 5, 30, tzinfo=UTC)).models()
    assert models.vision is not None
    assert models.vision.id == "pixtral-large-2411"


def test_giving_way_is_one_line_of_the_log() -> None:
    chosen = choice()
    with capture_logs() as logs:
        for _ in range(3):
            chosen.models()
    ours = [entry for entry in logs if entry["event"] == "model.replaced"]
    assert len(ours) == 1
    assert {"pixtral-large-2411", "mistral-large-2512"} <= set(ours[0].values())


@pytest.mark.parametrize("name", ["gpt-99", "mistral-ocr-latest"])
def test_a_model_without_a_price_is_refused_on_a_priced_home(name: str) -> None:
    with pytest.raises(UnknownModel):
        choice(model=name).models()


def test_a_home_without_eyes_answers_blindly_rather_than_not_at_all() -> None:
    assert choice(vision_model="no-such-model").models().vision is None


def test_on_a_server_of_ones_own_any_name_will_do_and_costs_nothing() -> None:
    models = choice(self_hosted=True, mistral_base_url="http://here", model="my-model").models()
    assert (models.text.id, models.text.prices) == ("my-model", ())
    assert models.vision is None, "nobody said that it can see"


def test_on_a_server_of_ones_own_a_named_vision_model_looks() -> None:
    models = choice(self_hosted=True, mistral_base_url="http://here", model="a", vision_model="b").models()
    assert models.vision is not None
    assert (models.vision.id, models.vision.vision) == ("b", True)


def test_what_the_home_says_is_gone_is_not_asked_for_again() -> None:
    chosen = choice(datetime(2026, 5, 30, tzinfo=UTC), model="pixtral-large-2411")
    gone = chosen.models().text
    assert gone.id == "pixtral-large-2411"
    successor = chosen.replacement(gone)
    assert successor is not None
    assert successor.id == "mistral-medium-3-5"
    assert chosen.models().text == successor


def test_what_nothing_follows_is_told_and_a_server_of_ones_own_replaces_nothing() -> None:
    chosen = choice()
    assert chosen.replacement(chosen.models().text) is None
    own = choice(self_hosted=True, mistral_base_url="http://here")
    assert own.replacement(own.models().text) is None
