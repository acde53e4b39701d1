"""Redelivered and twin events through the whole service: 40 questions, 200 with --full-size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.twins import Tally, ask
from tests.world import running


@pytest.mark.timeout(180)
async def test_every_question_with_twins_is_answered_once_and_paid_for_once(tmp_path: Path, full_size: bool) -> None:
    turns = 200 if full_size else 40
    async with running(tmp_path, max_concurrent_turns=50) as world:
        tally = await ask(world.slack, world.discord, world.model, turns)
    assert tally == Tally(turns, lost=0, doubled=0)
