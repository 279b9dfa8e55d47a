"""What a warp does to the volume of each region of an atlas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxplain.case import Geometry
from voxplain.errors import GeometryError, InputError

_MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class RegionChange:
    """A region before and after.

    Args:
        label: its value in the atlas.
        name: what it is called.
        before: its volume in `unit`.
        after: the volume that its tissue has after the warp.
        unit: ``"ml"``, of slices ``"mm²"``.
        folded: per cent of its voxels where the map folds space; then `after` means nothing.
    """

    label: int
    name: str
    before: float
    after: float
    unit: str
    folded: float

    @property
    def change(self) -> float:
        """After minus before, in `unit`."""
        return self.after - self.before

    @property
    def percent(self) -> float:
        """Change in per cent of before."""
        return 100 * self.change / self.before


def told_apart(names: Mapping[int, str]) -> dict[int, str]:
    """Names of labels, with the label behind a name that another one has, or that is another one's number.

    >>> told_apart({17: "hippocampus", 53: "hippocampus", 4: "ventricle", 2: "1"})
    {17: 'hippocampus (17)', 53: 'hippocampus (53)', 4: 'ventricle', 2: '1 (2)'}
    """
    counts = Counter(names.values())
    return {
        label: f"{name} ({label})" if counts[name] > 1 or (name.isdecimal() and int(name) != label) else name
        for label, name in names.items()
    }


def volume_changes(
    determinant: npt.NDArray[np.floating],
    label: npt.NDArray[np.integer],
    geometry: Geometry,
    names: Mapping[int, str] | None = None,
) -> tuple[RegionChange, ...]:
    """The volume of every label but 0, before and after: the sum of the forward map's Jacobian over its voxels.

    Args:
        determinant: (*S) of the forward map, on the grid of the image before the warp; see `jacobian`.
        label: (*S) of the atlas on the same grid.
        geometry: of that grid.
        names: of labels; others are called by their number. Labels of one name stay apart, see `told_apart`.

    Raises:
        GeometryError: arrays of other shapes than the grid's.
        InputError: an atlas without any region.

    >>> grid = Geometry(np.diag([2.0, 2.0, 2.5, 1.0]), (10, 10, 10))
    >>> region = np.ones(grid.shape, int)
    >>> (found,) = volume_changes(np.full(grid.shape, 0.9), region, grid, {1: "hippocampus"})
    >>> found.name, round(found.before, 3), round(found.change, 3), round(found.percent, 3), found.unit
    ('hippocampus', 10.0, -1.0, -10.0, 'ml')
    """
    if determinant.shape != geometry.shape or label.shape != geometry.shape:
        raise GeometryError(
            f"atlas: found labels {label.shape} and a Jacobian {determinant.shape} on the grid {geometry.shape}, "
            "expected one shape"
        )
    solid = geometry.ndim == 3
    unit, size = ("ml", geometry.voxel_volume / _MM3_PER_ML) if solid else ("mm²", geometry.voxel_volume)
    values, index = np.unique(label, return_inverse=True)
    flat, region = determinant.astype(np.float64).ravel(), index.ravel()
    count = np.bincount(region)
    total = np.bincount(region, flat)
    folded = np.bincount(region, flat <= 0)
    known = told_apart(names or {})
    out = tuple(
        RegionChange(
            int(v), known.get(int(v), str(int(v))), float(n * size), float(t * size), unit, float(100 * f / n)
        )
        for v, n, t, f in zip(values, count, total, folded, strict=True)
        if v != 0
    )
    if not out:
        raise InputError("atlas: found label 0 only, expected at least one region")
    return out
