"""What is in `deploy/` is held against the code: settings, roles, commands, ports, routes, patience, rights."""

from __future__ import annotations

import configparser
import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bots.__main__ import parser
from bots.serve import ROLES
from core.settings import Settings
from core.settings_values import variables
from tests.plain_yaml import document, documents

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text()
COMPOSE = document((DEPLOY / "compose.yaml").read_text())
KUSTOMIZATION = document((KUBERNETES / "kustomization.yaml").read_text())
PROCESS = document((KUBERNETES / "process.yaml").read_text())
SETTINGS = {name for field in Settings.model_fields.values() for name in variables(field)}
PORT = Settings().http_port
CLOSING_SECONDS = 20  # for final writes and closing, after the patience is over
EXAMPLES = {"secret.example.yaml", "ingress.example.yaml"}
# What others read, not Bise.
FOREIGN = {"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def unit() -> configparser.ConfigParser:
    """The systemd unit; of a directive that is there twice, the last."""
    found = configparser.ConfigParser(interpolation=None, strict=False)
    found.optionxform = str  # type: ignore[assignment,method-assign]
    found.read(DEPLOY / "bise.service")
    return found


def manifests() -> list[dict[str, Any]]:
    """What the kustomization puts in, in its order."""
    return [one for name in KUSTOMIZATION["resources"] for one in documents((KUBERNETES / name).read_text())]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [one for one in manifests() if one["kind"] == kind]


def pod(manifest: dict[str, Any]) -> Any:
    return manifest["spec"]["template"]["spec"]


def container(manifest: dict[str, Any]) -> Any:
    [only] = pod(manifest)["containers"]
    return only


def image_environment() -> dict[str, str]:
    """What the image sets for every process."""
    [lines] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", CONTAINERFILE, re.MULTILINE)
    return dict(part.split("=", 1) for part in shlex.split(lines.replace("\\\n", " ")))


def bises() -> dict[str, dict[str, Any]]:
    """The services of the compose file that run Bise."""
    return {name: one for name, one in COMPOSE["services"].items() if one["image"].startswith("bise:")}


def commands() -> dict[str, list[str]]:
    """Every `bise …` that something in `deploy/` starts, by where."""
    section = unit()["Service"]
    found = {name: section[name].split()[1:] for name in ("ExecStartPre", "ExecStart")}
    found |= {f"compose {name}": one.get("command", ["serve"]) for name, one in bises().items()}
    found |= {one["metadata"]["name"]: container(one)["args"] for one in [*of_kind("Deployment"), *of_kind("Job")]}
    return found


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def settings_set() -> dict[str, str]:
    """Every variable that a file of `deploy/` gives to Bise, with its value."""
    section = unit()["Service"]
    found = dict(part.split("=", 1) for part in section["Environment"].split())
    found |= {name: value for name, value in image_environment().items() if name not in ("PATH", "HOME")}
    found |= {name: value for one in bises().values() for name, value in one.get("environment", {}).items()}
    for generated in KUSTOMIZATION["configMapGenerator"]:
        found |= dict(literal.split("=", 1) for literal in generated["literals"])
    found |= document((KUBERNETES / "secret.example.yaml").read_text())["stringData"]
    return found


def test_every_setting_that_is_given_is_a_setting() -> None:
    assert set(settings_set()) - FOREIGN <= SETTINGS


def test_what_is_given_can_be_read_together() -> None:
    given = {name: value for name, value in settings_set().items() if name in SETTINGS}
    settings = Settings.read(given | {"DATABASE_URL": given["DATABASE_URL"].replace("${", "").replace("}", "")}, None)
    assert settings.http_host == "0.0.0.0"
    assert settings.log_format == "json"


@pytest.mark.parametrize(("where", "words"), commands().items())
def test_every_command_that_is_started_can_be_given(where: str, words: list[str]) -> None:
    options = parser().parse_args(words)
    assert options.command in ("serve", "migrate"), where
    if options.command == "serve" and options.roles is not None:
        assert set(options.roles.split(",")) <= set(ROLES), where


def test_the_processes_of_kubernetes_have_every_role_between_them() -> None:
    roles = [options.split(",") for words in commands().values() for options in words[2:]]
    assert {role for some in roles for role in some} == set(ROLES)


def test_migrating_comes_before_serving() -> None:
    assert commands()["ExecStartPre"] == ["migrate"]
    for name, one in bises().items():
        if one.get("command") == ["migrate"]:
            assert one["restart"] == "no"
            continue
        [(before, condition)] = one["depends_on"].items()
        assert bises()[before]["command"] == ["migrate"], name
        assert bises()[before]["profiles"] == one["profiles"], name
        assert condition == {"condition": "service_completed_successfully"}, name
    [job] = of_kind("Job")
    assert job["metadata"]["labels"] == {"bise/step": "first"}
    assert RUNBOOK.count("-l bise/step=first\n") == RUNBOOK.count("job/bise-migrate") == 2


def test_whoever_ends_a_process_waits_longer_than_its_answers_take() -> None:
    needed = int(settings_set()["BISE_DRAIN_SECONDS"]) + CLOSING_SECONDS
    assert int(settings_set()["BISE_DRAIN_SECONDS"]) == Settings.model_fields["drain_seconds"].default
    assert int(unit()["Service"]["TimeoutStopSec"]) >= needed
    assert all(seconds(one["stop_grace_period"]) >= needed for one in bises().values())
    assert pod(PROCESS)["terminationGracePeriodSeconds"] >= needed
    assert "lifecycle" not in container(PROCESS)


def test_a_wrong_setting_is_not_tried_again() -> None:
    assert unit()["Service"]["RestartPreventExitStatus"] == "2"
    assert unit()["Service"]["Restart"] == "on-failure"


def test_all_ports_are_the_one_that_is_listened_on() -> None:
    given = settings_set()
    assert given["BISE_HTTP_PORT"] == image_environment()["BISE_HTTP_PORT"] == str(PORT)
    assert f"\nEXPOSE {PORT}\n" in CONTAINERFILE
    published = [ports for one in bises().values() for ports in one.get("ports", [])]
    assert published
    assert set(published) == {f"127.0.0.1:{PORT}:{PORT}"}
    assert container(PROCESS)["ports"] == [{"name": "http", "containerPort": PORT}]
    assert PROCESS["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(PORT)
    [service] = of_kind("Service")
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    reached = [rule["ports"] for one in of_kind("NetworkPolicy") for rule in one["spec"]["ingress"]]
    assert reached == [[{"protocol": "TCP", "port": PORT}]] * 2


def test_probes_ask_routes_that_there_are() -> None:
    routes = set(re.findall(r'add_get\("(/\w+)"', (ROOT / "bots" / "web.py").read_text()))
    probes = {name: one["httpGet"] for name, one in container(PROCESS).items() if name.endswith("Probe")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",  # never /readyz: a process that waits for its database must not be killed for it
        "readinessProbe": "/readyz",
    }
    assert all(probe["port"] == "http" for probe in probes.values())
    annotations = PROCESS["spec"]["template"]["metadata"]["annotations"]
    assert {"/healthz", "/readyz", annotations["prometheus.io/path"]} <= routes
    assert "'/healthz'" in CONTAINERFILE


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert {one["image"] for one in bises().values()} == {f"bise:{version}"}
    [image] = KUSTOMIZATION["images"]
    assert image["newTag"] == version
    for text in (CONTAINERFILE, RUNBOOK):
        assert set(re.findall(r"\bbise:(\d[\w.]*)", text)) == {version}


def test_every_file_that_is_named_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    named = [ROOT / path for line in copied for path in line.split()]
    named += [KUBERNETES / name for name in KUSTOMIZATION["resources"]]
    named += [KUBERNETES / patch["path"] for patch in KUSTOMIZATION["patches"]]
    named += [DEPLOY / one["build"]["context"] / one["build"]["dockerfile"] for one in bises().values()]
    named += [DEPLOY / link for link in re.findall(r"\]\(([^)\s]+)\)", RUNBOOK) if "://" not in link]
    named += [ROOT / path for path in re.findall(r"(?<![\w/])deploy/(?!bise-)[\w./-]*\w", RUNBOOK)]
    assert [str(path) for path in named if not path.exists()] == []
    used = {*KUSTOMIZATION["resources"], "process.yaml", "kustomization.yaml", *EXAMPLES}
    assert {file.name for file in KUBERNETES.iterdir()} == used


def test_the_image_lets_in_what_it_copies_and_no_secret() -> None:
    rules = (DEPLOY / "Containerfile.dockerignore").read_text().splitlines()
    assert rules[1] == "*"
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    assert {path.rstrip("/") for line in copied for path in line.split()} == {
        rule[1:] for rule in rules if rule.startswith("!")
    }
    for extra in PROJECT["project"]["optional-dependencies"]:
        assert (DEPLOY / "locks" / f"{extra}.txt").is_file()
        assert extra in CONTAINERFILE


def test_no_process_has_more_rights_than_it_needs() -> None:
    assert "\nUSER 10001:10001\n" in CONTAINERFILE
    for one in bises().values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
    for manifest in (PROCESS, *of_kind("Job")):
        security = pod(manifest)["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security["runAsUser"] == 10001
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(manifest)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod(manifest)["automountServiceAccountToken"] is False
        assert pod(manifest)["enableServiceLinks"] is False
    [namespace] = of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_process_of_kubernetes_is_laid_over_selected_and_given_room() -> None:
    [patch] = KUSTOMIZATION["patches"]
    assert patch["target"] == {"kind": "Deployment"}
    components = [one["spec"]["selector"]["matchLabels"] for one in of_kind("Deployment")]
    for one, labels in zip(of_kind("Deployment"), components, strict=True):
        assert one["spec"]["template"]["metadata"]["labels"] == labels
        assert container(one)["name"] == container(PROCESS)["name"]
        room = container(one)["resources"]
        assert int(room["requests"]["memory"].removesuffix("Mi")) >= 128  # one that idles has 105 MB
        assert int(room["limits"]["memory"].removesuffix("Mi")) >= 256
    for budget in of_kind("PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"] in components
        assert budget["metadata"]["name"] in [
            one["metadata"]["name"] for one in of_kind("Deployment") if one["spec"]["replicas"] > 1
        ]
    [service] = of_kind("Service")
    assert service["spec"]["selector"] in components


def test_settings_and_secrets_have_the_names_under_which_they_are_asked_for() -> None:
    asked = [
        (kind, source["name"])
        for manifest in (PROCESS, *of_kind("Job"))
        for entry in container(manifest)["envFrom"]
        for kind, source in entry.items()
    ]
    secret = document((KUBERNETES / "secret.example.yaml").read_text())
    [generated] = KUSTOMIZATION["configMapGenerator"]
    assert Counter(asked) == {("configMapRef", generated["name"]): 2, ("secretRef", secret["metadata"]["name"]): 2}
    assert secret["metadata"]["namespace"] == KUSTOMIZATION["namespace"] == of_kind("Namespace")[0]["metadata"]["name"]


def test_the_unit_and_the_runbook_name_the_same_places() -> None:
    section = unit()["Service"]
    assert section["WorkingDirectory"] == f"/var/lib/{section['StateDirectory']}"
    for place in (section["EnvironmentFile"], section["WorkingDirectory"], section["ExecStart"].split()[0]):
        assert place in RUNBOOK, place
    default = Settings.model_fields["database_url"].default.removeprefix("sqlite+aiosqlite:///")
    assert f"{section['WorkingDirectory']}/{default}" in RUNBOOK
    assert section["ProtectSystem"] == "strict"
    assert "DATABASE_URL" not in section["Environment"]  # so that commands by hand meet the same file
