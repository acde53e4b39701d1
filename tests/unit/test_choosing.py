"""Which model answers a turn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from core.errors import UnknownModel
from core.mistral.catalogue import Catalogue
from core.mistral.providers import configured
from core.mistral.providers.azure import Azure
from core.mistral.providers.provider import Provider
from core.settings import Settings
from core.turns.choosing import ModelChoice
from tests.fakes import ManualClock


def choice(at: datetime | None = None, *, home: Provider | None = None, **settings: Any) -> ModelChoice:
    chosen, clock = Settings(**settings), ManualClock(at) if at else ManualClock()
    return ModelChoice(chosen, Catalogue.load(), clock, home or configured.provider(chosen))


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


# tiers, and what somebody chose for a place


def test_a_tier_is_the_settings_name_for_it_and_the_catalogues_for_the_best() -> None:
    chosen = choice(economy_model="ministral-8b-2512")
    answering = {tier: chosen.models(tier=tier).text.id for tier in ("best", "balanced", "economy")}
    assert answering == {
        "best": "mistral-medium-3-5",
        "balanced": "mistral-large-2512",
        "economy": "ministral-8b-2512",
    }


def test_the_vision_tier_reads_texts_and_images_with_the_same_model() -> None:
    models = choice(datetime(2026, 5, 30, tzinfo=UTC)).models(tier="vision")
    assert models.text is models.vision
    assert models.text.id == "pixtral-large-2411"


def test_a_name_that_somebody_chose_goes_before_any_tier() -> None:
    models = choice().models(tier="best", name="mistral-small-latest")
    assert models.text.id == "mistral-small-2603"
    with pytest.raises(UnknownModel):
        choice().models(tier="best", name="gpt-99")


def test_a_chosen_model_that_is_blind_has_a_seeing_one_beside_it() -> None:
    models = choice().models(name="codestral-2508")
    assert models.text.id == "codestral-2508"
    assert models.vision is not None
    assert models.vision.vision


# homes that have names of their own


AZURE = Azure("https://r.services.ai.azure.com", "a-key")
OWN: dict[str, Any] = {"self_hosted": True, "mistral_base_url": "http://127.0.0.1:1"}


def test_a_clouds_name_reaches_the_wire_as_it_is_with_what_the_catalogue_knows_of_it() -> None:
    model = choice(home=AZURE, model="Mistral-Large-3").models().text
    known = Catalogue.load().resolve("mistral-large-2512")
    assert known is not None
    assert (model.id, model.prices, model.context) == ("Mistral-Large-3", known.prices, known.context)


def test_a_retired_model_on_a_cloud_is_served_as_long_as_the_cloud_likes() -> None:
    chosen = choice(home=AZURE, model="mistral-large-2411")
    assert chosen.models().text.id == "mistral-large-2411"
    assert chosen.replacement(chosen.models().text) is None
    assert chosen.models().text.id == "mistral-large-2411", "and it stays so"


def test_a_deployment_that_the_catalogue_does_not_price_is_refused() -> None:
    with pytest.raises(UnknownModel):
        choice(home=AZURE, model="our-deployment").models()


@pytest.mark.parametrize("tier", ["best", "balanced", "economy", "vision"])
def test_a_tier_never_reaches_a_home_that_has_names_of_its_own(tier: str) -> None:
    on_a_cloud = choice(home=AZURE, model="Mistral-Large-3")
    assert on_a_cloud.models(tier=tier).text.id == on_a_cloud.models(name=tier).text.id == "Mistral-Large-3"
    at_home = choice(model="my-model", **OWN)
    assert at_home.models(tier=tier).text.id == at_home.models(name=tier).text.id == "my-model"


def test_a_setting_that_was_written_for_a_home_with_its_own_names_is_used_there() -> None:
    chosen = choice(model="a", economy_model="small", vision_model="eyes", **OWN)
    assert chosen.models(tier="economy").text.id == "small"
    assert chosen.models(tier="vision").text.id == "eyes"


def test_a_model_that_nobody_describes_is_not_known_to_call_tools() -> None:
    assert choice(model="my-model", **OWN).models().text.tools is None
