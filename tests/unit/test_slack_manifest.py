"""The manifest that people paste into Slack grants exactly what the code uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bots.slack.commands import SUBCOMMANDS
from bots.slack.manifest import COMMAND, COST_SHORTCUT, EVENTS, EVENTS_PATH, SCOPES

FILE = Path(__file__).parents[2] / "deploy" / "slack-manifest.yaml"


def read(text: str) -> Any:
    """The block-style YAML of the manifest: maps and lists by indent, plain and quoted scalars."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    value, rest = _block(lines, 0)
    assert not rest
    return value


def _block(lines: list[str], indent: int) -> tuple[Any, list[str]]:
    if lines[0].lstrip().startswith("- "):
        return _list(lines, indent)
    found: dict[str, Any] = {}
    while lines and _indent(lines[0]) == indent:
        name, _, scalar = lines[0].strip().partition(":")
        lines = lines[1:]
        if scalar.strip():
            found[name] = _scalar(scalar.strip())
        else:
            found[name], lines = _block(lines, _indent(lines[0]))
    return found, lines


def _list(lines: list[str], indent: int) -> tuple[list[Any], list[str]]:
    found: list[Any] = []
    while lines and _indent(lines[0]) == indent and lines[0].lstrip().startswith("- "):
        item = lines[0].strip()[2:]
        if ": " in item:
            lines = [" " * (indent + 2) + item, *lines[1:]]
            value, lines = _block(lines, indent + 2)
            found.append(value)
        else:
            found.append(_scalar(item))
            lines = lines[1:]
    return found, lines


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _scalar(text: str) -> Any:
    return {"true": True, "false": False}.get(text, text.strip('"'))


MANIFEST = read(FILE.read_text())


def test_the_scopes_are_those_that_the_code_needs() -> None:
    assert MANIFEST["oauth_config"]["scopes"]["bot"] == sorted(SCOPES)


def test_the_events_are_those_that_the_code_hears() -> None:
    assert MANIFEST["settings"]["event_subscriptions"]["bot_events"] == list(EVENTS)


def test_every_message_event_has_its_history_scope() -> None:
    for event in EVENTS:
        kind = event.removeprefix("message.")
        assert event == "app_mention" or f"{kind}:history" in SCOPES


def test_the_command_is_the_one_that_is_answered() -> None:
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == COMMAND
    assert [part.split()[0] for part in command["usage_hint"].split(" | ")] == list(SUBCOMMANDS)
    assert command["should_escape"] is True


def test_the_menu_of_a_message_has_the_one_entry_that_is_answered() -> None:
    (shortcut,) = MANIFEST["features"]["shortcuts"]
    assert (shortcut["type"], shortcut["callback_id"]) == ("message", COST_SHORTCUT)
    assert len(shortcut["name"]) <= 24


def test_people_can_write_to_the_app_and_press_its_buttons() -> None:
    home = MANIFEST["features"]["app_home"]
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True


def test_it_is_for_socket_mode_and_tells_the_address_of_http_mode() -> None:
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
    assert EVENTS_PATH in FILE.read_text()
