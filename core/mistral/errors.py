"""From what a model API answered, or from what broke on the way, to one error of the tree. Both mappings are total."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from core import errors

_SAFE_WORD = re.compile(r"[A-Za-z0-9_.:\-]{1,64}")
_CONTEXT = re.compile(
    r"context[ _](length|size|window)|maximum context|exceeds? the (available )?context"
    r"|too many tokens|too large for model"
)
_MODEL_GONE = re.compile(
    r"invalid[ _]model|model[ _]not[ _]found|model\b.{0,120}(not found|does not exist|not supported)"
)
_CAPACITY = re.compile(r"capacity|overloaded")
# DESIGN, section 6: surely refused before any work. Anything else may have been billed.
_UNBILLED_STATUSES = frozenset({400, 401, 402, 403, 404, 413, 422, 429})
_LONGEST_WAIT = 86_400.0
# Mistral's, AWS's and Azure's names for the same.
_CORRELATION = ("mistral-correlation-id", "x-amzn-requestid", "apim-request-id", "x-request-id")


def from_response(
    status: int,
    body: bytes,
    headers: Mapping[str, str],
    *,
    now: datetime | None = None,
    kinds: Mapping[str, type[errors.ModelError]] | None = None,
) -> errors.ModelError:
    """The error of an answer that is not a success. `now` (aware) serves a Retry-After that is a date.

    `kinds`: a home's own codes, types and words for a status, in lower case, which say more than the status; last
    "http 403" and the like, for what says nothing of its own.
    Its message holds the status and the provider's code and type, never its sentences: they may quote the prompt.
    """
    said = _Said.of(body)
    named = [word.lower() for word in (said.code, said.type, said.status) if word is not None]
    own = next((kinds[word] for word in (*named, f"http {status}") if word in kinds), None) if kinds else None
    kind = own if own is not None else _kind(status, said)
    words = [f"HTTP {status}"]
    if said.code is not None:
        words.append(f"code {said.code}")
    if said.type is not None and said.type != said.code:
        words.append(said.type)
    if said.fields:
        words.append("fields: " + ", ".join(said.fields))
    error = kind(
        "; ".join(words),
        status=status,
        code=said.code,
        retry_after=retry_after(headers, now=now),
        correlation_id=correlation_id(headers),
    )
    # The class says what is usual for its kind, the status what is sure for this call.
    error.unbilled = status in _UNBILLED_STATUSES
    return error


def from_transport(
    exc: Exception, *, answer_began: bool = False, correlation_id: str | None = None
) -> errors.ModelError:
    """The error of a connection that failed. `answer_began`: a success status had come."""
    name = type(exc).__name__
    kind: type[errors.ModelError]
    if isinstance(exc, (httpx.ConnectTimeout, httpx.PoolTimeout)):
        kind = errors.ConnectTimeout
    elif isinstance(exc, (httpx.TimeoutException, TimeoutError)):
        kind = errors.SilenceTimeout if answer_began else errors.FirstByteTimeout
    else:
        kind = errors.StreamCut if answer_began else errors.ModelUnreachable
    error = kind(f"the connection failed: {name}", correlation_id=correlation_id)
    if isinstance(exc, (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, httpx.InvalidURL)):
        error.unbilled = True  # there was no connection that could have carried the request
    return error


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait as the header says it, in seconds or as a date; at most a day, None if it says nothing useful."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        date = date if date.tzinfo is not None else date.replace(tzinfo=UTC)
        seconds = (date - (now or datetime.now(UTC))).total_seconds()
    if not math.isfinite(seconds):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def correlation_id(headers: Mapping[str, str]) -> str | None:
    """The provider's name of the call, where it gave one."""
    return next((word for name in _CORRELATION if (word := safe_word(headers.get(name))) is not None), None)


def safe_word(value: object) -> str | None:
    """A code, type or id as text; None for what is not a single plain word and could be somebody's words."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        value = str(value)
    return value if isinstance(value, str) and _SAFE_WORD.fullmatch(value) else None


def _kind(status: int, said: _Said) -> type[errors.ModelError]:
    by_status: dict[int, type[errors.ModelError]] = {
        401: errors.ModelUnauthorized,
        402: errors.ModelOutOfCredit,
        403: errors.ModelForbidden,
        404: errors.ModelNotFound,
        408: errors.ModelServerError,
    }
    if status in by_status:
        return by_status[status]
    if status in (429, 503):
        if said.code == "3505" or _CAPACITY.search(said.text):
            return errors.ModelOverloaded
        return errors.ModelRateLimited if status == 429 else errors.ModelServerError
    if status in (400, 413, 422):
        if said.code == "1500" or said.type == "invalid_model":
            return errors.ModelNotFound
        # The sentences of a 422 quote what was sent: only those of a 400 or 413 are looked at.
        if status != 422 and _CONTEXT.search(f"{said.code} {said.type} {said.text}"):
            return errors.ContextTooLong
        if status == 400 and _MODEL_GONE.search(said.text):
            return errors.ModelNotFound
    if 400 <= status < 500:
        return errors.RequestRejected
    return errors.ModelServerError if status >= 500 else errors.ModelUnreachable


class _Said:
    """What an error body says, whatever its shape. `text` serves to tell kinds apart and goes nowhere."""

    __slots__ = ("code", "fields", "status", "text", "type")

    def __init__(self, code: str | None = None, type_: str | None = None, text: str = "") -> None:
        self.code = code
        self.type = type_
        self.status: str | None = None  # Google's word for it
        self.text = text
        self.fields: list[str] = []

    @classmethod
    def of(cls, body: bytes) -> _Said:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            return cls(text=body[:2000].decode("utf-8", "replace").lower())
        if isinstance(document, list):  # Google wraps its errors in a list
            document = document[0] if document else None
        if not isinstance(document, dict):
            return cls(text=document.lower() if isinstance(document, str) else "")
        inner = document.get("error")
        detail: dict[str, Any] = inner if isinstance(inner, dict) else document
        message = detail.get("message", detail.get("detail", inner))
        said = cls(safe_word(detail.get("code")), safe_word(detail.get("type")), _sentences(message))
        said.status = safe_word(detail.get("status"))
        said.fields = _fields(message)
        return said


def _sentences(message: object) -> str:
    match message:
        case str():
            return message[:2000].lower()
        case {"message": str() as text} | {"detail": str() as text}:
            return text[:2000].lower()
        case _:
            return ""


def _fields(message: object) -> list[str]:
    """Which fields of our body were refused, and why in one word: its shape, not its words."""
    details = message.get("detail") if isinstance(message, dict) else message
    fields = []
    for detail in details[:8] if isinstance(details, list) else ():
        if not isinstance(detail, dict) or not isinstance(location := detail.get("loc"), list):
            continue
        steps = [safe_word(step) or "?" for step in location[:12]]
        fields.append(f"{'.'.join(steps)} ({safe_word(detail.get('type')) or '?'})")
    return fields
