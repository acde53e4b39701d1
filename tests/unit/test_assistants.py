"""The built-in assistants, and the operator's laid over them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.turns.assistants import DEFAULT, EXAMPLE, TOOLS, Assistants

BUILT_IN = Assistants.load()


def laid_over(folder: Path, text: str) -> Assistants:
    file = folder / "own.toml"
    file.write_text(text)
    return Assistants.load(file)


@pytest.mark.parametrize(
    ("name", "tier", "temperature"),
    [
        ("default", "balanced", None),
        ("customer-service", "balanced", 0.7),
        ("documents", "vision", 0.1),
        ("code-review", "best", 0.3),
        ("creative", "balanced", 0.9),
        ("translate", "balanced", 0.3),
    ],
)
def test_a_built_in_assistant_has_its_tier_and_temperature(name: str, tier: str, temperature: float | None) -> None:
    assistant = BUILT_IN[name]
    assert (assistant.name, assistant.tier, assistant.temperature) == (name, tier, temperature)
    assert assistant.prompt == assistant.prompt.strip()
    assert assistant.description
    assert "\n" not in assistant.description
    assert set(assistant.tools) <= set(TOOLS)


def test_the_default_comes_first_and_stands_in_for_what_is_gone() -> None:
    assert next(iter(BUILT_IN)) == DEFAULT
    assert len(BUILT_IN) == 6
    assert BUILT_IN.get("lawyer") is None
    assert BUILT_IN.or_default("lawyer") is BUILT_IN.or_default(None) is BUILT_IN[DEFAULT]
    assert BUILT_IN.or_default("creative") is BUILT_IN["creative"]


def test_an_operators_row_changes_the_fields_that_it_gives_and_no_others(tmp_path: Path) -> None:
    own = laid_over(tmp_path, '[[assistant]]\nname = "creative"\ntemperature = 1.2\ntools = ["calculate"]\n')
    assert (own["creative"].temperature, own["creative"].tools) == (1.2, ("calculate",))
    assert own["creative"].prompt == BUILT_IN["creative"].prompt
    assert own["translate"] == BUILT_IN["translate"]


def test_an_operators_new_row_adds_an_assistant_after_the_others(tmp_path: Path) -> None:
    own = laid_over(
        tmp_path, '[[assistant]]\nname = "lawyer"\ndescription = "Explains contracts"\nprompt = "You explain."\n'
    )
    assert list(own) == [*BUILT_IN, "lawyer"]
    assert (own["lawyer"].tier, own["lawyer"].temperature, own["lawyer"].max_tokens) == ("balanced", None, None)


def test_the_setting_of_a_system_prompt_replaces_the_defaults_whoever_wrote_that(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text('[[assistant]]\nname = "default"\nprompt = "Mine."\n')
    assert Assistants.load(file)["default"].prompt == "Mine."
    own = Assistants.load(file, system_prompt="Be brief.")
    assert own["default"].prompt == "Be brief."
    assert own["creative"] == BUILT_IN["creative"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[assistant", "own.toml: it is no TOML: "),
        ("a = " + "[" * 5000, "own.toml: its brackets are nested too deeply. "),
        ("a = " + "9" * 5000, "own.toml: a number in it is too long. "),
        ("a = " + "[" * 300 + "]" * 300, "written as [[assistant]]"),
        ('[[assistant]]\nname = "creative"\ntools = ' + "[" * 300 + "]" * 300, "tools must be a list"),
        ('name = "lawyer"', "written as [[assistant]]"),
        ('[assistant]\nname = "lawyer"', "written as [[assistant]]"),
        ('[[assistant]]\ndescription = "x"', "a name of its own"),
        ('[[assistant]]\nname = "creative"\n[[assistant]]\nname = "creative"', "a name of its own"),
        ('[[assistant]]\nname = "lawyer"\nprompt = "x"', "the assistant 'lawyer': description is missing"),
        (
            '[[assistant]]\nname = "A lawyer"\nprompt = "x"\ndescription = "x"',
            "'A lawyer': name must be up to 32 of a-z, 0-9 and -",
        ),
        (
            '[[assistant]]\nname = "creative"\ntier = "fast"',
            "the assistant 'creative': tier must be one of best, balanced, economy, vision. ",
        ),
        (
            '[[assistant]]\nname = "creative"\ntemperature = 2',
            "'creative': temperature must be a number from 0 to 1.5. ",
        ),
        ('[[assistant]]\nname = "creative"\ntemperature = nan', "temperature must be a number from 0 to 1.5. "),
        ('[[assistant]]\nname = "creative"\ntemperature = true', "temperature must be a number from 0 to 1.5. "),
        ('[[assistant]]\nname = "creative"\ntemperature = "0.5"', "temperature must be a number from 0 to 1.5. "),
        ('[[assistant]]\nname = "creative"\ntools = "calculate"', "tools must be a list with any of current_time, "),
        ('[[assistant]]\nname = "creative"\nprompt = 5', "prompt must be text of 1 to 20,000 characters. "),
        (
            '[[assistant]]\nname = "creative"\ntools = ["search"]',
            "'creative': tools must be a list with any of current_time, calculate",
        ),
        (
            '[[assistant]]\nname = "creative"\nmax_tokens = 0',
            "'creative': max_tokens must be a whole number from 1 on. ",
        ),
        ('[[assistant]]\nname = "creative"\ncolour = "red"', "there is no field 'colour'; there are name, description"),
        (
            '[[assistant]]\nname = "creative"\ndescription = "two\\nlines"',
            "'creative': description must be one line of 1 to 80 characters. ",
        ),
    ],
)
def test_a_wrong_row_stops_the_start_with_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as stopped:
        laid_over(tmp_path, text)
    line = str(stopped.value)
    assert line.startswith("BISE_ASSISTANTS_FILE: ")
    assert says in line
    assert "\n" not in line
    assert line.endswith(EXAMPLE)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"BISE_ASSISTANTS_FILE: .*none\.toml: No such file or directory"):
        Assistants.load(tmp_path / "none.toml")


def test_a_file_that_is_no_text_is_refused_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"own\.toml: it is no text in UTF-8: save it as UTF-8"):
        Assistants.load(tmp_path / "own.toml")


def test_a_file_that_an_editor_began_with_its_mark_is_read(tmp_path: Path) -> None:
    assert laid_over(tmp_path, "\ufeff" + EXAMPLE)["lawyer"].tier == "best"


def test_the_example_of_a_file_is_one(tmp_path: Path) -> None:
    assert laid_over(tmp_path, EXAMPLE)["lawyer"].tier == "best"
