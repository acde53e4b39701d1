"""The `bise` command. Exit status: 0 done, 1 the thing asked for failed, 2 wrong usage or a wrong setting."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Coroutine, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from core.errors import BiseError, SettingsError, WrongUse
from core.messages import WorkspaceKey
from core.settings import Settings, unknown_variables

LATER = ("budget", "report", "privacy")  # named in the contract, built by later versions


class _Parser(argparse.ArgumentParser):
    """Wrong usage is one plain line and a hint, not the whole synopsis."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


def parser() -> argparse.ArgumentParser:
    """All subcommands, each with an example in its help."""
    root = _Parser(
        prog="bise",
        description="Mistral in the chats where people work: Slack and Discord.",
        epilog='Example: bise ask "What is a bise?"     Settings come from the environment and from .env.',
    )
    root.add_argument("--version", action="version", version=f"bise {metadata.version('bise')}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary, epilog=f"Example: {example}")
        command.add_argument("--json", action="store_true", help="machine-readable output on stdout alone")
        return command

    serve = add("serve", "Run the service until it is told to stop.", "bise serve --roles slack,worker")
    serve.add_argument("--roles", default=None, metavar="LIST", help="slack,discord,worker,reports,web (default: all)")
    playground = add(
        "playground", "Two simulated workspaces in the browser, no account needed.", "bise playground --port 8765"
    )
    playground.add_argument("--port", type=_port, default=8765, help="port of the page (default: 8765)")
    add("doctor", "Check tokens, scopes, intents, database and model; name what is missing.", "bise doctor")
    add("migrate", "Bring the database to the newest schema.", "bise migrate")
    ask = add("ask", "Ask one question from the terminal.", 'bise ask "What is on this picture?" --image photo.png')
    ask.add_argument("text", metavar="TEXT", help="the question; - reads it from standard input")
    ask.add_argument("--image", action="append", default=[], type=Path, metavar="FILE", help="an image or PDF to read")
    ask.add_argument(
        "--model", metavar="M", help="which model answers: one of `bise models`, best, balanced, economy or vision"
    )
    ask.add_argument("--assistant", metavar="NAME", help="who answers, such as code-review or translate")
    add("models", "What can be used, what it costs, what is retired.", "bise models")
    usage = add("usage", "What was spent.", "bise usage --workspace slack:T0123 --since 2026-11-01 --by model")
    usage.add_argument("--workspace", required=True, metavar="W", help="PLATFORM:ID, such as slack:T0123 or local:cli")
    usage.add_argument("--since", type=_day, metavar="D", help="first local date, such as 2026-11-01")
    usage.add_argument("--until", type=_day, metavar="D", help="last local date, included")
    usage.add_argument("--by", choices=("model", "user", "channel", "day"), help="the same figures for each")
    return root


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command and exits with its status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in LATER:
        _end(2, f"`bise {given[0]}` comes in a later version. `bise --help` shows what there is.")
    options = parser().parse_args(given)
    try:
        sys.exit(_run(options))
    except (SettingsError, WrongUse) as error:
        _end(2, str(error))
    except BiseError as error:
        _end(1, str(error))
    except KeyboardInterrupt:
        _end(1, "Stopped.")
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _run(options: argparse.Namespace) -> int:
    from bots import log

    settings = Settings.read(os.environ)
    log.set_up(settings.log_format)
    for line in unknown_variables(os.environ):
        sys.stderr.write(f"bise: {line}\n")
    match options.command:
        case "serve":
            from bots.serve import ROLES, serve

            roles = [role.strip() for role in options.roles.split(",")] if options.roles is not None else ROLES
            return _wait(serve(settings, roles))
        case "playground":
            from bots.playground.run import playground

            return _wait(playground(settings, options.port))
        case "doctor":
            from bots.terminal.doctor import doctor

            return _wait(doctor(settings, as_json=options.json))
        case "migrate":
            return _migrate(settings, as_json=options.json)
        case "ask":
            return _ask(settings, options)
        case "models":
            from bots.terminal.figures import models

            return _wait(models(settings, as_json=options.json))
        case _:
            from bots.terminal.figures import usage

            key = WorkspaceKey.parse(options.workspace)
            if options.since and options.until and options.since > options.until:
                raise WrongUse(f"--since {options.since} is after --until {options.until}.")
            span = {"since": options.since, "until": options.until}
            return _wait(usage(settings, key, **span, by=options.by, as_json=options.json))


def _ask(settings: Settings, options: argparse.Namespace) -> int:
    from bots.terminal.ask import ask

    text = sys.stdin.read() if options.text == "-" else options.text
    _wait_quietly()
    named = {"assistant": options.assistant, "model": options.model}
    return _wait(ask(settings, text, options.image, as_json=options.json, **named))


def _wait_quietly() -> None:
    """On a terminal the answer speaks for itself: only what is wrong is logged beside it."""
    import logging

    logging.getLogger().setLevel(logging.WARNING)


def _migrate(settings: Settings, *, as_json: bool) -> int:
    import json

    import migrations
    from core.store.database import shown

    name = shown(settings.database_url)
    before = migrations.upgrade(settings.database_url)
    if as_json:
        sys.stdout.write(json.dumps({"before": before, "now": migrations.NEWEST}) + "\n")
    elif before == migrations.NEWEST:
        sys.stderr.write(f"The database {name} is up to date (schema {before}).\n")
    else:
        was = f"from schema {before}" if before else "as a new one"
        sys.stderr.write(f"The database {name} was brought to schema {migrations.NEWEST} {was}.\n")
    return 0


def _wait(work: Coroutine[Any, Any, int]) -> int:
    return asyncio.run(work)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-23") from None


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port such as 8765")
    return int(text)


def _end(status: int, line: str) -> NoReturn:
    sys.stderr.write(f"bise: {line}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
