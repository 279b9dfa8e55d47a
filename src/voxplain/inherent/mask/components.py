"""Connected parts of a mask: lesions, with their sizes in millimetres, and those that are too small to keep."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Spacing

Connectivity = Literal["face", "corner"]
_MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Lesion:
    """One connected part.

    Attributes:
        number: 1 for the one with the largest score, and so on; where scores tie, the larger one, then the earlier one.
        voxels: how many it has.
        size: mm² or mm³; voxels where the spacing is not known.
        score: its largest score: the confidence that FROC goes by; NaN without a score map.
        centre: mean voxel index, one per axis.
        box: (first, last + 1) per axis.
        where: flat indices of its voxels, ascending.
    """

    number: int
    voxels: int
    size: float
    score: float
    centre: tuple[float, ...]
    box: tuple[tuple[int, int], ...]
    where: NDArray[np.int64]

    def row(self) -> dict[str, Any]:
        """What a table shows of it."""
        centre = {f"centre_{a}": c for a, c in enumerate(self.centre)}
        return {
            "lesion": self.number,
            "voxels": self.voxels,
            "size": self.size,
            "score": self.score,
            **centre,
        }


@dataclass(frozen=True)
class Components:
    """Which connected parts of a mask stay. Every bound that is given must be met.

    Args:
        keep: "all", or "largest", the one with most voxels of those that meet the bounds (the earliest where they tie).
        at_least_voxels: fewer are dropped.
        at_least_ml: smaller ones are dropped; volumes of known spacing only.
        at_least_mm2: smaller ones are dropped; slices of known spacing only.
        at_least_share: as `HealthyQuantile(spared=…)`: those with no more than this share of the case's voxels are
            dropped; a share of the image, not of the mask.
        connectivity: "face" (4 or 6 neighbours) or "corner" (8 or 26).

    Raises:
        InputError: a bound that is negative, or, when called, that does not fit the number of axes or the spacing.
    """

    keep: Literal["all", "largest"] = "all"
    at_least_voxels: int = 1
    at_least_ml: float = 0.0
    at_least_mm2: float = 0.0
    at_least_share: float = 0.0
    connectivity: Connectivity = "face"

    def __post_init__(self) -> None:
        if self.keep not in ("all", "largest"):
            raise InputError(f"keep: found {self.keep!r}, expected all or largest")
        for name in ("at_least_voxels", "at_least_ml", "at_least_mm2", "at_least_share"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"{name}: found {getattr(self, name)}, expected a number of at least 0")

    def __call__(self, mask: Bools, spacing: Spacing | None = None) -> Bools:
        """The mask (*S) without the parts that do not stay."""
        least = self._least(mask, spacing)
        labels, count = labelled(mask, self.connectivity)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)
        stays = sizes >= least
        stays[0] = False
        if self.keep == "largest" and stays.any():
            stays &= np.arange(count + 1) == np.where(stays, sizes, -1).argmax()
        return np.asarray(stays[labels])

    def _least(self, mask: Bools, spacing: Spacing | None) -> float:
        """Voxels that a part needs to stay."""
        bounds: list[float] = [self.at_least_voxels, math.floor(self.at_least_share * mask.size + 1e-9)]
        bounds[1] += self.at_least_share > 0  # more than what is spared
        for name, dims, unit in (("at_least_ml", 3, _MM3_PER_ML), ("at_least_mm2", 2, 1.0)):
            asked = getattr(self, name)
            if not asked:
                continue
            if mask.ndim != dims or spacing is None:
                known = f"a spacing of {spacing}" if spacing else "no spacing"
                raise InputError(
                    f"{name}: found {mask.ndim} axes and {known}, expected {dims} axes and their spacing"
                )
            bounds.append(asked * unit / math.prod(spacing) - 1e-9)
        return max(bounds)


def labelled(mask: Bools, connectivity: Connectivity = "face") -> tuple[NDArray[np.int32], int]:
    """Each part's number from 1 (*S), 0 outside; and how many parts there are.

    Raises:
        InputError: another connectivity.
    """
    from scipy import ndimage

    if connectivity not in ("face", "corner"):
        raise InputError(f"connectivity: found {connectivity!r}, expected face or corner")
    structure = ndimage.generate_binary_structure(mask.ndim, 1 if connectivity == "face" else mask.ndim)
    labels, count = ndimage.label(mask, structure=structure)
    return np.asarray(labels, dtype=np.int32), int(count)


def lesions(
    mask: Bools,
    score: Floats | None = None,
    spacing: Spacing | None = None,
    connectivity: Connectivity = "face",
) -> list[Lesion]:
    """The connected parts of a mask (*S), the most confident first.

    Raises:
        InputError: a score map of another shape.
    """
    if score is not None and score.shape != mask.shape:
        raise InputError(f"score: found shape {score.shape}, expected the mask's {mask.shape}")
    labels, count = labelled(mask, connectivity)
    flat = labels.ravel()
    order = np.argsort(flat, kind="stable")  # voxels of a part lie together, ascending
    ends = np.cumsum(np.bincount(flat, minlength=count + 1))
    parts = [order[ends[k - 1] : ends[k]] for k in range(1, count + 1)]
    known = np.zeros(mask.size) if score is None else score.ravel()
    heights = [float(known[w].max()) for w in parts]
    ranked = sorted(range(count), key=lambda k: (-heights[k], -len(parts[k]), k))
    confidence = [float("nan")] * count if score is None else heights
    return [_lesion(n, parts[k], confidence[k], mask.shape, spacing) for n, k in enumerate(ranked, start=1)]


def _lesion(
    number: int, where: NDArray[np.int64], score: float, shape: tuple[int, ...], spacing: Spacing | None
) -> Lesion:
    index = np.unravel_index(where, shape)
    return Lesion(
        number,
        len(where),
        len(where) * (math.prod(spacing) if spacing else 1.0),
        score,
        tuple(float(i.mean()) for i in index),
        tuple((int(i.min()), int(i.max()) + 1) for i in index),
        where,
    )
