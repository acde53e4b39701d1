"""The entry for the records of processing says what the settings say, and so do the help and the greeting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bots import replies
from bots.record_words import sections
from bots.terminal.privacy import show_record
from core.errors import SettingsError
from core.messages import Notice
from core.privacy import record
from core.privacy.record import OWN_SERVER, Processor
from core.settings import Settings

KEY = {"MISTRAL_API_KEY": "k"}
AZURE = {
    "AZURE_ENDPOINT": "https://bise.services.ai.azure.com",
    "AZURE_API_KEY": "k",
    "AZURE_LOCATION": "swedencentral",
}


def settings(**environ: str) -> Settings:
    return Settings.read(environ, env_file=None)


def lines(name: str, **environ: str) -> tuple[str, ...]:
    return dict(sections(record.record(settings(**environ))))[name]


@pytest.mark.parametrize(
    ("environ", "processors"),
    [
        ({**KEY}, [Processor("Mistral AI", "global")]),
        ({**KEY, "MISTRAL_REGION": "eu", "MISTRAL_PLAN": "scale"}, [Processor("Mistral AI", "eu", "scale")]),
        ({**KEY, "MISTRAL_BASE_URL": "https://api.us.mistral.ai"}, [Processor("Mistral AI", "us")]),
        ({"MISTRAL_BASE_URL": "https://models.example.org/v1"}, [Processor("models.example.org", "")]),
        ({"MISTRAL_BASE_URL": "http://127.0.0.1:8000/v1", "BISE_SELF_HOSTED": "yes"}, [Processor(OWN_SERVER, "")]),
        ({**AZURE, "BISE_HOME": "azure"}, [Processor("Microsoft Azure", "swedencentral")]),
        (
            {**KEY, **AZURE, "BISE_FALLBACK": "azure:mistral-large-2512,mistral-small-2603,azure:other"},
            [Processor("Mistral AI", "global"), Processor("Microsoft Azure", "swedencentral", fallback=True)],
        ),
        (
            {**KEY, "MISTRAL_REGION": "eu", "BISE_FALLBACK": "mistral-us:mistral-small-2603"},
            [Processor("Mistral AI", "eu"), Processor("Mistral AI", "us", fallback=True)],
        ),
    ],
)
def test_everybody_who_computes_answers_is_named_once_with_the_region(
    environ: dict[str, str], processors: list[Processor]
) -> None:
    assert list(record.processors(settings(**environ))) == processors


def test_the_plan_says_whether_words_may_train_models() -> None:
    assert lines("Plan", **KEY) == ("Not told: set MISTRAL_PLAN to experiment or scale.",)
    assert "may be used to train" in lines("Plan", **KEY, MISTRAL_PLAN="experiment")[0]
    assert lines("Plan", **KEY, MISTRAL_PLAN="scale") == ("Scale: paid, no training on it.",)
    own = {"MISTRAL_BASE_URL": "http://127.0.0.1:8000/v1", "BISE_SELF_HOSTED": "yes"}
    assert lines("Plan", **own) == ("None of Mistral's: its own API is not used.",)


def test_each_setting_that_matters_is_told() -> None:
    retention = lines("Retention", BISE_RETENTION_DAYS="14", BISE_CONTEXT_RETENTION_DAYS="1")
    assert retention[0].endswith(": 14 days")
    assert retention[1].endswith(": 1 day")
    slack = {**KEY, "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    assert any("Slack" in line for line in lines("Recipients", **slack))
    assert not any("Discord" in line for line in lines("Recipients", **slack))
    assert "guests" in lines("People", BISE_ALLOW_EXTERNAL="yes")[0]
    assert "refused" in lines("Security measures", BISE_SECRETS="refuse")[0]
    assert "PostgreSQL" in "".join(
        lines("Security measures", DATABASE_URL="postgresql+psycopg://b@localhost/b", BISE_SECRET_KEY="k" * 40)
    )
    assert "(TLS)" in lines("Security measures")[-1]
    assert "not encrypted" in lines("Security measures", MISTRAL_BASE_URL="http://models.example.org")[-1]


def test_the_record_can_be_read_by_people_and_by_programs(capsys: pytest.CaptureFixture[str]) -> None:
    known = settings(**KEY, MISTRAL_REGION="eu", MISTRAL_PLAN="scale")
    assert show_record(known, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "Mistral AI, region: EU" in shown
    assert show_record(known, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["settings"]["processors"] == [
        {"operator": "Mistral AI", "region": "eu", "plan": "scale", "fallback": False}
    ]
    assert all(line in shown for section in told["record"].values() for line in section)


def test_settings_that_nothing_would_start_with_have_no_record() -> None:
    with pytest.raises(SettingsError, match="MISTRAL_BASE_URL"):
        show_record(settings(MISTRAL_REGION="eu", MISTRAL_BASE_URL="https://models.example.org"), as_json=False)


@pytest.mark.parametrize("name", ["help", "greeting"])
def test_help_and_greeting_name_the_region_and_the_plan(name: str) -> None:
    def said(**environ: str) -> str:
        values: dict[str, Any] = record.where(settings(**environ))
        return replies.sentence(Notice(name, values))

    assert "goes to Mistral AI (region: EU, plan: Scale)." in said(**KEY, MISTRAL_REGION="eu", MISTRAL_PLAN="scale")
    assert replies.TRAINING_NOTE in said(**KEY, MISTRAL_PLAN="experiment")
    assert "another that is set up here" in said(**KEY, BISE_FALLBACK="mistral-eu:mistral-small-2603")
    assert "own" in said(MISTRAL_BASE_URL="http://127.0.0.1:8000/v1", BISE_SELF_HOSTED="yes")


def test_what_was_left_out_and_what_is_refused_is_told_by_its_kind() -> None:
    told = replies.sentence(Notice("secrets_left_out", {"kinds": "aws_key,card_number"}))
    assert told.startswith("I did not pass on what looks like an AWS key and a card number.")
    assert "Please ask again without it" in replies.sentence(Notice("secrets_refused", {"kinds": "slack_token"}))
