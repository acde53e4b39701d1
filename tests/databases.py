"""Where a test's core keeps its data, on either database, and a whole core there."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from core.settings import Settings
from core.store.database import SQLITE, Database
from tests import fakes, postgres
from tests.fakes import FakePlatform, House, ManualClock

SECRET = "a-key-of-the-tests-that-encrypts"  # PostgreSQL has no file beside it to keep one in


@dataclass(frozen=True, slots=True)
class Place:
    """A database of the newest schema: a SQLite file in `folder`, or one of the tests' PostgreSQL."""

    folder: Path
    url: str

    @property
    def postgres(self) -> bool:
        return not self.url.startswith(SQLITE)

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return Path(self.url.removeprefix(SQLITE))

    def open(self) -> Database:
        return Database.open(self.url)

    def settings(self, **changes: Any) -> Settings:
        """Settings for a core here; `changes` by field name."""
        return fakes.settings_at(self.file, **(self.fields | changes))

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the database holds, past all layers; dates as text, values marked by `?`."""
        if not self.postgres:
            return fakes.rows(self.file, query, *values)
        found = postgres.rows(self.url, query.replace("?", "%s"), *values)
        return [tuple(value.isoformat() if type(value) is date else value for value in row) for row in found]

    def change(self, statement: str) -> None:
        """Does something to the database from outside."""
        if self.postgres:
            postgres.execute(self.url, statement)
            return
        connection = sqlite3.connect(self.file)
        connection.execute(statement)
        connection.commit()
        connection.close()

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection past all layers."""
        url = self.url if self.postgres else f"sqlite:///{self.file}"
        with create_engine(url, poolclass=NullPool).connect() as connection:
            yield connection

    @contextmanager
    def held(self) -> Iterator[None]:
        """Another program is writing: turns can be read meanwhile, and not changed."""
        if not self.postgres:
            other = sqlite3.connect(self.file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("COMMIT")
            other.close()
            return
        with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
            connection.execute("LOCK TABLE turn IN EXCLUSIVE MODE")
            yield

    @property
    def fields(self) -> dict[str, Any]:
        """What settings need to be here, by field name."""
        return {"database_url": self.url} | ({"secret_key": SECRET} if self.postgres else {})


@contextmanager
def place_of(kind: str, folder: Path, *, migrated: bool = True) -> Iterator[Place]:
    """A new database; `kind` is sqlite or postgres. Not `migrated`: an empty one, which SQLite has no file for yet."""
    if kind == "sqlite":
        file = fakes.new_database(folder) if migrated else folder / "bise.db"
        yield Place(folder, f"{SQLITE}{file}")
        return
    with postgres.server().database(postgres.TEMPLATE if migrated else "template1") as url:
        yield Place(folder, url)


class HouseAt(House):
    """A core on either database, with its doubles."""

    def __init__(self, place: Place, home: House) -> None:
        super().__init__(home.core, home.platform, home.clock)
        self._place = place

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._place.rows(query, *values)


@asynccontextmanager
async def house(
    place: Place, *, platform: FakePlatform | None = None, clock: ManualClock | None = None, **options: Any
) -> AsyncIterator[HouseAt]:
    """`tests.fakes.house` at a place of either kind, with its options."""
    async with fakes.house(place.folder, platform=platform, clock=clock, **place.fields, **options) as home:
        yield HouseAt(place, home)
