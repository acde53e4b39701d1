"""For every test: nothing but loopback is reached, and no proxy or setting of this machine leaks in."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.databases import Place, place_of

_OURS = (
    *("BISE_", "SLACK_", "DISCORD_", "MISTRAL_", "DATABASE_URL"),
    *("AZURE", "AWS_", "SAGEMAKER_", "GOOGLE_", "GCLOUD_", "GCE_", "CLOUDSDK_"),
)


class ReachedOutside(RuntimeError):
    """A test tried to talk to something that is not this machine."""


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise ReachedOutside(f"a test tried to connect to {address[0]}")
    elif event == "socket.getaddrinfo" and arguments[0] is not None and not _is_loopback(arguments[0]):
        raise ReachedOutside(f"a test tried to look up {arguments[0]}")


def pytest_configure() -> None:
    """An audit hook cannot be undone or got around, and needs no patching."""
    sys.addaudithook(_guard)
    for name in [name for name in os.environ if name.startswith(_OURS) or name.lower().endswith("_proxy")]:
        del os.environ[name]


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):  # pytest-xdist's workers share what the first process names
        postgres.share()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgres.end_shared()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-size", action="store_true", help="the fault tests at full size (make faults)")


@pytest.fixture
def full_size(request: pytest.FixtureRequest) -> bool:
    """Whether the fault tests run at full size."""
    return bool(request.config.getoption("--full-size"))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A new database of each kind, one after the other."""
    with place_of(request.param, tmp_path) as place:
        yield place


@pytest.fixture(params=["sqlite", "postgres"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """The same without a schema."""
    with place_of(request.param, tmp_path, migrated=False) as place:
        yield place


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Any) -> Iterator[None]:
    """No `.env` of this checkout is read, and nothing is left in it."""
    before = os.getcwd()  # noqa: PTH109
    os.chdir(tmp_path)
    yield
    os.chdir(before)
