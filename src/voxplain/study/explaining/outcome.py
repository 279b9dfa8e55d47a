"""What a run leaves at its end: the table and the page."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from voxplain.case.atomic import write_whole
from voxplain.report import (
    Finding,
    MethodCard,
    Page,
    Picture,
    Predicted,
    Section,
    write_page,
)
from voxplain.study.explaining.viewed import viewed
from voxplain.study.ledger.journal import versions
from voxplain.study.table import as_csv

DONE, SOME_FAILED = 0, 1

if TYPE_CHECKING:
    from pathlib import Path

    from voxplain.case import Case
    from voxplain.model import Model
    from voxplain.study.settings.config import ExplainSettings


def write_results(
    settings: ExplainSettings,
    overview: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    case: Case,
    model: Model,
) -> int:
    """Write table.csv and report.html; the exit code."""
    rows = [row for result in results for row in result["rows"]]
    write_whole(settings.out / "table.csv", as_csv(rows).encode())
    if settings.maps.figures:
        page = _page(settings, overview, results)
        write_page(settings.out / "report.html", replace(page, viewer=viewed(settings, results, case, model)))
    bad = [row for row in rows if row["status"] in ("failed", "out-of-memory")]
    if rows and all(row["status"] == "absent" for row in rows):
        for note in dict.fromkeys(row["note"] for row in rows):
            print(f"voxplain: {note}", file=sys.stderr)
        return SOME_FAILED
    return SOME_FAILED if bad else DONE


def _page(
    settings: ExplainSettings, overview: Mapping[str, Any], results: Sequence[Mapping[str, Any]]
) -> Page:
    plain = yaml.safe_load((settings.out / "explain.yaml").read_text(encoding="utf-8"))
    sections = tuple(_section(s, settings.out) for r in results for s in r["sections"])
    limit = settings.maps.figures
    undrawn = (
        [f"figures of the {limit} largest targets only"]
        if any(len(r["sections"]) > limit for r in results)
        else []
    )
    failed = [f"{row['method']}: {row['note']}" for r in results if not r["sections"] for row in r["rows"]]
    return Page(
        case=overview["case"],
        model=overview["model"],
        image=overview["image"],
        targets=tuple(overview["targets"]),
        score=settings.score,
        methods=tuple(MethodCard(**r["card"]) for r in results if "card" in r),
        predicted=tuple(Predicted(**row) for row in overview["predicted"]),
        sections=sections,
        notes=tuple(dict.fromkeys([*overview["notes"], *failed, *undrawn])),
        settings=plain,
        versions=versions(),
        command="voxplain explain --config explain.yaml",
    )


def _section(plain: Mapping[str, Any], out: Path) -> Section:
    found = dict(plain)
    found["findings"] = tuple(Finding(**f) for f in plain["findings"])
    found["pictures"] = tuple(Picture(**{**p, "png": out / p["png"]}) for p in plain["pictures"])
    found["notes"] = tuple(plain["notes"])
    if plain.get("tile"):
        found["tile"] = Picture(**{**plain["tile"], "png": out / plain["tile"]["png"]})
    return Section(**found)
