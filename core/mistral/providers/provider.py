"""What a home must be able to do: build one HTTP request, authorize it, and read what comes back as Mistral's own."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

import msgspec

from core.errors import ModelError
from core.mistral import errors

Kind = Literal["mistral", "openai"]
# Compressed events would be held back until a block is full.
_HEADERS = {"accept-encoding": "identity", "content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One HTTP request. Its headers may hold a key and its body somebody's words: neither is shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


class Unwrapper(Protocol):
    """Turns a home's own framing of a stream into server-sent events, for any chunking of the bytes."""

    def feed(self, piece: bytes) -> bytes:
        """The events that `piece` completes, perhaps none. What is broken comes out as an `error` event."""
        ...

    def end(self) -> bytes:
        """What the connection's end completes: the end mark, if the answer was whole."""
        ...


class Provider(Protocol):
    """A home. `kind`: whose fields its bodies have. `priced`: calls cost the catalogue's price, times tenths / 10."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def priced(self) -> bool: ...
    @property
    def price_tenths(self) -> int: ...
    @property
    def own_names(self) -> bool:
        """Whether it calls models by names of its own, and serves them as long as it likes."""
        ...

    @property
    def loopback(self) -> bool:
        """Whether it is this machine itself, which no proxy reaches."""
        ...

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        """The request for one answer; `body` is what `wire.build_body` made for this `kind`."""
        ...

    def models(self) -> Outgoing | None:
        """The request for the list of what is served; None where there is none to be had."""
        ...

    async def authorized(self, outgoing: Outgoing) -> Outgoing:
        """The request with what proves who asks. Raises a ModelError, surely unbilled, without a way to prove it."""
        ...

    def unwrapper(self, headers: Mapping[str, str]) -> Unwrapper | None:
        """What reads the stream that these headers announce; None for plain server-sent events."""
        ...

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        """An answer that was not streamed, in Mistral's shape."""
        ...

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        """The error of an answer that is not a success."""
        ...

    def catalogue_id(self, name: str) -> str:
        """The catalogue's name of what is called `name` here: its row says what the model can do and what it costs."""
        ...


class Plain:
    """The usual case of everything that a home may do in a way of its own."""

    __slots__ = ()

    @property
    def priced(self) -> bool:
        return True

    @property
    def price_tenths(self) -> int:
        return 10

    @property
    def own_names(self) -> bool:
        return True

    def models(self) -> Outgoing | None:
        return None

    async def authorized(self, outgoing: Outgoing) -> Outgoing:
        return outgoing

    def unwrapper(self, headers: Mapping[str, str]) -> Unwrapper | None:
        del headers
        return None

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        del headers
        return body

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        return errors.from_response(status, body, headers)

    def catalogue_id(self, name: str) -> str:
        return name


def posted(url: str, body: bytes, *, stream: bool, headers: Mapping[str, str]) -> Outgoing:
    """The request of a chat, with `headers` besides the usual ones."""
    accept = "text/event-stream" if stream else "application/json"
    return Outgoing("POST", url, {"accept": accept, **_HEADERS, **headers}, body)


def changed(body: bytes, *, without: Collection[str] = (), **fields: Any) -> bytes:
    """A JSON object with some fields left out and others put in; what is not touched is not read either."""
    document: dict[str, Any] = {**msgspec.json.decode(body, type=dict[str, msgspec.Raw])}
    return msgspec.json.encode({name: value for name, value in document.items() if name not in without} | fields)


def is_loopback(url: str) -> bool:
    """Whether an address is this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_header(value: str) -> bool:
    """Whether a key can stand in a header: one printable word."""
    return all(" " < character < "\x7f" for character in value)
