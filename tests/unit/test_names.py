"""The names of assistants and models that people can choose."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import WrongUse
from core.settings import Settings
from core.store.choices import What
from core.turns.names import Names
from tests.fakes import ManualClock


def names(**settings: Any) -> Names:
    return Names.of(Settings(**settings), ManualClock())


PRICED = names()
FREE = names(self_hosted=True, mistral_base_url="http://127.0.0.1:8000/v1", model="my-model")


@pytest.mark.parametrize("written", ["code-review", " Code-Review. ", "`code-review`", "code review", "CODE_REVIEW!"])
def test_an_assistant_is_known_however_its_name_is_written(written: str) -> None:
    assert PRICED.pick("assistant", written) == "code-review"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("mistral-small-2603", "mistral-small-2603"),
        ("Mistral-Small-Latest", "mistral-small-latest"),
        ("best", "best"),
        ("pixtral-large-latest", "pixtral-large-latest"),
    ],
)
def test_a_model_is_an_id_an_alias_or_a_tier(written: str, stored: str) -> None:
    assert PRICED.pick("model", written) == stored


@pytest.mark.parametrize("what", ["assistant", "model"])
def test_the_word_default_takes_a_choice_back(what: What) -> None:
    assert PRICED.pick(what, " Default ") is None
    assert PRICED.problem(what, "default") is None


@pytest.mark.parametrize("written", ["gpt-4", "mistral-ocr-latest", "", "x" * 500])
def test_a_priced_home_takes_no_model_without_a_price_in_the_catalogue(written: str) -> None:
    with pytest.raises(WrongUse, match="There is no model"):
        PRICED.pick("model", written)


def test_a_free_home_takes_any_name_in_its_own_letters() -> None:
    assert FREE.pick("model", "mistralai/Mistral-7B:latest") == "mistralai/Mistral-7B:latest"
    assert FREE.answering("mistralai/Mistral-7B:latest") == "mistralai/Mistral-7B:latest"
    for no_name in ("two words", "<@U1>", "", "a" * 81):
        assert FREE.problem("model", no_name) is not None
    assert FREE.of_tier(FREE.assistants["code-review"]) == "my-model"


def test_what_is_wrong_names_the_nearest_or_else_all() -> None:
    near = PRICED.problem("assistant", "creativ")
    assert near is not None
    assert (near.name, near.values["near"]) == ("choice_unknown", "creative")
    far = PRICED.problem("assistant", "zzz")
    assert far is not None
    assert far.values["near"] == ""
    assert far.values["known"] == ", ".join(PRICED.assistants)
    with pytest.raises(WrongUse, match=r"no assistant “zzz”\. You can write: default, customer-service"):
        PRICED.pick("assistant", "zzz")


def test_a_tier_says_which_model_answers() -> None:
    assert PRICED.of_tier(PRICED.assistants["default"]) == "mistral-large-2512"
    assert PRICED.of_tier(PRICED.assistants["code-review"]) == "mistral-medium-3-5"
    assert PRICED.of_tier(PRICED.assistants["documents"]) == PRICED.answering("pixtral-large-latest")
    assert names(model="mistral-small-2603").of_tier(PRICED.assistants["default"]) == "mistral-small-2603"


def test_retired_models_are_not_offered_but_what_follows_them_answers() -> None:
    today = ManualClock().now().date()
    assert today > datetime(2026, 5, 31, tzinfo=UTC).date()
    assert "pixtral-large-2411" not in PRICED.every("model")
    assert PRICED.answering("pixtral-large-2411") == "mistral-medium-3-5"


def test_what_is_offered_begins_with_what_was_typed_and_is_never_more_than_discord_takes() -> None:
    offered = [one.name for one in PRICED.suggestions("model", "MINI")]
    assert offered
    assert all(name.startswith("ministral") for name in offered)
    assert [one.name for one in PRICED.suggestions("assistant", "re")] == ["code-review", "creative"]
    assert PRICED.suggestions("assistant", "zzz") == ()


@given(st.text(max_size=60), st.sampled_from(["assistant", "model"]))
def test_any_text_is_a_name_or_a_problem_with_one_and_never_an_accident(written: str, what: What) -> None:
    for known in (PRICED, FREE):
        problem = known.problem(what, written)
        if problem is None:
            picked = known.pick(what, written)
            assert picked is None or picked
        assert len(known.suggestions(what, written)) <= 25
