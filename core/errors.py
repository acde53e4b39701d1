"""Every error that Bise raises on purpose, as one tree.

BiseError
├── SettingsError             a setting is missing or wrong; the start stops
├── StoreError
│   ├── StoreUnavailable      the database cannot be reached or is locked by another `bise serve`
│   └── SchemaOutdated        the database needs `bise migrate`
├── ModelError                a model call ended without a whole answer
│   ├── ModelUnauthorized     401, or 403 by rights: the key is refused or may not do this
│   ├── ModelOutOfCredit      402: no credit, a spending limit, a failed invoice
│   ├── ModelForbidden        403: refused by a guardrail or a content filter
│   ├── ModelNotFound         400/404 invalid_model: retired, or never was
│   ├── ContextTooLong        400: more tokens than the model can read
│   ├── RequestRejected       400/413/422: a body we should not have built
│   ├── ModelRateLimited      429, code 1300: too many requests or tokens a minute
│   │   └── ModelHeldBack     waited too long for a free place: never called
│   ├── ModelOverloaded       429/503, code 3505: no capacity
│   ├── ModelServerError      5xx
│   ├── ModelUnreachable      no connection, name not resolved, TLS refused
│   ├── ModelTimeout
│   │   ├── ConnectTimeout    no connection in time
│   │   ├── FirstByteTimeout  connected, but no answer began in time
│   │   └── SilenceTimeout    the answer began, then nothing came for too long
│   ├── StreamCut             the stream ended without its end mark, or with an error in it
│   ├── EmptyAnswer           the model finished and said nothing
│   ├── ModelGivenUp          its home is down or refuses to serve, and is left alone for now: never called
│   └── UnknownModel          not in the catalogue of a priced home: never called
├── PlatformError             a chat platform did not do what was asked
│   ├── PlaceGone             channel, thread or message deleted, archived, or the bot was removed
│   ├── PlaceForbidden        the bot may not write there
│   ├── TokenRevoked          the bot's token is no longer good
│   └── PlatformUnavailable   it did not answer, also after retries
├── AttachmentError           a file that cannot be shown to the model; each has a kind
└── WrongUse                  a command line or chat command that makes no sense as written
"""

from __future__ import annotations

from typing import ClassVar


class BiseError(Exception):
    """Root of the tree. `reason` names the error in logs, metrics, the store and `bots/replies.py`."""

    reason: ClassVar[str] = "unexpected"


class SettingsError(BiseError):
    """A setting is missing or wrong. The message is one line: the variable, what is wrong, an example."""

    reason = "settings"


class StoreError(BiseError):
    """The database did not do what was asked."""

    reason = "store"


class StoreUnavailable(StoreError):
    """The database cannot be reached, or another `bise serve` holds it."""

    reason = "store_unavailable"


class SchemaOutdated(StoreError):
    """The database's schema is older (or newer) than this code; `bise migrate` mends the former."""

    reason = "schema_outdated"


class ModelError(BiseError):
    """A model call ended without a whole answer.

    `status`: HTTP status, where there was one. `code`: the provider's own code, as text.
    `retry_after`: seconds that the provider asked to wait. `correlation_id`: the provider's name of the call.
    `unbilled`: surely never sent or surely refused before any work, so that it cost nothing.
    The message never holds words of a prompt or an answer.
    """

    reason = "model"
    unbilled: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        correlation_id: str | None = None,
    ) -> None:
        super().__init__(message or self.reason)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.correlation_id = correlation_id


class ModelUnauthorized(ModelError):
    reason = "model_unauthorized"
    unbilled = True


class ModelOutOfCredit(ModelError):
    reason = "model_out_of_credit"
    unbilled = True


class ModelForbidden(ModelError):
    reason = "model_forbidden"
    unbilled = True


class ModelNotFound(ModelError):
    reason = "model_not_found"
    unbilled = True


class ContextTooLong(ModelError):
    reason = "context_too_long"
    unbilled = True


class RequestRejected(ModelError):
    reason = "request_rejected"
    unbilled = True


class ModelRateLimited(ModelError):
    reason = "model_rate_limited"
    unbilled = True


class ModelHeldBack(ModelRateLimited):
    """Our own queue before the limit is too long. No request was made."""

    reason = "model_held_back"


class ModelOverloaded(ModelError):
    """`unbilled` holds for 429 only; after a 503 nobody knows."""

    reason = "model_overloaded"


class ModelServerError(ModelError):
    reason = "model_server_error"


class ModelUnreachable(ModelError):
    """The connection could not be made, or broke before an answer began (then `unbilled` is False)."""

    reason = "model_unreachable"


class ModelTimeout(ModelError):
    reason = "model_timeout"


class ConnectTimeout(ModelTimeout):
    unbilled = True


class FirstByteTimeout(ModelTimeout):
    pass


class SilenceTimeout(ModelTimeout):
    pass


class StreamCut(ModelError):
    reason = "stream_cut"


class EmptyAnswer(ModelError):
    reason = "empty_answer"


class ModelGivenUp(ModelError):
    """The last calls of this home failed in a way that more calls would not mend. No request was made."""

    reason = "model_given_up"
    unbilled = True


class UnknownModel(ModelError):
    reason = "unknown_model"
    unbilled = True


class PlatformError(BiseError):
    """A chat platform did not do what was asked. `code`: the platform's own word for it."""

    reason = "platform"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message or self.reason)
        self.code = code


class PlaceGone(PlatformError):
    reason = "place_gone"


class PlaceForbidden(PlatformError):
    reason = "place_forbidden"


class TokenRevoked(PlatformError):
    reason = "token_revoked"


class PlatformUnavailable(PlatformError):
    reason = "platform_unavailable"


class AttachmentError(BiseError):
    """A file that cannot be shown to the model. `kind` is one of `KINDS`; `bots/replies.py` has its sentence."""

    KINDS: ClassVar[tuple[str, ...]] = (
        "too_large",  # more bytes than we read
        "too_many",  # more images than a message may bring
        "not_an_image",  # its content is of a kind that we do not read
        "disguised",  # says image, is something else (an HTML page, say)
        "too_many_pixels",  # a decompression bomb
        "animated",
        "corrupt",
        "encrypted",  # a document that opens with a password only
        "unavailable",  # could not be fetched
    )
    reason = "attachment"

    def __init__(self, kind: str, name: str = "") -> None:
        if kind not in self.KINDS:
            raise ValueError(f"unknown kind of attachment error: {kind}")
        super().__init__(kind)
        self.kind = kind
        self.name = name


class WrongUse(BiseError):
    """A command that makes no sense as written. The message says what to write instead."""

    reason = "wrong_use"
