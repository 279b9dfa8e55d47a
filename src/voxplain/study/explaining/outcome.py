"""What a run leaves at its end: the table and the page."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxplain.case.atomic import write_whole
from voxplain.report import write_page
from voxplain.study.explaining.page import page_of
from voxplain.study.explaining.viewed import viewed
from voxplain.study.table import as_csv

DONE, SOME_FAILED = 0, 1

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.study.settings.config import ExplainSettings


def write_results(
    settings: ExplainSettings,
    overview: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    judged: Sequence[Mapping[str, Any]],
    case: Case,
    model: Model,
) -> int:
    """Write table.csv, metrics.csv where metrics were asked for, and report.html; the exit code."""
    rows = [row for result in results for row in result["rows"]]
    write_whole(settings.out / "table.csv", as_csv(rows).encode())
    if settings.metrics:
        write_whole(settings.out / "metrics.csv", as_csv(list(judged)).encode())
    if settings.maps.figures:
        page = page_of(settings, overview, results, judged)
        write_page(
            settings.out / "report.html",
            replace(page, viewer=viewed(settings, results, case, model, page.trust)),
        )
    bad = [row for row in rows if row["status"] in ("failed", "out-of-memory")]
    if rows and all(row["status"] == "absent" for row in rows):
        for note in dict.fromkeys(row["note"] for row in rows):
            print(f"voxplain: {note}", file=sys.stderr)
        return SOME_FAILED
    return SOME_FAILED if bad else DONE
