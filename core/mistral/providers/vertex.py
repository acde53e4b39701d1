"""Vertex AI: Mistral's models as Google serves them, with tokens by google-auth."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from core.errors import ModelError, ModelUnauthorized, ModelUnreachable, SettingsError
from core.mistral import errors
from core.mistral.providers.provider import Kind, Outgoing, Plain, changed, is_loopback, posted

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
# What Google's form of the request does not have.
_UNKNOWN = ("prompt_cache_key", "safe_prompt")
# Google's rights; a guardrail of Mistral's has not this word.
_REFUSALS: Mapping[str, type[ModelError]] = {"permission_denied": ModelUnauthorized}
# Names without a date, and what they stand for.
_CATALOGUE = {"mistral-medium-3": "mistral-medium-2505", "codestral-2": "codestral-2508"}


class GoogleToken:
    """A bearer token that is fetched and renewed in a thread: google-auth blocks.

    `credentials_file`: a service account's or a person's; otherwise they are found as Google's own tools find them.
    Raises SettingsError if google-auth is not installed.
    """

    def __init__(self, credentials_file: Path | None = None, credentials: Credentials | None = None) -> None:
        try:
            import google.auth.transport.requests  # noqa: F401  # heavy: only who has this home pays for it
        except ImportError as exc:
            raise SettingsError(
                "BISE_HOME or BISE_FALLBACK names vertex, but google-auth is not installed: "
                "pip install --require-hashes -r deploy/locks/google.txt"
            ) from exc
        self._file = credentials_file
        self._credentials = credentials
        self._renewing = asyncio.Lock()

    async def get(self) -> str:
        """A token that is good for the next minutes. Raises ModelUnauthorized or ModelUnreachable, both unbilled."""
        from google.auth.exceptions import GoogleAuthError, TransportError

        if self._credentials is None or not self._credentials.valid:
            async with self._renewing:  # one asks, the others wait for what it gets
                if self._credentials is None or not self._credentials.valid:
                    try:
                        self._credentials = await asyncio.to_thread(self._renewed, self._credentials)
                    except TransportError as exc:
                        error = ModelUnreachable(f"no token from Google: {type(exc).__name__}")
                        error.unbilled = True
                        raise error from exc
                    except (GoogleAuthError, OSError, ValueError) as exc:
                        raise ModelUnauthorized(f"no token from Google: {type(exc).__name__}") from exc
        return str(self._credentials.token)

    def _renewed(self, credentials: Credentials | None) -> Credentials:
        """In a thread: the credentials with a fresh token."""
        import google.auth
        from google.auth.transport.requests import Request

        if credentials is None:
            credentials = _from_file(self._file) if self._file is not None else None
        if credentials is None:
            credentials, _ = google.auth.default(scopes=_SCOPES)
        if not credentials.valid:
            credentials.refresh(Request())  # type: ignore[no-untyped-call]
        return credentials


def _from_file(path: Path) -> Credentials | None:
    """The credentials of a key file; None for a kind that google-auth reads by the environment's variable alone."""
    from google.oauth2 import credentials, service_account

    kind = json.loads(path.read_bytes()).get("type")
    found: Credentials | None = None
    if kind == "service_account":
        found = service_account.Credentials.from_service_account_file(str(path), scopes=_SCOPES)  # type: ignore[no-untyped-call]
    elif kind == "authorized_user":
        found = credentials.Credentials.from_authorized_user_file(str(path), scopes=_SCOPES)  # type: ignore[no-untyped-call]
    return found


class Vertex(Plain):
    """One project's models in one location. `endpoint` replaces Google's own address of that location."""

    __slots__ = ("_base", "_token")

    def __init__(self, project: str, location: str, token: GoogleToken, endpoint: str | None = None) -> None:
        prefix = "" if location == "global" else f"{location}-"
        server = (endpoint or f"https://{prefix}aiplatform.googleapis.com").rstrip("/")
        self._base = f"{server}/v1/projects/{project}/locations/{location}/publishers/mistralai/models"
        self._token = token

    @property
    def name(self) -> str:
        return "vertex"

    @property
    def kind(self) -> Kind:
        return "mistral"

    @property
    def loopback(self) -> bool:
        return is_loopback(self._base)

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        verb = "streamRawPredict" if stream else "rawPredict"
        url = f"{self._base}/{quote(model, safe='@')}:{verb}"
        return posted(url, changed(body, without=_UNKNOWN), stream=stream, headers={})

    async def authorized(self, outgoing: Outgoing) -> Outgoing:
        bearer = {"authorization": f"Bearer {await self._token.get()}"}
        return replace(outgoing, headers={**outgoing.headers, **bearer})

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        error = errors.from_response(status, body, headers, kinds=_REFUSALS)
        if error.retry_after is None:
            error.retry_after = _retry_delay(body)
        return error

    def catalogue_id(self, name: str) -> str:
        plain = name.partition("@")[0]  # mistral-small-2503@001
        return _CATALOGUE.get(plain, plain)


def _retry_delay(body: bytes) -> float | None:
    """Seconds that Google's RetryInfo asks to wait: `"retryDelay": "3.5s"`."""
    try:
        document = msgspec.json.decode(body)
        document = document[0] if isinstance(document, list) else document
        for detail in document["error"]["details"]:
            if isinstance(delay := detail.get("retryDelay"), str):
                return errors.retry_after({"retry-after": delay.removesuffix("s")})
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    return None
