"""How far from a target's own region an attribution lies: shells of equal distance around it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from torch import Tensor

from voxplain.engine import Problem
from voxplain.errors import InputError, StorageError

Bins = NDArray[np.uint16]
# a distance that rounding puts just beyond an edge lies on it
ROUNDING = 1e-9
# voxels whose distances are computed at once
AT_ONCE = 1 << 21


@dataclass(frozen=True)
class Shells:
    """Distances around a target's region, cut into shells.

    Distances are Euclidean, in mm (voxels or pixels where the case has no spacing), from a voxel's centre to the nearest
    centre in the region that the target sums its score over; 0 inside. A shell holds what lies beyond its inner edge, up to
    and with its outer one.

    Args:
        edges: outer edges of the shells but the last, which has none.
        resolution: width of the finer shells from which radii are read; the prepared grid's smallest spacing by default.
        shares: of the absolute attribution, for each of which the radius is told within which that share lies.
    """

    edges: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0, 80.0)
    resolution: float | None = None
    shares: tuple[float, ...] = (0.5, 0.9)

    def __post_init__(self) -> None:
        bounds = (0.0, *self.edges)
        if not self.edges or not np.isfinite(bounds).all() or any(b <= a for a, b in pairwise(bounds)):
            raise InputError(
                f"shells: found edges={self.edges}, expected ascending distances above 0, such as (5, 10, 20)"
            )
        if self.resolution is not None and not 0 < self.resolution < np.inf:
            raise InputError(f"shells: found resolution={self.resolution}, expected a positive length")
        if not self.shares or not all(0 < s < 1 for s in self.shares):
            raise InputError(f"shells: found shares={self.shares}, expected shares between 0 and 1")

    def names(self, unit: str = "mm") -> tuple[str, ...]:
        """Of the shells, from the inside out.

        >>> Shells(edges=(5, 10)).names()
        ('inside', '0-5 mm', '5-10 mm', '>10 mm')
        """
        between = [f"{a:g}-{b:g} {unit}" for a, b in pairwise((0.0, *self.edges))]
        return ("inside", *between, f">{self.edges[-1]:g} {unit}")

    @property
    def radii(self) -> tuple[str, ...]:
        """Names of the radii, one per share.

        >>> Shells().radii
        ('r50', 'r90')
        """
        return tuple(f"r{100 * share:g}" for share in self.shares)


class DistancesFromTargets:
    """Every present target's distances as numbers of fine shells; one target's are made at a time, when first asked for.

    They lie in scratch files, two bytes per voxel, unless all of them fit into the limit.

    Args:
        limit: bytes that they may take in memory together.

    Attributes:
        edges: (n − 1) outer edges of the fine shells but the first, which is inside. The last holds all that is left.

    Raises:
        InputError: a target without a region, as of a classifier, or shells too fine to be counted.
    """

    def __init__(self, problem: Problem, shells: Shells, *, limit: int) -> None:
        self.problem, self.shells = problem, shells
        self.spacing = problem.prepared.spacing
        for target in problem.targets:
            if target.functional is not None and target.region is None:
                raise InputError(
                    f"shells: target {target.name!r} of a classifier has no region to measure from; leave out the shells"
                )
        self.edges = _fine_edges(shells, self.spacing, problem.spatial_shape)
        self.in_memory = 2 * problem.image[0].numel() * len(problem.present) <= limit
        self._held: dict[int, Bins] = {}
        self._files: dict[int, Path] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._counts: dict[int, NDArray[np.int64]] = {}

    @property
    def count(self) -> int:
        """Number n of fine shells."""
        return len(self.edges) + 1

    @property
    def unit(self) -> str:
        """Of distances."""
        return "px" if self.problem.prepared.geometry is None else "mm"

    def bins(self, target: int) -> Bins:
        """(*spatial) number of each voxel's fine shell."""
        if target in self._files:
            return np.memmap(self._files[target], dtype=np.uint16, mode="r", shape=self.problem.spatial_shape)
        if target not in self._held:
            self._make(target)
            return self.bins(target)
        return self._held[target]

    def counts(self, target: int) -> NDArray[np.int64]:
        """(n,) voxels of each fine shell."""
        if target not in self._counts:
            self._make(target)
        return self._counts[target]

    def crossed(self, target: int, labels: NDArray[np.integer], regions: int) -> NDArray[np.int64]:
        """(regions, n) voxels of each region, numbered by (*spatial) labels, in each fine shell."""
        bins, out = self.bins(target), np.zeros(regions * self.count, dtype=np.int64)
        planes = max(AT_ONCE // max(bins[0].size, 1), 1)
        for start in range(0, len(bins), planes):
            part = slice(start, start + planes)
            code = labels[part].astype(np.int64) * self.count + bins[part]
            out += np.bincount(code.ravel(), minlength=len(out))
        return out.reshape(regions, self.count)

    def coarse(self, fine: NDArray[Any]) -> NDArray[Any]:
        """Sums over the shells (..., n) -> (..., S)."""
        inner = np.array((0.0, *self.shells.edges)) * (1 + 2 * ROUNDING)
        starts = np.searchsorted(self.edges, inner, side="right") + 1
        return np.add.reduceat(fine, [0, *starts], axis=-1)

    def radius(self, absolute: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance within which each share of the sums (..., n) lies: (..., shares); NaN where they are zero or not finite.

        Within a fine shell the sum is taken to grow evenly; 0 where the region itself holds the share.
        """
        outer = np.concatenate([[0.0], self.edges])
        rows = np.cumsum(absolute.reshape(-1, self.count), axis=1)
        found = [[_reached(row, outer, share) for share in self.shells.shares] for row in rows]
        return np.array(found).reshape(*absolute.shape[:-1], len(self.shells.shares))

    def _make(self, target: int) -> None:
        region = self.problem.targets[target].region
        assert region is not None
        everywhere = tuple(slice(0, n) for n in self.problem.spatial_shape)
        found = _binned(region.crop(everywhere), self.spacing, self.edges)
        self._counts[target] = np.bincount(found.ravel(), minlength=self.count)
        if self.in_memory:
            self._held[target] = found
        else:
            self._files[target] = self._write(target, found)

    def _write(self, target: int, found: Bins) -> Path:
        place = self.problem.scratch or Path(tempfile.gettempdir())
        try:
            if self._folder is None:
                place.mkdir(parents=True, exist_ok=True)
                self._folder = tempfile.TemporaryDirectory(prefix="voxplain-distances-", dir=place)
            path = Path(self._folder.name) / f"{target}.raw"
            with path.open("wb") as file:
                file.write(found.data.cast("B"))
        except OSError as error:
            raise StorageError(
                f"scratch space {place}: cannot write distances ({error.strerror or error}); "
                "free some disk or point `scratch` to another folder"
            ) from error
        return path


def _fine_edges(shells: Shells, spacing: tuple[float, ...], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Multiples of the resolution and the shells' own edges, up to the image's diagonal and beyond the last shell."""
    step = shells.resolution or min(spacing)
    diagonal = float(np.linalg.norm([n * s for n, s in zip(shape, spacing, strict=True)]))
    # one shell at least beyond the last edge
    number = int(np.ceil(max(diagonal, shells.edges[-1]) / step)) + 1
    if number + len(shells.edges) >= np.iinfo(np.uint16).max:
        raise InputError(f"shells: found resolution={step:g}, expected at least {diagonal / 60_000:.3g}")
    edges = sorted({*(step * np.arange(1, number + 1)).tolist(), *map(float, shells.edges)})
    kept = [edges[0]]
    for edge in edges[1:]:
        # two that differ by rounding are one
        if edge - kept[-1] > ROUNDING * edge:
            kept.append(edge)
    return np.array(kept)


def _reached(below: NDArray[np.float64], outer: NDArray[np.float64], share: float) -> float:
    """Where cumulative sums (n,) reach a share of the last."""
    wanted = share * below[-1]
    if not 0 < wanted < np.inf:
        return float("nan")
    k = int(np.searchsorted(below, wanted))
    if k == 0:
        return 0.0
    part = (wanted - below[k - 1]) / (below[k] - below[k - 1])
    return float(outer[k - 1] + part * (outer[k] - outer[k - 1]))


def _binned(inside: Tensor, spacing: tuple[float, ...], edges: NDArray[np.float64]) -> Bins:
    """Numbers of the fine shells, a few planes at a time: distances themselves would take four times the memory."""
    outside = ~inside.numpy()
    out = np.zeros(outside.shape, dtype=np.uint16)
    # of the nearest voxel inside, (axes, *spatial)
    nearest = scipy.ndimage.distance_transform_edt(
        outside, sampling=spacing, return_distances=False, return_indices=True
    )
    planes = max(AT_ONCE // max(outside[0].size, 1), 1)
    limits = edges * (1 + ROUNDING)
    for start in range(0, len(outside), planes):
        part = slice(start, start + planes)
        own = np.ogrid[tuple(slice(0, n) for n in outside.shape)]
        squared = np.zeros(outside[part].shape)
        for axis, size in enumerate(spacing):
            here = own[axis][part] if axis == 0 else own[axis]
            squared += ((nearest[axis][part] - here) * size) ** 2
        distance = np.sqrt(squared, out=squared)
        found = np.searchsorted(limits, distance).clip(max=len(edges) - 1) + 1
        out[part] = np.where(distance > 0, found, 0)
    return out
