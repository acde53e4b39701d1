"""AWS's signatures (SigV4, by botocore) and AWS's names of what went wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from core import errors as tree
from core.errors import ModelError, ModelUnauthorized, SettingsError
from core.mistral import errors
from core.mistral.providers.provider import Outgoing

# What a proxy may change on the way, or what httpx writes itself, is not signed.
_UNSIGNED = frozenset({"accept-encoding", "connection", "user-agent"})
_REFUSALS: Mapping[str, type[ModelError]] = {
    "accessdeniedexception": tree.ModelUnauthorized,
    "accessdenied": tree.ModelUnauthorized,
    "http 403": tree.ModelUnauthorized,  # rights; what a guardrail of AWS holds back is no 403
    "expiredtokenexception": tree.ModelUnauthorized,
    "expiredtoken": tree.ModelUnauthorized,
    "incompletesignature": tree.ModelUnauthorized,
    "incompletesignatureexception": tree.ModelUnauthorized,
    "invalidclienttokenid": tree.ModelUnauthorized,
    "invalidsignatureexception": tree.ModelUnauthorized,
    "missingauthenticationtoken": tree.ModelUnauthorized,
    "missingauthenticationtokenexception": tree.ModelUnauthorized,
    "unrecognizedclientexception": tree.ModelUnauthorized,
    "resourcenotfoundexception": tree.ModelNotFound,
    "throttlingexception": tree.ModelRateLimited,
    "servicequotaexceededexception": tree.ModelRateLimited,
    "modelnotreadyexception": tree.ModelOverloaded,
    "serviceunavailableexception": tree.ModelOverloaded,
    "modelerrorexception": tree.ModelServerError,
    "modeltimeoutexception": tree.ModelServerError,
    "internaldependencyexception": tree.ModelServerError,
}


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """Keys from the settings; without them botocore finds some as AWS's own tools do. They are never shown."""

    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str | None = field(default=None, repr=False)
    profile: str | None = None


class AwsSigner:
    """Signs requests for one service in one region, in a thread: credentials may be fetched, and bodies are long.

    Raises SettingsError if botocore is not installed.
    """

    def __init__(self, service: str, region: str, keys: AwsKeys) -> None:
        try:
            import botocore.auth  # heavy: only who has this home pays for it
        except ImportError as exc:
            raise SettingsError(
                "BISE_HOME or BISE_FALLBACK names a home of AWS, but botocore is not installed: "
                "pip install --require-hashes -r deploy/locks/aws.txt"
            ) from exc
        self._auth = botocore.auth.SigV4Auth
        self._service = service
        self._region = region
        self._keys = keys
        self._credentials: Any = None
        self._finding = threading.Lock()

    async def signed(self, outgoing: Outgoing) -> Outgoing:
        """The request with its date and signature. Raises ModelUnauthorized, unbilled, without credentials."""
        from botocore.exceptions import BotoCoreError

        try:
            return await asyncio.to_thread(self._signed, outgoing)
        except (BotoCoreError, OSError) as exc:
            raise ModelUnauthorized(f"no credentials of AWS: {type(exc).__name__}") from exc

    def _signed(self, outgoing: Outgoing) -> Outgoing:
        from botocore.awsrequest import AWSRequest

        to_sign = {name: value for name, value in outgoing.headers.items() if name not in _UNSIGNED}
        request = AWSRequest(outgoing.method, outgoing.url, headers=to_sign, data=outgoing.body)
        self._auth(self._frozen(), self._service, self._region).add_auth(request)
        return replace(outgoing, headers={**outgoing.headers, **{k.lower(): v for k, v in request.headers.items()}})

    def _frozen(self) -> Any:
        """Keys that belong together; those of a role are renewed by botocore when they run out."""
        from botocore.credentials import Credentials
        from botocore.exceptions import NoCredentialsError
        from botocore.session import Session

        with self._finding:
            if self._credentials is None:
                keys = self._keys
                self._credentials = (
                    Credentials(keys.access_key, keys.secret_key, keys.session_token)
                    if keys.access_key and keys.secret_key
                    else Session(profile=keys.profile).get_credentials()
                )
            if self._credentials is None:
                raise NoCredentialsError
            return self._credentials.get_frozen_credentials()


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
    """The error of what AWS answered: its name stands in a header or in `__type`, its sentence in `message`."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        return errors.from_response(status, body, headers)
    if isinstance(document.get("error"), dict):  # the OpenAI-compatible side
        return errors.from_response(status, body, headers, kinds=_REFUSALS)
    name = str(headers.get("x-amzn-errortype") or document.get("__type") or "").partition(":")[0].rpartition("#")[2]
    sentence = document.get("message", document.get("Message"))
    kinds = _REFUSALS
    if isinstance(sentence, str) and "model identifier is invalid" in sentence:
        name = name or "ValidationException"
        kinds = {**_REFUSALS, "validationexception": tree.ModelNotFound}
    said = msgspec.json.encode({"error": {"code": name or None, "message": sentence}})
    return errors.from_response(status, said, headers, kinds=kinds)
