"""Settings: read once, frozen, and one plain line where something is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from core.mistral.providers.configured import provider
from core.mistral.providers.home import Home
from core.settings import Settings, promised_later, unknown_variables

BOT, APP, KEY = "xoxb-1-secretbot", "xapp-1-secretapp", "secretmistral"
SLACK = {"SLACK_BOT_TOKEN": BOT, "SLACK_APP_TOKEN": APP, "MISTRAL_API_KEY": KEY}


def read(**environ: str) -> Settings:
    return Settings.read(environ, None)


def line_of(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ, None)
    return str(caught.value)


def test_without_any_variable_the_defaults_of_the_contract_hold() -> None:
    settings = read()
    assert settings.model == "mistral-large-2512"
    assert settings.vision_model == "pixtral-large-latest"
    assert (settings.max_tokens, settings.history_tokens) == (4096, 16_000)
    assert settings.follow_ups == "asker"
    assert settings.monthly_budget == 20_000_000
    assert (settings.user_turns_per_minute, settings.workspace_turns_per_minute) == (10, 60)
    assert settings.database_file == Path("data/bise.db")
    assert not settings.has_platform
    assert not settings.has_model


WRONG = {
    "MISTRAL_API_KEY": "two words",
    "MISTRAL_REGION": "mars",
    "MISTRAL_BASE_URL": "ftp://there",
    "BISE_HOME": "the moon",
    "BISE_FALLBACK_BASE_URL": "nowhere",
    "BISE_SELF_HOSTED": "maybe",
    "MISTRAL_PLAN": "free",
    "SLACK_BOT_TOKEN": "hello",
    "SLACK_APP_TOKEN": "hello",
    "SLACK_API_URL": "nowhere",
    "DISCORD_TOKEN": "two words",
    "DISCORD_API_URL": "nowhere",
    "DATABASE_URL": "mysql://there",
    "BISE_HTTP_PORT": "eighty",
    "BISE_PUBLIC_URL": "bise.example",
    "BISE_ADMINS": "ada",
    "BISE_ALLOWED_WORKSPACES": "ours",
    "BISE_ALLOW_EXTERNAL": "perhaps",
    "BISE_TOTAL_MONTHLY_BUDGET": "-1",
    "BISE_MONTHLY_BUDGET": "20 euros",
    "BISE_DAILY_BUDGET": "1e3",
    "BISE_USER_DAILY_BUDGET": "1.2345678",
    "BISE_MAX_TOKENS": "0",
    "BISE_HISTORY_TOKENS": "lots",
    "BISE_SYSTEM_PROMPT": "x" * 20_001,
    "BISE_FOLLOW_UPS": "some",
    "BISE_MAX_CONCURRENT_TURNS": "0",
    "BISE_USER_TURNS_PER_MINUTE": "0",
    "BISE_WORKSPACE_TURNS_PER_MINUTE": "-3",
    "BISE_RETENTION_DAYS": "0",
    "BISE_CONTEXT_RETENTION_DAYS": "a week",
    "BISE_REPORT_HOUR": "24",
    "BISE_TIMEZONE": "Mars/Olympus",
    "BISE_LOG_FORMAT": "xml",
}


@pytest.mark.parametrize("variable", WRONG)
def test_a_wrong_value_is_one_line_that_begins_with_its_variable(variable: str) -> None:
    line = line_of({**SLACK, variable: WRONG[variable]})
    assert line.startswith(f"{variable} ")
    assert len(line.splitlines()) == 1
    assert line.endswith((".", "…")) or "Example: " in line
    assert WRONG[variable] not in line or len(WRONG[variable]) == 1, "a value may be a secret: it is never repeated"


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SLACK_BOT_TOKEN", APP, "it must begin with xoxb-; this one is a Slack app token (for SLACK_APP_TOKEN)"),
        ("SLACK_APP_TOKEN", BOT, "it must begin with xapp-; this one is a Slack bot token (for SLACK_BOT_TOKEN)"),
        ("SLACK_BOT_TOKEN", "xoxp-1-secret", "a Slack user token"),
        ("DISCORD_TOKEN", BOT, "this one is a Slack bot token"),
        ("MISTRAL_API_KEY", APP, "this one is a Slack app token"),
    ],
)
def test_a_token_of_the_wrong_kind_is_told_for_what_it_is(variable: str, value: str, says: str) -> None:
    line = line_of({**SLACK, variable: value})
    assert line.startswith(f"{variable} is of the wrong kind")
    assert says in line
    assert value not in line


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({"SLACK_BOT_TOKEN": BOT, "MISTRAL_API_KEY": KEY}, "SLACK_APP_TOKEN"),
        ({"SLACK_APP_TOKEN": APP, "MISTRAL_API_KEY": KEY}, "SLACK_BOT_TOKEN"),
        ({"SLACK_SIGNING_SECRET": "s", "MISTRAL_API_KEY": KEY}, "SLACK_BOT_TOKEN"),
        ({"SLACK_CLIENT_ID": "1", "SLACK_CLIENT_SECRET": "s", "MISTRAL_API_KEY": KEY}, "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": BOT, "SLACK_APP_TOKEN": APP}, "MISTRAL_API_KEY"),
        ({"DISCORD_TOKEN": "a.b.c"}, "MISTRAL_API_KEY"),
    ],
)
def test_a_platform_set_up_in_part_is_told_what_to_set(environ: dict[str, str], missing: str) -> None:
    line = line_of(environ)
    assert line.startswith(f"{missing} is missing: ")
    assert f"{missing}=" in line
    assert len(line.splitlines()) == 1


def test_a_server_of_ones_own_needs_its_address() -> None:
    assert "MISTRAL_BASE_URL=" in line_of({"BISE_SELF_HOSTED": "yes"})


def test_postgresql_wants_a_key_that_every_process_knows() -> None:
    line = line_of({"DATABASE_URL": "postgresql+psycopg://u:secret@h/d"})
    assert line.startswith("BISE_SECRET_KEY is missing")
    assert "u:secret" not in line


def test_no_secret_is_in_a_repr() -> None:
    settings = Settings.read({**SLACK, "DISCORD_TOKEN": "a.secret.token", "SLACK_SIGNING_SECRET": "secretsign"}, None)
    for shown in (repr(settings), str(settings), f"{settings.model_dump()}", settings.model_dump_json()):
        for secret in (BOT, APP, KEY, "a.secret.token", "secretsign"):
            assert secret not in shown


@pytest.mark.parametrize("environ", [{**SLACK, "BISE_REPORT_HOUR": "99"}, {**SLACK, "SLACK_BOT_TOKEN": f"{APP} x"}])
def test_no_secret_is_in_an_error_or_what_led_to_it(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ, None)
    assert caught.value.__suppress_context__, "pydantic's own error would be shown beside ours"
    assert "secret" not in f"{caught.value!r} {caught.value} {caught.value.__context__}"


def test_the_env_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# ours\nBISE_MODEL=from-file\nBISE_MAX_TOKENS=100\nMISTRAL_API_KEY='in ${BISE_MODEL}'\n")
    with pytest.raises(SettingsError, match="MISTRAL_API_KEY has a space"):  # nothing is filled in
        Settings.read({}, file)
    file.write_text("BISE_MODEL=from-file\nBISE_MAX_TOKENS=100\nBISE_REPORT_HOUR\n")
    settings = Settings.read({"BISE_MODEL": "from-environment", "BISE_MAX_TOKENS": "  "}, file)
    assert settings.model == "from-environment"
    assert settings.max_tokens == 4096, "set to nothing in the environment is not set"
    assert settings.report_hour == 9


def test_an_env_file_that_is_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"BISE_MODEL=\xff\xfe\n")
    with pytest.raises(SettingsError, match="cannot be read: UnicodeDecodeError"):
        Settings.read({}, file)


def test_variables_of_other_programs_are_none_of_our_business() -> None:
    settings = Settings.read({"model": "x", "timezone": "Mars", "MODEL": "x", "TIMEZONE": "x", "PATH": "x"}, None)
    assert settings == Settings.read({}, None)


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        read().model = "another"


def test_amounts_are_whole_micro_dollars() -> None:
    settings = read(BISE_MONTHLY_BUDGET="0.1", BISE_DAILY_BUDGET="0.000001", BISE_USER_DAILY_BUDGET="None")
    assert (settings.monthly_budget, settings.daily_budget, settings.user_daily_budget) == (100_000, 1, None)
    assert read(BISE_MONTHLY_BUDGET="none").monthly_budget is None


def test_lists_may_have_spaces_and_empty_places() -> None:
    settings = read(BISE_ADMINS=" slack:U1 , ,discord:1000,", BISE_ALLOWED_WORKSPACES="slack:T1")
    assert settings.admins == ("slack:U1", "discord:1000")
    assert settings.allowed_workspaces == ("slack:T1",)


def test_discords_token_goes_by_two_names() -> None:
    settings = read(DISCORD_BOT_TOKEN="a.b.c", MISTRAL_API_KEY=KEY)
    assert settings.discord_enabled
    assert line_of({"DISCORD_BOT_TOKEN": "a b"}).startswith("DISCORD_")


@pytest.mark.parametrize(("region", "host"), [("eu", "api.eu.mistral.ai"), ("us", "api.us.mistral.ai")])
def test_a_region_has_its_own_host(region: str, host: str) -> None:
    home = provider(read(MISTRAL_REGION=region))
    other = provider(read(MISTRAL_REGION=region, MISTRAL_BASE_URL="http://127.0.0.1:1"))
    assert isinstance(home, Home)
    assert isinstance(other, Home)
    assert (home.base_url, other.base_url) == (f"https://{host}", "http://127.0.0.1:1")


def test_socket_mode_goes_before_http_mode() -> None:
    assert Settings.read({**SLACK, "SLACK_SIGNING_SECRET": "s"}, None).slack_socket_mode
    only_http = {"SLACK_BOT_TOKEN": BOT, "SLACK_SIGNING_SECRET": "s", "MISTRAL_API_KEY": KEY}
    assert not Settings.read(only_http, None).slack_socket_mode


def test_what_is_not_built_yet_is_said_not_ignored() -> None:
    lines = promised_later(read())
    assert any("Nothing is deleted by age yet" in line for line in lines)
    assert not any("BISE_PUBLIC_URL" in line for line in lines)
    assert any(
        line.startswith("BISE_PUBLIC_URL is not used yet")
        for line in promised_later(read(BISE_PUBLIC_URL="https://b.example"))
    )


def test_a_misspelt_setting_is_told_with_what_was_probably_meant(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("BISE_FOLOW_UPS=all\n")
    assert unknown_variables({"BISE_MODEL": "x", "BISE_XYZZY": "1", "HOME": "/"}, file) == [
        "BISE_FOLOW_UPS is not a setting of Bise; did you mean BISE_FOLLOW_UPS?",
        "BISE_XYZZY is not a setting of Bise.",
    ]
