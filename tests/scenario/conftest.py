"""A running world for each scenario."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.world import World, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The whole service between simulated platforms and a scripted model."""
    async with running(tmp_path) as whole:
        yield whole
