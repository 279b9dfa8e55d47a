"""What was found of single cases, and what goes with what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from voxplain.aggregate.cohort import Relations
from voxplain.report.cohort.page import Lens
from voxplain.report.cohort.shown.limits import score_limits
from voxplain.report.cohort.shown.lines import Findings, Line, cut, none
from voxplain.report.cohort.shown.words import equal, listed, share, whose
from voxplain.report.study.words import count, number


def outlier_cases(lens: Lens, level: float) -> Findings:
    """Each with its score, its limit, and the regions that make it one."""
    title = "Outlier cases"
    if lens.outliers is None or np.isnan(lens.outliers.score).all():
        cases = int(lens.mass.answered.any(1).sum())
        if cases == 1:
            return none(title, "cannot tell", "one case: no distribution")
        return none(
            title,
            "cannot tell",
            f"{count(cases, 'case')}: no target has the 8 cases that a typical one needs",
        )
    limits = score_limits(lens.outliers, level)
    lines = []
    for f in lens.outliers.flagged(level):
        causes = listed([cause(c) for c in f["regions"]])
        limit = limits[lens.outliers.targets.index(f["target"])]
        lines.append(
            Line(
                "warn",
                "outlier",
                f"{f['case']}, {f['target']}: score {number(f['score'], 2)} (limit {number(float(limit), 2)}, "
                f"{equal('q', f['q'])}), because of {causes}",
                f["case"],
            )
        )
    if not lines:
        told = int((~np.isnan(lens.outliers.p)).sum())
        return none(
            title,
            "nothing",
            f"nothing found: none of {count(told, 'pair')} of case and target is an outlier (smallest "
            f"{equal('q', float(np.nanmin(lens.outliers.q)))})",
        )
    return cut(title, lines)


def cause(found: dict[str, Any]) -> str:
    """A region that makes an outlier."""
    way = "more" if found["z"] > 0 else "less"
    return (
        f"{way} from {found['region']} (z {number(found['z'], 2)}, {share(found['share'])} of the distance)"
    )


def missing_regions(divisions: Sequence[Lens]) -> Findings:
    """Of each case, and in all; of several divisions with their names.

    Args:
        divisions: one lens of each.
    """
    title = "Missing and unusual regions"
    several = len(divisions) > 1
    lines = [
        line
        for lens in divisions
        for line in _missing(lens, f" ({lens.partition} regions)" if several else "")
    ]
    if lines:
        # what no case has comes first: it is one line for many cases
        return cut(title, sorted(lines, key=lambda line: bool(line.case)))
    compared = any(_is_compared(lens) for lens in divisions)
    told = "every case has the usual regions" if compared else "all regions are there"
    return none(title, "nothing", f"nothing found: {told}")


def _is_compared(lens: Lens) -> bool:
    """Whether there is anything that is usual."""
    return len(lens.mass.cases) > 1 and lens.outliers is not None


def _missing(lens: Lens, of: str) -> Iterator[Line]:
    flags = lens.outliers.flags() if lens.outliers is not None and _is_compared(lens) else []
    for f in flags:
        told = [
            f"{'lacks' if k == 'missing' else 'has the unusual'} {listed(f[k], 6)}"
            for k in ("missing", "unusual")
            if f[k]
        ]
        word = "missing" if f["missing"] else "unusual"
        yield Line("info", word, f"{f['case']} {' and '.join(told)}{of}", f["case"])
    there = np.any(lens.mass.present, axis=0)
    never = [r for r, known in zip(lens.mass.regions, there, strict=True) if not known]
    if never:
        yield Line("info", "missing", f"in no case{of}: {listed(never, 12)}")


def relations(lens: Lens, level: float) -> Findings:
    """Of outlier scores first, then of entries."""
    title = "What it goes with"
    tables = [r for r in (lens.scores, lens.entries) if r is not None]
    if not tables:
        return none(title, "not asked", "nothing is known of the cases that could be related")
    lines = [Line("info", "goes with", relation(f, r)) for r in tables for f in r.found(level)]
    if lines:
        return cut(title, lines)
    tests = sum(int((~np.isnan(r.q)).sum()) for r in tables)
    if not tests:
        return none(title, "cannot tell", "too few cases, or nothing that varies")
    if all(t.least * int((~np.isnan(t.q)).sum()) > level for t in tables):
        told = f"a single relation could not be told among {count(tests, 'test')} with so few permutations"
        return none(title, "cannot tell", told)
    least = min(float(np.nanmin(r.q)) for r in tables if (~np.isnan(r.q)).any())
    columns = list(dict.fromkeys(c for r in tables for c in r.columns))
    text = (
        f"nothing found: neither outlier scores nor entries go with {listed(columns, 6)}; {count(tests, 'test')}, smallest "
        f"{equal('q', least)}"
    )
    return none(title, "nothing", text)


def relation(f: dict[str, Any], table: Relations) -> str:
    """A row of `Relations.found` as a sentence."""
    numeric = table.kinds[table.columns.index(f["column"])] == "numeric"
    effect = f["effect"]
    what = (
        f"{whose(f['target'])} outlier score"
        if f["region"] == "outlier score"
        else f"{whose(f['target'])} dependence on {'itself' if f['region'] == f['target'] else f['region']}"
    )
    how = f"ρ = {number(effect, 2)}" if numeric else f"{share(effect)} of the ranks’ variance"
    given = f", given the region’s volume ρ = {number(f['partial'], 2)}" if f["partial"] is not None else ""
    return (
        f"{what} goes with {f['column']}: {how}{given}; {equal('p', f['p'])}, "
        f"{equal('q', f['q'])}, {count(f['n'], 'case')}"
    )
