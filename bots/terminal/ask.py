"""`bise ask`: one question, one streamed answer, on the ledger of `local:cli`."""

from __future__ import annotations

import asyncio
import getpass
import json
import mimetypes
import secrets
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import migrations
from bots import replies
from bots.serve import check_models
from bots.terminal.platform import TerminalPlatform
from core.clock import SystemClock
from core.errors import SettingsError, WrongUse
from core.messages import LOCAL, Attachment, ConversationKind, IncomingMessage, Person
from core.service import Core, open_core
from core.settings import Settings
from core.store.choices import What
from core.turns.names import Names


async def ask(
    settings: Settings,
    text: str,
    images: list[Path],
    *,
    as_json: bool,
    assistant: str | None = None,
    model: str | None = None,
) -> int:
    """Asks and prints; returns the exit status. Works beside a running `bise serve`.

    Raises SettingsError, StoreUnavailable, and WrongUse for an empty question, a missing file or an unknown name.
    """
    if not settings.has_model:
        raise SettingsError(
            "MISTRAL_API_KEY is missing: there is no way to a model. Set MISTRAL_API_KEY=… in .env or the environment."
        )
    if not text.strip() and not images:
        raise WrongUse('The question is empty. Example: bise ask "What is a bise?"')
    for image in images:
        if not image.is_file():
            raise WrongUse(f"There is no file {image}. Example: bise ask “What is this?” --image photo.png")
    names = Names.of(settings, SystemClock())
    chosen: tuple[tuple[What, str | None], ...] = (("assistant", assistant), ("model", model))
    for what, name in chosen:
        if name is not None and (problem := names.problem(what, name)) is not None:
            raise WrongUse(f"--{what}: {replies.sentence(problem)}")
    if not settings.postgres and not settings.database_file.exists():
        migrations.upgrade(settings.database_url)
    core = open_core(settings)
    try:
        await core.database.check(migrations.NEWEST)
        check_models(core)
        return await _one(core, _message(text, images, assistant, model), as_json=as_json)
    finally:
        await core.close()


async def _one(core: Core, question: IncomingMessage, *, as_json: bool) -> int:
    platform = TerminalPlatform(quiet=as_json)
    core.attach(platform)
    await core.expire(LOCAL.platform)
    accepted = await core.accept(question)
    turn = accepted.turn
    assert turn is not None  # noqa: S101 - a question from the terminal is always a turn
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, core.interrupt, turn)
    try:
        await core.start(take_up=False)
        await core.queue.idle()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    answer = platform.answer
    if answer is None:
        return 1
    if as_json:
        tokens = await core.cost_of(LOCAL, turn)
        sys.stdout.write(
            json.dumps(
                {
                    "answer": answer.text,
                    "outcome": answer.outcome,
                    "notices": [replies.operator_sentence(notice) for notice in answer.notices],
                    "calls": tokens.calls,
                    "prompt_tokens": tokens.prompt_tokens,
                    "completion_tokens": tokens.completion_tokens,
                    "cost_microusd": tokens.cost_microusd,
                },
                ensure_ascii=False,
            )
            + "\n"
        )
    return 0 if answer.outcome == "done" else 1


def _message(text: str, images: list[Path], assistant: str | None, model: str | None) -> IncomingMessage:
    files = tuple(
        Attachment(
            id=str(index),
            name=image.name,
            mime=mimetypes.guess_type(image.name)[0] or "application/octet-stream",
            size=image.stat().st_size,
            url=str(image.resolve()),
        )
        for index, image in enumerate(images)
    )
    return IncomingMessage(
        workspace=LOCAL,
        source="command",
        source_id=secrets.token_hex(16),
        kind=ConversationKind.TERMINAL,
        channel="terminal",
        author=Person(_user(), _user()),
        text=text,
        sent_at=datetime.now(UTC),
        mentioned=True,
        attachments=files,
        assistant=assistant,
        model=model,
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry for this user id, as in some containers
        return "someone"
