"""How far a target looks: shares summed outwards over shells around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.matrix import Matrix, Numbers, need_finite
from voxplain.aggregate.cohort.robust import quartiles
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError


@dataclass(frozen=True, eq=False)
class RadiusCurves(Told):
    """Cumulative shares per target over the cases that have it.

    Attributes:
        shells: names, from the inside out.
        edges: (shells) outer radius of each, in mm where known, else 1, 2, …; ∞ for an open last one.
        n: (targets) cases.
        curves: (cases, targets, shells) cumulative shares, 1 at the last shell; NaN where the target has none.
        q1, median, q3: (targets, shells) over cases.
        radius: (cases, targets) where the curve reaches ``half``, linear within a shell; ∞ in an open one.
        radius_quartiles: (3, targets) of it over cases.
        half: the share that the radius is of.
    """

    targets: tuple[str, ...]
    shells: tuple[str, ...]
    edges: Numbers
    n: NDArray[np.int64]
    curves: Numbers
    q1: Numbers
    median: Numbers
    q3: Numbers
    radius: Numbers
    radius_quartiles: Numbers
    half: float


def radius_curves(matrix: Matrix, *, edges: Sequence[float] | None = None, half: float = 0.5) -> RadiusCurves:
    """Context radius curves of a matrix over the partition ``distance``.

    Args:
        matrix: mass or absolute sums; regions are the shells from the inside out. A shell without voxels has no share.
        edges: outer radius of each shell, ascending, ∞ for an open last one. By default as the names say ("inside",
            "0-5 mm", ">80 mm"), or 1, 2, … where they say nothing.
        half: share whose radius is told.

    Raises:
        InputError: negative amounts, edges that do not ascend, a share that is none.
    """
    count = len(matrix.regions)
    outer = outer_edges(matrix.regions) if edges is None else np.asarray(edges, dtype=np.float64)
    if outer.shape != (count,) or not (np.diff(outer) > 0).all() or not 0 <= outer[0] < np.inf:
        raise InputError(
            f"edges: found {outer.tolist()}, expected {count} radii in ascending order, one per shell"
        )
    if not 0 < half < 1:
        raise InputError(f"half: found {half}, expected a share between 0 and 1")
    amounts = np.nan_to_num(need_finite(matrix, "radius curves"))
    if (amounts < 0).any():
        raise InputError(
            f"radius curves: found negative values of {matrix.statistic}, expected mass or absolute"
        )
    total = amounts.sum(2)
    curves = np.cumsum(amounts, 2) / np.where(total > 0, total, np.nan)[..., None]
    radius = _reached(curves, outer, half)
    q1, middle, q3 = quartiles(curves)
    n = (~np.isnan(curves[..., 0])).sum(0)
    return RadiusCurves(
        matrix.targets, matrix.regions, outer, n, curves, q1, middle, q3, radius, quartiles(radius), half
    )


def outer_edges(names: Sequence[str]) -> Numbers:
    """Outer radii as names of shells say.

    >>> outer_edges(["inside", "0-2.5 mm", "2.5-5 mm", ">5 mm"])
    array([0. , 2.5, 5. , inf])
    >>> outer_edges(["near", "far"])
    array([1., 2.])
    """
    found = []
    for name in names:
        between = re.fullmatch(r"[\d.]+-([\d.]+)( \w+)?", name)
        found.append(
            0.0
            if name == "inside"
            else np.inf
            if name.startswith(">")
            else float(between[1])
            if between
            else np.nan
        )
    told = np.array(found)
    return told if (np.diff(told) > 0).all() else np.arange(1.0, len(names) + 1)


def _reached(curves: Numbers, outer: Numbers, half: float) -> Numbers:
    """(cases, targets) radii."""
    shell = (curves >= half - 1e-12).argmax(2)
    before = np.concatenate([np.zeros_like(curves[..., :1]), curves], 2)
    radii = np.concatenate([[0.0], outer])
    low = np.take_along_axis(before, shell[..., None], 2)[..., 0]
    high = np.take_along_axis(curves, shell[..., None], 2)[..., 0]
    part = (half - low) / np.where(high > low, high - low, 1.0)
    with np.errstate(invalid="ignore"):
        found = radii[shell] + part * (radii[shell + 1] - radii[shell])
    return np.asarray(np.where(np.isnan(curves[..., 0]), np.nan, found))
