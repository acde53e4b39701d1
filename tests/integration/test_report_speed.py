"""A report stays quick however many others there are: it reads its workspace's stretch of one index, no table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from core.budgets.terms import Terms
from core.mistral.catalogue import Catalogue
from core.reports.basis import Basis
from core.reports.daily import figures
from core.reports.prices import Prices
from core.reports.report import KINDS, Kind
from tests.databases import place_of
from tests.integration.report_ledger import NOW, ON, OURS, TEAM, TENTHS, lay_down, world_of


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_asks_of_the_ledger_is_in_the_index(tmp_path: Path, kind: Kind) -> None:
    asked: list[tuple[str, Any]] = []
    with place_of("sqlite", tmp_path) as place:
        lay_down(place, world_of(5))
        basis = Basis(NOW, Terms.of(place.settings()), Prices(Catalogue.load(), TENTHS))
        with place.connected() as connection:
            event.listen(connection, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
            report = figures(connection, OURS, TEAM, kind, ON, basis=basis)
            assert report.first_text_ms is not None, "all of it was asked"
            of_the_ledger = [one for one in asked if "FROM usage" in one[0] or "FROM turn" in one[0]]
            assert len(of_the_ledger) >= 7
            for statement, values in of_the_ledger:
                plan = [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
                told = "\n".join((statement, *plan))
                index = "INDEX ix_usage_correction" if "usage.at" in statement else "COVERING INDEX ix_"
                assert index in told, told
                assert "SCAN" not in told, told
