"""Amazon Bedrock: the newer models by its OpenAI-compatible side with a key, all of them by InvokeModel."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec

from core.errors import ModelError
from core.mistral.providers import aws
from core.mistral.providers.aws import AwsSigner
from core.mistral.providers.event_stream import Frame, FrameUnwrapper
from core.mistral.providers.provider import Kind, Outgoing, Plain, Unwrapper, changed, is_loopback, posted

_EVENT_STREAM = "application/vnd.amazon.eventstream"
# Bedrock's names of models whose date or order differs from the catalogue's.
_CATALOGUE = {
    "mistral-large-3-675b-instruct": "mistral-large-2512",
    "ministral-3-14b-instruct": "ministral-14b-2512",
    "ministral-3-8b-instruct": "ministral-8b-2512",
    "ministral-3-3b-instruct": "ministral-3b-2512",
    "pixtral-large-2502": "pixtral-large-2411",
    "voxtral-small-24b-2507": "voxtral-small-2507",
}
_IDS = {row: f"mistral.{name}" for name, row in _CATALOGUE.items()}
# Served only through profiles that span the regions of one continent.
_PROFILED = {"pixtral-large-2411": "mistral.pixtral-large-2502-v1:0"}
_VERSION = re.compile(r"-v\d+:\d+$")
# What an inference body has; the rest belongs to the address or is not known.
_NOT_INVOKED = ("model", "stream", "stream_options", "n", "seed")


class Bedrock(Plain):
    """Bedrock's runtime in one region. With a `key`, no signature is made; else `signer` signs each request.

    Ids with a version (`…-v1:0`) are known to InvokeModel alone. `endpoint` replaces AWS's own address.
    """

    __slots__ = ("_base", "_key", "_region", "_signer")

    def __init__(
        self, region: str, *, key: str = "", signer: AwsSigner | None = None, endpoint: str | None = None
    ) -> None:
        if not key and signer is None:
            raise ValueError("a key or a signer")
        self._base = (endpoint or f"https://bedrock-runtime.{region}.amazonaws.com").rstrip("/")
        self._region = region
        self._key = key
        self._signer = signer

    @property
    def name(self) -> str:
        return "bedrock"

    @property
    def kind(self) -> Kind:
        return "openai"

    @property
    def loopback(self) -> bool:
        return is_loopback(self._base)

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        served = self.served_name(model)
        if self._key and not _VERSION.search(served):
            url = f"{self._base}/openai/v1/chat/completions"
            return posted(url, changed(body, model=served), stream=stream, headers={})
        verb = "invoke-with-response-stream" if stream else "invoke"
        url = f"{self._base}/model/{quote(served, safe='')}/{verb}"
        headers = {"x-amzn-bedrock-accept" if stream else "accept": "application/json"}
        outgoing = posted(url, _inference(body), stream=stream, headers=headers)
        if stream:
            outgoing = replace(outgoing, headers={**outgoing.headers, "accept": _EVENT_STREAM})
        return outgoing

    async def authorized(self, outgoing: Outgoing) -> Outgoing:
        if self._key:
            return replace(outgoing, headers={**outgoing.headers, "authorization": f"Bearer {self._key}"})
        assert self._signer is not None  # noqa: S101 - there is the one or the other
        return await self._signer.signed(outgoing)

    def unwrapper(self, headers: Mapping[str, str]) -> Unwrapper | None:
        return _Chunks() if headers.get("content-type", "").startswith(_EVENT_STREAM) else None

    def whole(self, body: bytes, headers: Mapping[str, str]) -> bytes:
        try:
            answer = msgspec.json.decode(body)
            if not isinstance(answer, dict):
                return body
            counts = [headers.get(f"x-amzn-bedrock-{side}-token-count", "") for side in ("input", "output")]
            usage = (int(counts[0]), int(counts[1])) if all(count.isdecimal() for count in counts) else None
            return msgspec.json.encode(_translated(answer, usage))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return body  # who reads it says what is wrong with it

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        return aws.refusal(status, body, headers)

    def catalogue_id(self, name: str) -> str:
        plain = _VERSION.sub("", name.rpartition("mistral.")[2])
        return _CATALOGUE.get(plain, plain)

    def served_name(self, model: str) -> str:
        """Bedrock's id of a model that goes by the catalogue's, any other name as it is."""
        if (profiled := _PROFILED.get(model)) is not None:
            return f"{'eu' if self._region.startswith('eu-') else 'us'}.{profiled}"
        return _IDS.get(model, model)


class _Chunks(FrameUnwrapper):
    """Chunks in frames: JSON in base64 in JSON."""

    __slots__ = ()

    def _event(self, frame: Frame) -> bytes:
        if frame.headers.get(":event-type") != "chunk":
            return b""
        chunk = msgspec.json.decode(b64decode(msgspec.json.decode(frame.payload)["bytes"]))
        metrics = chunk.get("amazon-bedrock-invocationMetrics")
        counts = (metrics["inputTokenCount"], metrics["outputTokenCount"]) if isinstance(metrics, dict) else None
        chunk = _translated(chunk, counts)
        self._whole = self._whole or any(choice.get("finish_reason") for choice in chunk.get("choices") or ())
        return b"data: " + msgspec.json.encode(chunk) + b"\n\n"


def _inference(body: bytes) -> bytes:
    """A body of OpenAI's kind as InvokeModel takes it for Mistral's models, whose word for `required` is `any`."""
    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    choice = {"tool_choice": "any"} if bytes(document.get("tool_choice", b"")) == b'"required"' else {}
    return changed(body, without=_NOT_INVOKED, **choice)


def _translated(answer: dict[str, Any], counts: tuple[int, int] | None) -> dict[str, Any]:
    """A chunk or an answer with Bedrock's words replaced by Mistral's; `counts` of tokens, where it has none."""
    for choice in answer.get("choices") or ():
        if isinstance(choice, dict) and "finish_reason" not in choice and "stop_reason" in choice:
            choice["finish_reason"] = choice.pop("stop_reason")
    if counts is not None and not answer.get("usage"):
        answer["usage"] = {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
    return answer
