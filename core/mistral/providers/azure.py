"""Azure AI Foundry: deployments of Mistral's models, by OpenAI's form of the API or by that of Azure's own SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from core.errors import ModelError, ModelForbidden, ModelNotFound, ModelOverloaded, ModelUnauthorized, SettingsError
from core.mistral import errors
from core.mistral.providers.provider import Kind, Outgoing, Plain, changed, is_header, is_loopback, posted

SDK_VERSION = "2024-05-01-preview"
_REFUSALS: Mapping[str, type[ModelError]] = {
    "content_filter": ModelForbidden,
    "responsibleaipolicyviolation": ModelForbidden,
    "permissiondenied": ModelUnauthorized,
    "authorizationfailed": ModelUnauthorized,
    "accessdenied": ModelUnauthorized,
    "403": ModelUnauthorized,  # the resource's network rules
    "deploymentnotfound": ModelNotFound,
    "unknown_model": ModelNotFound,
    "nocapacity": ModelOverloaded,
}
# Deployments are named by their model unless somebody chose otherwise; these names carry no date.
_CATALOGUE = {"mistral-large-3": "mistral-large-2512", "mistral-medium-3.5": "mistral-medium-3-5"}


@dataclass(frozen=True, slots=True)
class Azure(Plain):
    """`endpoint`: the resource's address, bare or with `/openai/v1`; one that ends in `/models` takes the SDK's form.

    `api_version`: given, the SDK's form is used as well. Raises SettingsError for a key that no header can carry.
    """

    endpoint: str
    api_key: str = field(repr=False)
    api_version: str | None = None

    def __post_init__(self) -> None:
        if not self.api_key or not is_header(self.api_key):
            raise SettingsError("AZURE_API_KEY has a space or a character that no key has. Example: copy it anew.")

    @property
    def name(self) -> str:
        return "azure"

    @property
    def kind(self) -> Kind:
        return "mistral" if self._sdk_form else "openai"

    @property
    def loopback(self) -> bool:
        return is_loopback(self.endpoint)

    @property
    def _sdk_form(self) -> bool:
        return self.api_version is not None or urlsplit(self.endpoint).path.rstrip("/").endswith("/models")

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        del model  # the deployment's name stands in the body
        base = self.endpoint.rstrip("/").removesuffix("/models")
        if not self._sdk_form:
            base = base if base.endswith("/v1") else f"{base.removesuffix('/openai')}/openai/v1"
            return posted(f"{base}/chat/completions", body, stream=stream, headers={"api-key": self.api_key})
        # Resources of different ages take the one or the other.
        headers = {"authorization": f"Bearer {self.api_key}", "api-key": self.api_key}
        url = f"{base}/models/chat/completions?api-version={quote(self.api_version or SDK_VERSION, safe='')}"
        return posted(url, changed(body, without=("prompt_cache_key",)), stream=stream, headers=headers)

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        return errors.from_response(status, body, headers, kinds=_REFUSALS)

    def catalogue_id(self, name: str) -> str:
        plain = name.lower()
        return _CATALOGUE.get(plain, plain)
