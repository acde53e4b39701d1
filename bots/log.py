"""Logging: one line an event, to stderr, with action names and ids; for people on a terminal, else JSON."""

from __future__ import annotations

import logging
import sys

import structlog
import structlog.tracebacks

# The local variables of a traceback are people's words and tokens: they never reach a log.
_WITHOUT_WORDS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
_NOISY = ("slack_bolt", "slack_sdk", "discord", "aiohttp", "httpx", "httpcore", "apscheduler", "alembic", "asyncio")


def set_up(form: str | None) -> None:
    """Sets up structlog and the standard library's logging alike; libraries are heard from warnings on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    to_people = (form or ("console" if sys.stderr.isatty() else "json")) == "console"
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if to_people
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    tail: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not to_people:
        tail.append(structlog.processors.ExceptionRenderer(_WITHOUT_WORDS))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*tail, last]))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("discord.client").setLevel(logging.ERROR)  # it warns that it cannot speak: nobody asked it to
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
