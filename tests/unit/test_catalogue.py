from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from core.chat import Usage
from core.errors import SettingsError, UnknownModel
from core.mistral.catalogue import TIERS, Catalogue
from core.mistral.catalogue_file import EXAMPLE
from core.mistral.models import Model

TODAY = date(2026, 11, 23)
CATALOGUE = Catalogue.load()
PRICED = [model for model in CATALOGUE.models.values() if model.prices]


def model(name: str) -> Model:
    found = CATALOGUE.resolve(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "context", "prices", "vision"),
    [
        ("mistral-large-2512", 256_000, (500_000, 1_500_000), True),
        ("mistral-medium-3-5", 256_000, (1_500_000, 7_500_000), True),
        ("mistral-small-2603", 256_000, (150_000, 600_000), True),
        ("ministral-14b-2512", 256_000, (200_000, 200_000), True),
        ("ministral-8b-2512", 256_000, (150_000, 150_000), True),
        ("ministral-3b-2512", 256_000, (100_000, 100_000), True),
        ("codestral-2508", 128_000, (300_000, 900_000), False),
        ("mistral-large-4", 512_000, (1_360_000, 4_180_000), True),
        ("voxtral-small-2507", 32_000, (100_000, 400_000), False),
        ("pixtral-large-2411", 128_000, (2_000_000, 6_000_000), True),
        ("mistral-large-2411", 128_000, (2_000_000, 6_000_000), False),
        ("mistral-medium-2505", 128_000, (400_000, 2_000_000), True),
        ("mistral-medium-2508", 128_000, (400_000, 2_000_000), True),
        ("mistral-small-2501", 32_000, (100_000, 300_000), False),
        ("mistral-small-2506", 128_000, (100_000, 300_000), True),
        ("pixtral-12b-2409", 128_000, (150_000, 150_000), True),
        ("open-mixtral-8x7b", 32_000, (700_000, 700_000), False),
        ("open-mistral-7b", 32_000, (250_000, 250_000), False),
    ],
)
def test_every_row_of_the_facts_is_there(name: str, context: int, prices: tuple[int, int], vision: bool) -> None:
    found = model(name)
    price = found.price(TODAY)
    assert (found.context, (price.input_microusd, price.output_microusd), found.vision) == (context, prices, vision)
    assert price.cached_microusd * 10 == price.input_microusd


def test_every_chat_model_of_mistral_s_that_is_current_may_be_offered_tools_but_the_one_for_audio() -> None:
    current = [one for one in CATALOGUE.models.values() if one.chat and one.status != "retired"]
    assert [one.id for one in current if not one.tools] == ["voxtral-small-2507"]


def test_an_alias_means_its_dated_model() -> None:
    assert model("mistral-large-latest").id == "mistral-large-2512"
    assert model("pixtral-large-latest").id == "pixtral-large-2411"
    assert CATALOGUE.resolve("gpt-5") is None


def test_the_models_that_reason_on_request_say_how_hard() -> None:
    assert {row.id: row.reasoning for row in CATALOGUE.models.values() if row.reasoning} == {
        "mistral-medium-3-5": ("none", "high"),
        "mistral-small-2603": ("none", "high"),
    }


def test_every_tier_names_a_chat_model() -> None:
    assert all(model(tier).chat for tier in TIERS)
    assert model("best").id == "mistral-medium-3-5"
    assert model("balanced").id == "mistral-large-2512"


def test_the_prices_of_january_2025_hold_on_their_day() -> None:
    day = date(2025, 1, 15)
    small = model("mistral-small-2501")
    assert (small.price(day).input_microusd, small.price(day).output_microusd) == (200_000, 600_000)
    assert small.price(date(2025, 3, 1)).input_microusd == 100_000
    assert small.price(date(2025, 2, 28)).input_microusd == 200_000
    assert model("mistral-large-2411").price(day).output_microusd == 6_000_000


def test_before_its_first_price_a_model_costs_the_first() -> None:
    assert model("mistral-large-2512").price(date(2020, 1, 1)).input_microusd == 500_000


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(0, 0), 0),
        (Usage(1, 0), 1),  # half a micro-dollar, rounded up
        (Usage(1, 1), 2),  # 0.5 + 1.5: rounded once, on the sum
        (Usage(1000, 500), 1250),
        (Usage(1000, 0, 1000), 50),
        (Usage(1000, 0, 400), 320),
        (Usage(10, 0, 99), 1),  # more cached than sent is what was sent
    ],
)
def test_a_call_costs_its_tokens_rounded_up_once(usage: Usage, cost: int) -> None:
    assert model("mistral-large-2512").cost(usage, TODAY) == cost


@given(
    which=st.sampled_from(PRICED),
    prompt=st.integers(0, 10**7),
    completion=st.integers(0, 10**6),
    share=st.fractions(0, 1),
    tenths=st.sampled_from([10, 11]),
    days=st.integers(-800, 400),
)
def test_cost_equals_a_recomputation_in_fractions(
    which: Model, prompt: int, completion: int, share: Fraction, tenths: int, days: int
) -> None:
    cached, on = int(prompt * share), TODAY + timedelta(days=days)
    price = which.price(on)
    dollars = (
        Fraction(price.input_microusd, 10**6) * (prompt - cached)
        + Fraction(price.cached_microusd, 10**6) * cached
        + Fraction(price.output_microusd, 10**6) * completion
    ) * Fraction(tenths, 10)
    assert which.cost(Usage(prompt, completion, cached), on, price_tenths=tenths) == ceil(dollars)


@pytest.mark.parametrize(
    ("name", "size", "tokens"),
    [
        ("pixtral-large-2411", (1024, 768), 3120),
        ("pixtral-large-2411", (2048, 1536), 3120),
        ("mistral-large-2512", (1540, 1540), 3080),
        ("mistral-large-2512", (4000, 4000), 3080),
        ("mistral-large-2512", (1, 1), 2),
        ("mistral-large-2512", (28, 29), 4),
        ("mistral-large-2512", (10_000, 1), 56),
        ("codestral-2508", (100, 100), 0),
    ],
)
def test_an_image_costs_its_grid(name: str, size: tuple[int, int], tokens: int) -> None:
    assert model(name).image_tokens(*size) == tokens


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_no_image_costs_more_than_the_largest_grid(width: int, height: int) -> None:
    assert model("mistral-large-2512").image_tokens(width, height) <= 3080


def test_a_retired_model_gives_way_to_its_successor_with_one_log_line() -> None:
    catalogue = Catalogue.load()
    with capture_logs() as logs:
        choices = [catalogue.choose("pixtral-large-latest", today=TODAY) for _ in range(3)]
    assert {(choice.model.id, choice.replaced) for choice in choices} == {("mistral-medium-3-5", "pixtral-large-2411")}
    assert [line["event"] for line in logs] == ["model.replaced"]


def test_a_model_is_itself_until_the_day_it_retires() -> None:
    assert CATALOGUE.choose("pixtral-large-2411", today=date(2026, 5, 30)).replaced is None
    assert CATALOGUE.choose("pixtral-large-2411", today=date(2026, 5, 31)).replaced == "pixtral-large-2411"


def test_a_home_that_serves_a_retired_model_keeps_it() -> None:
    choice = CATALOGUE.choose("pixtral-large-latest", today=TODAY, served={"pixtral-large-2411"})
    assert (choice.model.id, choice.replaced) == ("pixtral-large-2411", None)


def test_a_model_that_the_home_does_not_list_is_still_tried_where_nothing_follows_it() -> None:
    assert CATALOGUE.choose("mistral-large-2512", today=TODAY, served={"other"}).model.id == "mistral-large-2512"


def test_replacements_are_followed_to_one_that_lives() -> None:
    found = CATALOGUE.replacement("mistral-small-2501", today=TODAY)
    assert found is not None
    assert found.id == "mistral-small-2603"
    early = CATALOGUE.replacement("mistral-small-2501", today=date(2026, 1, 1))
    assert early is not None
    assert early.id == "mistral-small-2503"
    assert CATALOGUE.replacement("mistral-large-2512", today=TODAY) is None
    assert CATALOGUE.replacement("never-was", today=TODAY) is None


@pytest.mark.parametrize("name", ["never-was", "mistral-ocr-latest", ""])
def test_a_name_that_is_no_chat_model_is_never_called(name: str) -> None:
    with pytest.raises(UnknownModel):
        CATALOGUE.choose(name, today=TODAY)


def test_a_model_without_a_price_is_never_free() -> None:
    with pytest.raises(UnknownModel):
        Model.unlisted("my-own").cost(Usage(1, 1), TODAY)


def test_images_go_to_the_conversations_model_where_the_configured_one_is_retired() -> None:
    chosen = CATALOGUE.vision_model("pixtral-large-latest", "mistral-large-2512", today=TODAY)
    assert (chosen.model.id, chosen.replaced) == ("mistral-large-2512", "pixtral-large-2411")


def test_images_go_to_the_successor_where_the_conversations_model_is_blind() -> None:
    chosen = CATALOGUE.vision_model("pixtral-large-latest", "codestral-2508", today=TODAY)
    assert chosen.model.id == "mistral-medium-3-5"


def test_images_go_to_the_configured_model_where_it_is_served() -> None:
    served = {"pixtral-large-latest"}
    chosen = CATALOGUE.vision_model("pixtral-large-latest", "mistral-large-2512", today=TODAY, served=served)
    assert chosen.model.id == "pixtral-large-2411"
    past = CATALOGUE.vision_model("pixtral-large-latest", "mistral-large-2512", today=date(2026, 1, 1))
    assert past.model.id == "pixtral-large-2411"


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "own.toml"
    path.write_text(text)
    return path


def test_an_operators_row_replaces_only_the_fields_it_names(tmp_path: Path) -> None:
    path = own(
        tmp_path,
        '[tiers]\nbest = "mine"\n[[model]]\nid = "mistral-large-2512"\n'
        "prices = [{ from = 2026-06-01, input_microusd = 7, output_microusd = 8, cached_microusd = 2 }]\n"
        '[[model]]\nid = "mine"\nstatus = "current"\ncontext = 1000\n'
        "prices = [{ from = 2026-01-01, input_microusd = 15, output_microusd = 3 }]\n",
    )
    catalogue = Catalogue.load(path)
    large = catalogue.resolve("mistral-large-latest")
    assert large is not None
    assert (large.context, large.price(TODAY).input_microusd, large.price(TODAY).cached_microusd) == (256_000, 7, 2)
    best = catalogue.resolve("best")
    assert best is not None
    assert (best.id, best.price(TODAY).cached_microusd) == ("mine", 2)  # a tenth of 15, rounded up
    assert len(catalogue.models) == len(CATALOGUE.models) + 1


NEW = '[[model]]\nid = "x"\nstatus = "current"\ncontext = 10\n'
PRICE = "prices = [{ from = 2026-01-01, input_microusd = 1, output_microusd = 1 }]\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not toml", "own.toml: it is no TOML: "),
        ("a = " + "[" * 5000, "own.toml: its brackets are nested too deeply. "),
        ("model = " + "[" * 300 + "]" * 300, "[[model]]"),
        (NEW + "prices = " + "[" * 300 + "]" * 300, "x.prices"),
        (NEW, "x: a chat model has a context and at least one price"),
        (NEW + PRICE.replace("= 1,", '= "1",'), "x.prices[0].input_microusd"),
        (NEW + PRICE.replace("= 1,", "= 0.5,"), "x.prices[0].input_microusd"),
        (NEW + PRICE.replace("= 1,", "= -1,"), "x.prices[0].input_microusd"),
        (NEW + PRICE + "colour = 1\n", "colour"),
        (NEW + PRICE + "vision = true\n", "image_grid"),
        (NEW + PRICE + 'replacement = "nobody"\n', "nobody"),
        (NEW + PRICE + 'replacement = "x"\n', "circle"),
        (NEW + PRICE + 'aliases = ["mistral-large-latest"]\n', "two models"),
        (NEW + PRICE + NEW + PRICE, "id of its own"),
        ('[tiers]\nbest = "nobody"\n', "tiers.best"),
        ('[tiers]\nworst = "mistral-large-2512"\n', "tiers.worst"),
        ("tiers = 3\n", "[tiers]"),
        ("model = 3\n", "[[model]]"),
    ],
)
def test_a_wrong_catalogue_file_stops_the_start_with_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Catalogue.load(own(tmp_path, text))
    line = str(caught.value)
    assert line.startswith("BISE_CATALOGUE_FILE")
    assert says in line
    assert "\n" not in line


def test_a_missing_or_unreadable_catalogue_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"BISE_CATALOGUE_FILE.*No such file"):
        Catalogue.load(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"BISE_CATALOGUE_FILE.*bytes\.toml: it is no text in UTF-8"):
        Catalogue.load(tmp_path / "bytes.toml")


def test_the_example_of_a_file_is_one(tmp_path: Path) -> None:
    found = Catalogue.load(own(tmp_path, EXAMPLE)).resolve("my-model")
    assert found is not None
    assert found.price(TODAY).output_microusd == 300_000
