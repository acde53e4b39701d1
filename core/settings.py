"""The settings of INTERFACE.md: read once at the entry point, frozen, passed down."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator

from core.errors import SettingsError
from core.settings_homes import HomeSettings
from core.settings_values import Currency, Dollars, Names, PerMinute, YesNo, one_line, variable, variables, what_it_is

_PERSON = re.compile(r"(slack|discord):[A-Za-z0-9]+")
_POSTGRES = "postgresql+psycopg:"


class Settings(HomeSettings):
    """What the operator chose. Amounts are integer micro-dollars, None being `none`. Secrets show as stars."""

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_client_id: str | None = None
    slack_client_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"

    discord_token: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("DISCORD_TOKEN", "DISCORD_BOT_TOKEN")
    )
    discord_api_url: str = "https://discord.com/api/v10"
    discord_gateway_url: str | None = None

    database_url: str = "sqlite+aiosqlite:///data/bise.db"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = None
    secret_key: SecretStr | None = None
    admins: Names = ()
    allowed_workspaces: Names = ()
    allow_external: YesNo = False

    total_monthly_budget: Dollars = None
    monthly_budget: Dollars = 20_000_000
    daily_budget: Dollars = None
    user_daily_budget: Dollars = None
    turn_budget: Dollars = 500_000
    second_currency: Currency = None

    model: str = "mistral-large-2512"
    economy_model: str = "mistral-small-2603"
    vision_model: str = "pixtral-large-latest"
    max_tokens: int = Field(default=4096, ge=1, le=131_072)
    history_tokens: int = Field(default=16_000, ge=500, le=1_000_000)
    system_prompt: str | None = Field(default=None, max_length=20_000)
    follow_ups: Literal["asker", "all", "off"] = "asker"
    max_concurrent_turns: int = Field(default=50, ge=1, le=10_000)
    drain_seconds: int = Field(default=20, ge=0, le=600)
    user_turns_per_minute: PerMinute = 10
    workspace_turns_per_minute: PerMinute = 60
    retention_days: int = Field(default=30, ge=1, le=3650)
    context_retention_days: int = Field(default=7, ge=1, le=3650)
    secrets: Literal["mask", "refuse", "off"] = "mask"
    report_hour: int = Field(default=9, ge=0, le=23)
    report_pictures: YesNo = True
    report_spread_minutes: int = Field(default=10, ge=0, le=59)
    report_channel: Names = ()
    timezone: str = "UTC"
    assistants_file: Path | None = None
    catalogue_file: Path | None = None
    log_format: Literal["console", "json"] | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str], env_file: Path | None = Path(".env")) -> Self:
        """Settings from `environ`, which wins, and from `env_file`. Raises SettingsError with one line."""
        values = {**_from_file(env_file), **environ}
        values = {name: value for name, value in values.items() if name.isupper() and value.strip()}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SettingsError(one_line(error, cls.model_fields)) from None

    @field_validator("slack_bot_token", "slack_app_token", "discord_token", "mistral_api_key")
    @classmethod
    def _of_the_right_kind(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        token = value.get_secret_value() if value else ""
        if not token:
            return None
        if any(character.isspace() or not character.isprintable() for character in token):
            raise ValueError("has a space or a line break in it; paste the token alone")
        prefix = {"slack_bot_token": "xoxb-", "slack_app_token": "xapp-"}.get(info.field_name, "")
        if not token.startswith(prefix):
            raise ValueError(f"is of the wrong kind: it must begin with {prefix}{what_it_is(token)}")
        if not prefix and what_it_is(token):
            raise ValueError(f"is of the wrong kind{what_it_is(token)}")
        return value

    @field_validator("mistral_base_url", "fallback_base_url", "slack_api_url", "discord_api_url", "public_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError("must be an address that begins with https:// (or http:// on this machine)")
        return value

    @field_validator("timezone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a time zone such as Europe/Paris")
        return value

    @field_validator("admins")
    @classmethod
    def _people(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for person in value:
            if not _PERSON.fullmatch(person):
                raise ValueError("must list people as PLATFORM:ID, such as slack:U0123,discord:1000")
        return value

    @field_validator("allowed_workspaces")
    @classmethod
    def _workspaces(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for workspace in value:
            if not _PERSON.fullmatch(workspace):
                raise ValueError("must list workspaces as PLATFORM:ID, such as slack:T0123,discord:1000")
        return value

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str) -> str:
        if value.startswith(_POSTGRES):
            return _a_postgres_address(value)
        if not re.fullmatch(r"sqlite\+aiosqlite:///.+", value) or ":memory:" in value:
            raise ValueError(
                "must name a file, such as sqlite+aiosqlite:///data/bise.db, or a PostgreSQL database, such as "
                "postgresql+psycopg://bise:PASSWORD@db.example.org/bise"
            )
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for problem in self._problems():
            raise ValueError(problem)
        return self

    def _problems(self) -> list[str]:
        """Settings that are wrong together, each as one whole line."""
        found = []
        if self.slack_bot_token and not (self.slack_app_token or self.slack_signing_secret):
            found.append(
                "SLACK_APP_TOKEN is missing: SLACK_BOT_TOKEN alone cannot receive messages. Set SLACK_APP_TOKEN=xapp-… "
                "(Socket Mode), or SLACK_SIGNING_SECRET for HTTP mode."
            )
        others = self.slack_app_token or self.slack_signing_secret or self.slack_client_id or self.slack_client_secret
        if others and not self.slack_bot_token:
            found.append(
                "SLACK_BOT_TOKEN is missing: set it to the bot token of the workspace, SLACK_BOT_TOKEN=xoxb-… "
                "(installing by OAuth into many workspaces comes in a later version)."
            )
        if self.has_platform and not self.has_model:
            found.append(
                "MISTRAL_API_KEY is missing: a chat platform is set up, but no way to a model. Set MISTRAL_API_KEY=…, "
                "or MISTRAL_BASE_URL=http://127.0.0.1:8000/v1 for a server of your own."
            )
        if self.postgres and not self.secret_key:
            found.append(
                "BISE_SECRET_KEY is missing: on PostgreSQL every process needs the same key. "
                "Set BISE_SECRET_KEY to a long random word, such as one from `openssl rand -hex 32`."
            )
        found += self.home_problems()
        return found

    @property
    def slack_enabled(self) -> bool:
        return self.slack_bot_token is not None

    @property
    def slack_socket_mode(self) -> bool:
        return self.slack_app_token is not None

    @property
    def discord_enabled(self) -> bool:
        return self.discord_token is not None

    @property
    def has_platform(self) -> bool:
        return self.slack_enabled or self.discord_enabled

    @property
    def postgres(self) -> bool:
        """Whether the database is PostgreSQL, for several machines."""
        return self.database_url.startswith(_POSTGRES)

    @property
    def database_file(self) -> Path:
        """The SQLite file; of no meaning on PostgreSQL."""
        return Path(self.database_url.removeprefix("sqlite+aiosqlite:///"))


def _a_postgres_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        named = len(parts.path) > 1 and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, a bracket that is not closed
        named = False
    if not named or any(character.isspace() for character in value):
        raise ValueError("must name a database, such as postgresql+psycopg://bise:PASSWORD@db.example.org/bise")
    return value


def promised_later(settings: Settings) -> list[str]:
    """What a setting promises and this version does not do yet, a line each, to be said at the start."""
    lines = [
        "Nothing is deleted by age yet (BISE_RETENTION_DAYS, BISE_CONTEXT_RETENTION_DAYS).",
    ]
    later = {
        "slack_client_id": "installing by OAuth into many workspaces comes in a later version",
        "public_url": "it is used by installing by OAuth, which comes in a later version",
        "secret_key": "stored tokens are encrypted in a later version; this one stores no installation's token",
    }
    lines += [f"{variable(name)} is not used yet: {why}." for name, why in later.items() if getattr(settings, name)]
    return lines


def unknown_variables(environ: Mapping[str, str], env_file: Path | None = Path(".env")) -> list[str]:
    """A line for each BISE_ variable that is no setting, with what was probably meant."""
    known = [name for field in Settings.model_fields.values() for name in variables(field)]
    lines = []
    for name in sorted({*environ, *_from_file(env_file)}):
        if name.startswith("BISE_") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name} is not a setting of Bise{f'; did you mean {near[0]}?' if near else '.'}")
    return lines


def _from_file(env_file: Path | None) -> dict[str, str]:
    if env_file is None or not env_file.is_file():
        return {}
    try:
        found = dotenv_values(env_file, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{env_file} cannot be read: {type(error).__name__}. It must be a text file.") from None
    return {name: value for name, value in found.items() if value is not None}
