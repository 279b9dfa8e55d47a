"""Rows of relations with the metadata, the surest first, and the few that are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort import Relations
from voxplain.report.cohort.page import Lens, Numbers
from voxplain.report.cohort.shown.words import equal, share
from voxplain.report.study.words import number

DRAWN, TOLD = 6, 30


@dataclass(frozen=True)
class Related:
    """A relation.

    Attributes:
        what: the target's outlier score, or its dependence on a region.
        effect: Spearman's ρ, or the share of the ranks' variance between categories, as text; ``size`` as a number.
        partial: ρ given the region's volume, as text.
    """

    column: str
    target: str
    region: str
    effect: str
    partial: str
    p: float
    q: float
    n: int

    @property
    def what(self) -> str:
        """As a name."""
        if self.region == "outlier score":
            return f"{self.target}: outlier score"
        return f"{self.target} ← {'itself' if self.region == self.target else self.region}"


@dataclass(frozen=True, eq=False)
class Relation:
    """A panel.

    Attributes:
        values: (cases,) of an entry or of outlier scores; ``name`` of them.
        told: its numbers, as the title's second line.
        found: whether it survives the correction.
    """

    column: str
    name: str
    values: Numbers
    told: str
    found: bool


def related(table: Relations | None, left_out: tuple[str, ...], most: int = TOLD) -> tuple[Related, ...]:
    """The surest, whether or not they survive the correction."""
    if table is None:
        return ()
    at = [
        (k, t, r)
        for k, t, r in np.argwhere(~np.isnan(table.p)).tolist()
        if not {table.targets[t], table.regions[r]} & set(left_out)
    ]
    at.sort(key=lambda e: (table.q[e], table.p[e], -abs(table.effect[e]), e))
    return tuple(_row(table, e) for e in at[:most])


def _row(table: Relations, e: tuple[int, int, int]) -> Related:
    k, t, r = e
    numeric = table.kinds[k] == "numeric"
    effect = float(table.effect[e])
    return Related(
        table.columns[k],
        table.targets[t],
        table.regions[r],
        f"ρ {number(effect, 2)}" if numeric else f"{share(effect)} of variance",
        "" if np.isnan(table.partial[e]) else f"ρ {number(float(table.partial[e]), 2)}",
        float(table.p[e]),
        float(table.q[e]),
        int(table.n[e]),
    )


def panels(
    lens: Lens, scores: tuple[Related, ...], entries: tuple[Related, ...], level: float
) -> list[Relation]:
    """The surest of both kinds: half of the panels each, what one lacks the other has."""
    half = DRAWN // 2
    few_scores, few_entries = min(len(scores), half), min(len(entries), half)
    chosen = [*scores[: DRAWN - few_entries], *entries[: DRAWN - few_scores]]
    return [
        Relation(r.column, r.what, _values(lens, r), f"{r.effect}, {equal('q', r.q)}", r.q <= level)
        for r in chosen
    ]


def _values(lens: Lens, row: Related) -> Numbers:
    if row.region == "outlier score":
        assert lens.outliers is not None
        return lens.outliers.score[:, lens.outliers.targets.index(row.target)]
    return lens.ratios.entry(row.target, row.region)
