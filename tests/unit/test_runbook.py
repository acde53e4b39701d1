"""The runbook and its alerts are held against the code: metrics, log lines, commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from bots.__main__ import LATER, parser
from tests.plain_yaml import document

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text()
COMPOSE = document((DEPLOY / "compose.yaml").read_text())
ALERTS = document((DEPLOY / "alerts.yaml").read_text())
CODE = "\n".join(file.read_text() for room in ("core", "bots") for file in sorted((ROOT / room).rglob("*.py")))


def made_metrics() -> dict[str, set[str]]:
    """The names under which `/metrics` shows our own, with their labels."""
    pattern = r'\b(Counter|Gauge|Histogram|Summary)\(\s*"(bise_\w+)",\s*"[^"]*"(?:,\s*\(([^)]*)\))?'
    return {
        f"{name.removesuffix('_total')}_total" if kind == "Counter" else name: set(re.findall(r'"(\w+)"', labels))
        for kind, name, labels in re.findall(pattern, CODE)
    }


def explained() -> dict[str, set[str]]:
    """The metrics that the runbook's table explains, with their labels."""
    table = RUNBOOK.partition("## Read the metrics")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    return {
        name: set(re.findall(r"`(\w+)`", cell.partition(" (")[2]))
        for cell in cells
        for name in re.findall(r"`((?:bise|process|python)_\w+)`", cell)
    }


def test_the_runbook_explains_every_metric_and_none_that_is_not() -> None:
    assert len(made_metrics()) == len(re.findall(r'"bise_\w+"', (ROOT / "core" / "metrics.py").read_text()))
    assert {name: labels for name, labels in explained().items() if name.startswith("bise_")} == made_metrics()


def test_alerts_ask_for_metrics_that_the_runbook_explains() -> None:
    rules = [rule for group in ALERTS["groups"] for rule in group["rules"]]
    used = {name for rule in rules for name in re.findall(r"\b(?:bise|process)_\w+", rule["expr"])}
    assert {name.removesuffix("_bucket") for name in used} <= set(explained())
    assert sorted(rule["alert"] for rule in rules) == sorted(re.findall(r"`(Bise\w+)`", RUNBOOK))
    for rule in rules:
        assert rule["expr"].count("(") == rule["expr"].count(")"), rule["alert"]
        assert rule["annotations"]["summary"].endswith(".")


def test_every_line_of_the_log_in_the_runbook_is_one_that_the_code_writes() -> None:
    table = RUNBOOK.partition("## Faults")[2].partition("| what the start says")[0]
    named = re.findall(r"`([a-z._]+)`", "\n".join(re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)))
    assert len(named) > 15
    for name in [*named, "model.trouble_over", "turn.finished"]:
        assert f'"{name}"' in CODE, name


def test_every_command_of_the_runbook_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    fences = "\n".join(re.findall(r"^```\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL))
    given = re.findall(r"`(bise [^`\n]+)`", RUNBOOK) + re.findall(
        r" (bise (?:doctor|migrate)[^\n]*)$", fences, re.MULTILINE
    )
    assert len(given) > 5
    for line in given:
        words = shlex.split(line)[1:]
        if words[0] in LATER:
            continue
        needs = len(words) == 1 and words[0] == "usage"
        assert needs or parser().parse_args(words).command == words[0], line
    targets = (ROOT / "Makefile").read_text()
    assert "\n$(VENV)/run.ok:" in targets
    assert set(re.findall(r"make -C /opt/bise (\S+)", RUNBOOK)) == {".venv/run.ok"}
    for profile in re.findall(r"--profile (\w+)", RUNBOOK):
        assert any(profile in one["profiles"] for one in COMPOSE["services"].values())
    for name in re.findall(r"--env-file \.env exec (?:-T )?([\w-]+)|\.yaml exec ([\w-]+)", RUNBOOK):
        assert "".join(name) in COMPOSE["services"]
    capsys.readouterr()
