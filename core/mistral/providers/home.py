"""The homes that a key in a header opens: Mistral's own API in its regions, and servers that speak OpenAI's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from core.errors import SettingsError
from core.mistral.providers.provider import Kind, Outgoing, Plain, is_header, is_loopback, posted

Region = Literal["global", "eu", "us"]
_HOSTS: dict[Region, tuple[str, int]] = {
    "global": ("https://api.mistral.ai", 10),
    "eu": ("https://api.eu.mistral.ai", 11),
    "us": ("https://api.us.mistral.ai", 11),
}
_EXAMPLE = "example: https://api.mistral.ai"


@dataclass(frozen=True, slots=True)
class Home(Plain):
    """`base_url` with or without `/v1`. `kind`: Mistral's own strict API, or a server that speaks OpenAI's.

    `priced`: its calls cost what the catalogue says, times `price_tenths` / 10. The key is never shown.
    """

    name: str
    base_url: str
    kind: Kind = "mistral"
    api_key: str = field(default="", repr=False)
    priced: bool = True
    price_tenths: int = 10

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.username is not None or parts.password is not None:
            raise SettingsError("MISTRAL_BASE_URL: a name and password do not belong in it; use MISTRAL_API_KEY")
        try:
            port_is_fine = parts.port != 0
        except ValueError:
            port_is_fine = False
        if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
            raise SettingsError(f"MISTRAL_BASE_URL: not an http or https address; {_EXAMPLE}")
        if parts.query or parts.fragment:
            raise SettingsError(f"MISTRAL_BASE_URL: it ends with its path, without ? or #; {_EXAMPLE}")
        if not is_header(self.api_key):
            raise SettingsError("MISTRAL_API_KEY: it has a space or a character that no key has; example: copy it anew")

    @classmethod
    def of_region(cls, region: Region, api_key: str) -> Home:
        """Mistral's own API in that region."""
        base_url, price_tenths = _HOSTS[region]
        return cls(f"mistral-{region}", base_url, api_key=api_key, price_tenths=price_tenths)

    @classmethod
    def at(cls, base_url: str, api_key: str = "", *, self_hosted: bool = False, price_tenths: int = 10) -> Home:
        """Another base: Mistral's shape at the catalogue's prices, or a free OpenAI-compatible server of one's own.

        One of Mistral's own hosts is that region's home at its price; it is nobody's own server: SettingsError.
        """
        region = region_at(base_url)
        if region is not None:
            if self_hosted:
                raise SettingsError(
                    "BISE_SELF_HOSTED or BISE_FALLBACK_BASE_URL names a host of Mistral's own, which is paid: "
                    "take it away, or set your own server's address. Example: http://127.0.0.1:8000/v1"
                )
            usual = cls.of_region(region, api_key)
            written = cls(usual.name, base_url, api_key=api_key, price_tenths=usual.price_tenths)
            return usual if written.url("") == usual.url("") else written
        if self_hosted:
            return cls("self-hosted", base_url, "openai", api_key, priced=False)
        return cls("custom", base_url, "mistral", api_key, price_tenths=price_tenths)

    def url(self, path: str) -> str:
        """The address of `path` (as `chat/completions`) under this home's version 1."""
        base = self.base_url.rstrip("/")
        return f"{base}/{path}" if base.endswith("/v1") else f"{base}/v1/{path}"

    @property
    def own_names(self) -> bool:
        return not self.priced

    @property
    def loopback(self) -> bool:
        return is_loopback(self.base_url)

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        del model  # it stands in the body
        return posted(self.url("chat/completions"), body, stream=stream, headers=self._key())

    def models(self) -> Outgoing | None:
        headers = {"accept": "application/json", "accept-encoding": "identity", **self._key()}
        return Outgoing("GET", self.url("models"), headers)

    def _key(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}


def region_at(base_url: str) -> Region | None:
    """Which of Mistral's own hosts that address is on, whatever its path; None if on none of them."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    return next((region for region, (own, _) in _HOSTS.items() if urlsplit(own).hostname == host), None)
