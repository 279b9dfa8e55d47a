"""One method's table over one partition: every statistic that the page shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from voxplain.aggregate.cohort import (
    Cohort,
    Compositions,
    Matrix,
    RadiusCurves,
    Summary,
    Tree,
    between_targets,
    cluster,
    compose,
    graph,
    outliers,
    radius_curves,
    summarise,
)
from voxplain.aggregate.cohort.expected import VOLUME, expected, sizes
from voxplain.aggregate.cohort.inventory import Inventory
from voxplain.aggregate.tables.make import DISTANCE
from voxplain.errors import InputError
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.filling.compared import with_metadata
from voxplain.report.cohort.filling.shells import edges_of
from voxplain.report.cohort.page import Lens
from voxplain.report.cohort.shown.words import listed

T = TypeVar("T")


def lens(cohort: Cohort, known: Inventory, method: str, partition: str, asked: Asked) -> Lens:
    """Run all statistics of one method over one partition.

    Raises:
        InputError: the table has no shares of it, or shares that are none.
    """
    mass = cohort.matrix("mass", model=known.model, method=method, partition=partition)
    counts = sizes(cohort, known, method, partition)
    nulls = expected(cohort, mass)
    notes = [*nulls.notes, *_without(mass)]
    beaten = nulls.against(mass, level=asked.level)
    parts = _or_note(lambda: compose(mass), notes, "no log-ratios, outliers, clusters or group comparison")
    tree = _tree(parts, notes)
    volume = nulls.nulls.get(VOLUME)
    density = None if volume is None else mass.holding(mass.values / volume.values, "density")
    ratios = _ratios(mass, parts, volume)
    left = tuple(n for n in asked.leave_out if n in {*mass.targets, *mass.regions})
    tested = beaten is not None and not beaten.note
    made = Lens(
        method=method,
        partition=partition,
        mass=mass,
        shares=_summary(mass, asked),
        ratios=ratios,
        levels=_summary(ratios, asked),
        density=density,
        densities=None if density is None else _summary(density, asked),
        expected=nulls,
        beaten=beaten,
        graph=graph(
            mass, beaten=beaten if tested else None, by=None if tested else density, tree=tree, leave_out=left
        ),
        tree=tree,
        outliers=None if parts is None else outliers(parts, mass),
        left_out=left,
    )
    made = with_metadata(made, cohort, counts, asked, notes)
    return replace(_with_radius(made, cohort, known, notes), notes=tuple(notes))


def _without(mass: Matrix) -> list[str]:
    """Cases that were not divided so, such as those without a ground truth."""
    cases = [c for c, divided in zip(mass.cases, mass.divided, strict=True) if not divided]
    if not cases:
        return []
    return [
        f"{len(cases)} of {len(mass.cases)} cases have no row of {mass.partition} regions: {listed(cases, 6)}"
    ]


def _summary(matrix: Matrix, asked: Asked) -> Summary:
    return summarise(matrix, resamples=asked.resamples, seed=asked.seed)


def _ratios(mass: Matrix, parts: Compositions | None, volume: Matrix | None) -> Matrix:
    """log₂ of density, or of shares. Shares of 0 are replaced as compositions do: no case is lost to a logarithm."""
    shares = mass.values if parts is None else parts.shares
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log2(shares if volume is None else shares / volume.values)
    finite = np.where(np.isfinite(found), found, np.nan)
    return mass.holding(finite, "log₂ share" if volume is None else "log₂ density")


def _tree(parts: Compositions | None, notes: list[str]) -> Tree | None:
    if parts is None:
        return None
    between = between_targets(parts)
    return _or_note(lambda: cluster(between.values, between.names), notes, "no dendrogram")


def _with_radius(made: Lens, cohort: Cohort, known: Inventory, notes: list[str]) -> Lens:
    if not known.has(made.method, DISTANCE, "mass"):
        notes.append("no context radius: the tables have no shells around the targets")
        return made
    shells = cohort.matrix("mass", model=known.model, method=made.method, partition=DISTANCE)
    edges = edges_of(shells.regions)

    def curves() -> RadiusCurves:
        return radius_curves(shells, edges=edges.outer)

    found = _or_note(curves, notes, "no context radius")
    return replace(made, radius=found, unit=edges.unit, open_end=edges.open_end)


def _or_note(run: Callable[[], T], notes: list[str], what: str) -> T | None:
    """What it answers; where it cannot, a note says why."""
    try:
        return run()
    except InputError as problem:
        notes.append(f"{what}: {problem}")
        return None
