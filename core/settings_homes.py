"""The settings of the places that serve models, under the names that the clouds' own tools read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, Field, SecretStr

from core.settings_values import FORM, Names, YesNo

HomeName = Literal["mistral", "azure", "vertex", "bedrock", "sagemaker"]
FallbackHome = Literal["mistral", "mistral-eu", "mistral-us", "azure", "vertex", "bedrock", "sagemaker", "self-hosted"]
_FALLBACK_HOMES: tuple[FallbackHome, ...] = get_args(FallbackHome)
# Ollama's names of models, with a tag after the colon, that are nearly a home's.
_MODELS_LIKE_HOMES = re.compile(r"mixtral|min?istral|magistral|mistral-?\d")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)*(-?[a-z]*\d{1,2})?")
_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{2,62}")
_ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


class HomeSettings(BaseModel):
    """Which home answers, and how each is reached. A cloud's variables mean nothing until a home of it is named."""

    model_config = FORM

    home: HomeName = "mistral"
    fallback: Names = ()
    fallback_base_url: str | None = None

    mistral_api_key: SecretStr | None = None
    mistral_region: Literal["global", "eu", "us"] = "global"
    mistral_base_url: str | None = None
    self_hosted: YesNo = False
    mistral_plan: Literal["experiment", "scale"] | None = None

    azure_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("AZURE_ENDPOINT", "AZURE_INFERENCE_ENDPOINT", "AZUREAI_ENDPOINT")
    )
    azure_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("AZURE_API_KEY", "AZURE_INFERENCE_CREDENTIAL", "AZUREAI_API_KEY"),
    )
    azure_api_version: str | None = None
    azure_location: str | None = None

    google_cloud_project: str | None = None
    google_cloud_location: str | None = Field(
        default=None, validation_alias=AliasChoices("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION")
    )
    google_application_credentials: Path | None = None
    google_endpoint: str | None = Field(
        default=None, validation_alias=AliasChoices("CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM")
    )

    aws_region: str | None = Field(default=None, validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"))
    aws_bearer_token_bedrock: SecretStr | None = None
    aws_access_key_id: SecretStr | None = None
    aws_secret_access_key: SecretStr | None = None
    aws_session_token: SecretStr | None = None
    aws_profile: str | None = None
    aws_endpoint_url_bedrock_runtime: str | None = None
    aws_endpoint_url_sagemaker_runtime: str | None = None
    sagemaker_endpoint_name: str | None = None

    @property
    def has_model(self) -> bool:
        """Whether there is a way to a model."""
        return self.home != "mistral" or self.mistral_api_key is not None or self.mistral_base_url is not None

    def home_problems(self) -> Iterator[str]:
        """What is wrong or missing for the homes that are named, each as one whole line."""
        yield from self._missing(self.home, f"BISE_HOME is {self.home}")
        if self.self_hosted and self.home not in ("mistral", "sagemaker"):
            yield f"BISE_SELF_HOSTED is yes, but BISE_HOME is {self.home}, which is paid: take one of them away."
        if self.self_hosted and self.home == "mistral" and not self.mistral_base_url:
            yield (
                "BISE_SELF_HOSTED is yes, but MISTRAL_BASE_URL is missing: "
                "set it to your server, such as MISTRAL_BASE_URL=http://127.0.0.1:8000/v1."
            )
        for entry in self.fallback:
            home, model = fallback_entry(entry)
            if not model:
                yield "BISE_FALLBACK must name a model after each home. Example: BISE_FALLBACK=azure:mistral-large-2512"
            if home is None:
                yield from _misspelt(model)
                continue
            yield from self._missing(home, f"BISE_FALLBACK names {home}")
            if home.startswith("mistral") and self.mistral_api_key is None:
                yield f"MISTRAL_API_KEY is missing: BISE_FALLBACK names {home}. Set MISTRAL_API_KEY=…"
            if home == "self-hosted" and not self.own_server:
                yield (
                    "BISE_FALLBACK_BASE_URL is missing: BISE_FALLBACK names self-hosted. "
                    "Set BISE_FALLBACK_BASE_URL=http://127.0.0.1:8000/v1 to your server."
                )

    @property
    def words_may_train(self) -> bool:
        """Whether people's words may go to Mistral's own API on the plan experiment, which may train models on them."""
        named = {fallback_entry(entry)[0] for entry in self.fallback}
        own_api = self.home == "mistral" and not self.self_hosted
        return self.mistral_plan == "experiment" and (own_api or bool(named & {"mistral", "mistral-eu", "mistral-us"}))

    @property
    def own_server(self) -> str | None:
        """The OpenAI-compatible server of one's own, whose calls cost nothing."""
        return self.fallback_base_url or (self.mistral_base_url if self.self_hosted else None)

    def _missing(self, home: str, why: str) -> Iterator[str]:
        if home == "azure":
            yield from _address("AZURE_ENDPOINT", self.azure_endpoint, why, "https://RESOURCE.services.ai.azure.com")
            if self.azure_api_key is None:
                yield f"AZURE_API_KEY is missing: {why}. Set AZURE_API_KEY=…"
        elif home == "vertex":
            yield from _word("GOOGLE_CLOUD_PROJECT", self.google_cloud_project, _PROJECT, why, "my-project")
            yield from _word("GOOGLE_CLOUD_LOCATION", self.google_cloud_location, _REGION, why, "europe-west4")
            if self.google_endpoint is not None:
                yield from _address(
                    "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM", self.google_endpoint, why, "https://…"
                )
        elif home in ("bedrock", "sagemaker"):
            yield from _word("AWS_REGION", self.aws_region, _REGION, why, "eu-west-3")
            if (self.aws_access_key_id is None) != (self.aws_secret_access_key is None):
                absent = "AWS_ACCESS_KEY_ID" if self.aws_access_key_id is None else "AWS_SECRET_ACCESS_KEY"
                yield f"{absent} is missing: the other half of the key is set. Set {absent}=…"
            name, given = (
                ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", self.aws_endpoint_url_bedrock_runtime)
                if home == "bedrock"
                else ("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", self.aws_endpoint_url_sagemaker_runtime)
            )
            if given is not None:
                yield from _address(name, given, why, "https://…")
            if home == "sagemaker":
                yield from _word("SAGEMAKER_ENDPOINT_NAME", self.sagemaker_endpoint_name, _ENDPOINT, why, "my-endpoint")


def fallback_entry(entry: str) -> tuple[FallbackHome | None, str]:
    """The home and the model of one entry; no home for a bare model, which may have a colon in its own name."""
    head, colon, rest = entry.partition(":")
    known = next((home for home in _FALLBACK_HOMES if home == head.strip()), None)
    return (known, rest.strip()) if colon and known is not None else (None, entry.strip())


def _misspelt(entry: str) -> Iterator[str]:
    """One line, if what stands before the colon is nearly a home's name; a free home would take it for a model's."""
    head, colon, _ = entry.partition(":")
    written = head.strip().lower()
    near = difflib.get_close_matches(written, _FALLBACK_HOMES, n=1, cutoff=0.85)
    if colon and near and not _MODELS_LIKE_HOMES.fullmatch(written):
        yield f"BISE_FALLBACK names the home {head.strip()[:40]}, which there is not; did you mean {near[0]}?"


def _address(variable: str, value: str | None, why: str, example: str) -> Iterator[str]:
    if value is None:
        yield f"{variable} is missing: {why}. Set {variable}={example}."
        return
    if not _reachable(value):
        yield f"{variable} must be an address that begins with https://. Example: {variable}={example}"


def _word(variable: str, value: str | None, form: re.Pattern[str], why: str, example: str) -> Iterator[str]:
    if value is None:
        yield f"{variable} is missing: {why}. Set {variable}={example}."
    elif not form.fullmatch(value):
        yield f"{variable} is not a name such as {example}."


def _reachable(address: str) -> bool:
    """Whether it is an address that a key may be sent to: not in the open, except on this machine."""
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        return False
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    odd = parts.username is not None or parts.query or parts.fragment
    return whole and not odd and (parts.scheme == "https" or (parts.scheme == "http" and here))
