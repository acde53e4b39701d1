"""The `bise` command. Exit status: 0 done, 1 the thing asked for failed, 2 wrong usage or a wrong setting."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

from core.errors import BiseError, SettingsError, WrongUse
from core.messages import WorkspaceKey
from core.settings import Settings, unknown_variables

LATER: tuple[str, ...] = ()  # named in the contract, built by later versions


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
    parts = usage.add_mutually_exclusive_group()
    parts.add_argument("--by", choices=("model", "user", "channel", "day"), help="the same figures for each")
    parts.add_argument("--estimated", action="store_true", help="list the calls whose cost is estimated, with numbers")
    _add_budget(add)
    _add_report(add)
    _add_privacy(add)
    return root


def _add_budget(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """`bise budget` and what it is followed by."""
    budget = add(
        "budget", "Look at limits, set them, put an estimate right.", "bise budget show --workspace slack:T0123 --json"
    )
    actions = budget.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)

    def add_action(name: str, summary: str, example: str) -> argparse.ArgumentParser:
        action = actions.add_parser(name, help=summary, description=summary, epilog=f"Example: {example}")
        # Left alone where it is not given, so that `bise budget --json show` keeps it.
        json_help = "machine-readable output on stdout alone"
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=json_help)
        return action

    show = add_action("show", "Limits, what is spent, held and left.", "bise budget show --workspace slack:T0123")
    show.add_argument("--workspace", metavar="W", help="PLATFORM:ID (default: the installation and all workspaces)")
    set_ = add_action(
        "set", "Set a limit in US dollars.", "bise budget set --workspace slack:T0123 --per month --limit 5.00"
    )
    whose = set_.add_mutually_exclusive_group(required=True)
    whose.add_argument("--workspace", metavar="W", help="PLATFORM:ID, such as slack:T0123, discord:dm or local:cli")
    whose.add_argument("--installation", action="store_true", help="all workspaces together")
    set_.add_argument("--per", required=True, choices=("day", "month"), help="calendar day or month, where they are")
    set_.add_argument("--limit", required=True, metavar="L", help="such as 5.00, or none, or default: what is set up")
    for action in (show, set_):
        action.add_argument("--user", metavar="U", help="a person of the workspace, by the platform's id")
        action.add_argument("--channel", metavar="C", help="a channel of the workspace, by the platform's id")
    correct = add_action("correct", "Put right what a call has cost.", "bise budget correct 41 --cost 0.0123")
    correct.add_argument("call", type=_call, metavar="CALL", help="a number of `bise usage --workspace W --estimated`")
    correct.add_argument("--cost", required=True, metavar="D", help="what it has cost in US dollars, such as 0.0123")


def _add_report(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """`bise report`, and `bise report settings` with what is to hold."""
    report = add(
        "report",
        "The usage report: print it, draw it, post it now; `report settings` says when and where it comes.",
        "bise report --workspace slack:T0123 --date 2026-11-22      bise report --workspace slack:T0123 --post      "
        "bise report --workspace slack:T0123 --format png --out usage.png      "
        "bise report --workspace slack:T0123 settings hour 8",
    )
    report.add_argument("--workspace", required=True, metavar="W", help="PLATFORM:ID, such as slack:T0123")
    report.add_argument("--kind", choices=("daily", "weekly", "monthly"), default="daily", help="(default: daily)")
    report.add_argument("--date", type=_day, metavar="D", help="its last local date (default: the newest that is over)")
    report.add_argument("--post", action="store_true", help="post it where reports go, unless that was done before")
    report.add_argument("--format", choices=("text", "csv", "png"), default="text", help="(default: text)")
    report.add_argument("--out", type=Path, metavar="FILE", help="write to a file (default: standard output)")
    report.add_argument("words", nargs="*", metavar="settings …", help="what holds; or hour 8, channel C1, weekly on …")


def _add_privacy(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """`bise privacy` and what it is followed by."""
    privacy = add("privacy", "What is processed here, for whom, where.", "bise privacy record")
    actions = privacy.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    summary = "Print an entry for the records of processing, from the settings as they are."
    record = actions.add_parser(
        "record", help=summary, description=summary, epilog="Example: bise privacy record --json"
    )
    json_help = "machine-readable output on stdout alone"
    record.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=json_help)


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
        case "budget":
            return _budget(settings, options)
        case "report":
            return _report(settings, options)
        case "privacy":
            from bots.terminal.privacy import show_record

            return show_record(settings, as_json=options.json)
        case _:
            return _usage(settings, options)


def _usage(settings: Settings, options: argparse.Namespace) -> int:
    from bots.terminal import figures

    key = WorkspaceKey.parse(options.workspace)
    if options.since and options.until and options.since > options.until:
        raise WrongUse(f"--since {options.since} is after --until {options.until}.")
    span = {"since": options.since, "until": options.until}
    if options.estimated:
        return _wait(figures.estimated(settings, key, **span, as_json=options.json))
    return _wait(figures.usage(settings, key, **span, by=options.by, as_json=options.json))


def _budget(settings: Settings, options: argparse.Namespace) -> int:
    from bots.terminal import budget
    from core.budgets import money
    from core.store.limits import DEFAULT

    if options.action == "correct":
        return _wait(budget.correct(settings, options.call, money.cost(options.cost), as_json=options.json))
    key = WorkspaceKey.parse(options.workspace) if options.workspace is not None else None
    whose = {"person": options.user, "channel": options.channel}
    if options.action == "show":
        return _wait(budget.show(settings, key, **whose, as_json=options.json))
    limit = DEFAULT if options.limit.strip().lower() == DEFAULT else money.amount(options.limit)
    return _wait(budget.set_limit(settings, key, options.per, limit, **whose, as_json=options.json))


def _report(settings: Settings, options: argparse.Namespace) -> int:
    from bots.terminal import report

    key = WorkspaceKey.parse(options.workspace)
    _wait_quietly()
    if options.words:
        if options.words[0] != "settings":
            raise WrongUse(f"{options.words[0]!r} is nothing that `bise report` knows: write settings, or nothing.")
        return _wait(report.choose(settings, key, " ".join(options.words[1:])))
    if options.post and options.format != "text":
        raise WrongUse("--post posts the whole report: leave --format out.")
    what = {"kind": options.kind, "on": options.date, "post": options.post, "as_json": options.json}
    return _wait(report.report(settings, key, **what, form=options.format, out=options.out))


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


def _call(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a call, such as 41")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port such as 8765")
    return int(text)


def _end(status: int, line: str) -> NoReturn:
    sys.stderr.write(f"bise: {line}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
