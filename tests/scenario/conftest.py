"""A running world for each scenario."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.databases import Place, place_of
from tests.world import World, running


@pytest.fixture
async def world(tmp_path: Path, place: Place) -> AsyncIterator[World]:
    """The whole service between simulated platforms and a scripted model, on each database."""
    async with running(tmp_path, place=place) as whole:
        yield whole


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Place]:
    """A new SQLite file, for what does not differ by the database or is about the file."""
    with place_of("sqlite", tmp_path) as place:
        yield place
