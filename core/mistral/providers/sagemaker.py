"""Amazon SageMaker: an endpoint of one's own, whose container speaks OpenAI's form of the API (vLLM, TGI, LMI)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from core.errors import ModelError
from core.mistral.providers import aws
from core.mistral.providers.aws import AwsSigner
from core.mistral.providers.event_stream import Frame, FrameUnwrapper
from core.mistral.providers.provider import Kind, Outgoing, Plain, Unwrapper, is_loopback, posted
from core.mistral.sse import LINE_LIMIT

_EVENT_STREAM = "application/vnd.amazon.eventstream"


class SageMaker(Plain):
    """One endpoint in one region. `priced`: by the catalogue; else its calls cost nothing, as hours are paid for.

    `endpoint` replaces AWS's own address.
    """

    __slots__ = ("_base", "_priced", "_signer")

    def __init__(
        self, region: str, name: str, signer: AwsSigner, *, priced: bool = True, endpoint: str | None = None
    ) -> None:
        server = (endpoint or f"https://runtime.sagemaker.{region}.amazonaws.com").rstrip("/")
        self._base = f"{server}/endpoints/{name}"
        self._signer = signer
        self._priced = priced

    @property
    def name(self) -> str:
        return "sagemaker"

    @property
    def kind(self) -> Kind:
        return "openai"

    @property
    def priced(self) -> bool:
        return self._priced

    @property
    def loopback(self) -> bool:
        return is_loopback(self._base)

    def chat(self, model: str, body: bytes, *, stream: bool) -> Outgoing:
        del model  # the endpoint serves one; the container looks at the body's
        verb = "invocations-response-stream" if stream else "invocations"
        accept = "x-amzn-sagemaker-accept" if stream else "accept"
        return posted(
            f"{self._base}/{verb}",
            body,
            stream=stream,
            headers={accept: "text/event-stream" if stream else "application/json"},
        )

    async def authorized(self, outgoing: Outgoing) -> Outgoing:
        return await self._signer.signed(outgoing)

    def unwrapper(self, headers: Mapping[str, str]) -> Unwrapper | None:
        return _Parts() if headers.get("content-type", "").startswith(_EVENT_STREAM) else None

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> ModelError:
        """A ModelError (424) wraps what the container answered: that is what counts."""
        try:
            said = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            said = None
        if isinstance(said, dict) and isinstance(original := said.get("OriginalStatusCode"), int):
            message = said.get("OriginalMessage")
            inner = message.encode("utf-8", "replace") if isinstance(message, str) else b""
            return super().refusal(original if 400 <= original < 600 else status, inner, headers)
        return aws.refusal(status, body, headers)


class _Parts(FrameUnwrapper):
    """Pieces of the container's own stream in frames, cut anywhere: its whole lines are already what we read."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        super().__init__()
        self._line = b""  # its end has not come; a failure must not be read as the rest of it

    def end(self) -> bytes:
        return b"" if self._failed else self._line

    def _event(self, frame: Frame) -> bytes:
        if frame.headers.get(":event-type") != "PayloadPart":
            return b""
        lines, newline, self._line = (self._line + frame.payload).rpartition(b"\n")
        if len(self._line) > LINE_LIMIT:  # not to be kept: who reads events ends the stream for it
            lines, newline, self._line = lines + newline, self._line, b""
        return lines + newline

    def _fail(self, code: str) -> bytes:
        return b"\n" + super()._fail(code)
