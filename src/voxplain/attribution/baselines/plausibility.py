"""Whether what stands for an absent region could be part of this image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxplain.attribution.baselines.surroundings import Surroundings, surroundings
from voxplain.engine import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxplain.target.region import Region

Volume = NDArray[np.float64]
# An in-fill of noisy tissue leaves about 2 % beyond these by itself, and far more where few voxels tell the quantiles.
QUANTILES = (0.01, 0.99)
FOREIGN = 0.5
JUMP = 2.0


@dataclass(frozen=True, eq=False)
class Plausibility:
    """A baseline's fit to what is near each region; of several channels the worst. NaN where nothing is near.

    Attributes:
        regions: (R) names.
        foreign: (R,) share of the filled voxels beyond the 1 % and 99 % quantiles of the surroundings in the clean image.
        jump: (R,) mean difference across the region's border, filled inside and clean outside, relative to the clean
            image's own difference across it.
    """

    regions: tuple[str, ...]
    foreign: Tensor
    jump: Tensor

    @property
    def implausible(self) -> tuple[str, ...]:
        """Regions of which more than half is foreign, or whose border jumps by more than twice its own."""
        bad = (self.foreign > FOREIGN) | (self.jump > JUMP)
        return tuple(name for name, flag in zip(self.regions, bad.tolist(), strict=True) if flag)

    @property
    def warning(self) -> str:
        """One line; empty where all is plausible."""
        bad = self.implausible
        if not bad:
            return ""
        worst = max(bad, key=self._of)
        foreign, jump = self._of(worst)
        shown = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        return (
            f"implausible in {len(bad)} of {len(self.regions)} regions ({shown}): in {worst} {foreign:.0%} lies outside the "
            f"range of what surrounds it, and the border jumps {jump:.1f} times as much as the image's own; effects of such "
            "an image are partly effects of the foreign values"
        )

    def _of(self, name: str) -> tuple[float, float]:
        r = self.regions.index(name)
        return float(self.foreign[r]), float(self.jump[r])


def plausibility(
    problem: Problem,
    parts: Sequence[Region],
    names: Sequence[str],
    baseline: Tensor,
    width: float | None = None,
) -> Plausibility:
    """How a baseline (C, *spatial) fits in, region by region.

    Args:
        parts: R regions; those without a voxel are NaN.
        width: of the surroundings in mm; see `surroundings`.
    """
    foreign = torch.full((len(parts),), torch.nan, dtype=torch.float64)
    jump = foreign.clone()
    for r, part in enumerate(parts):
        if not part.count:
            continue
        around = surroundings(part, problem.spatial_shape, problem.prepared.spacing, width)
        if not around.shell.any():
            continue
        where = (slice(None), *around.box)
        pairs = list(
            zip(problem.image[where].double().numpy(), baseline[where].double().numpy(), strict=True)
        )
        foreign[r] = max(foreign_share(image, fill, around) for image, fill in pairs)
        jump[r] = max(border_jump(image, fill, around.member) for image, fill in pairs)
    return Plausibility(tuple(names), foreign, jump)


def foreign_share(image: Volume, fill: Volume, around: Surroundings) -> float:
    """Share of the filled voxels beyond the quantiles of the surroundings."""
    low, high = np.quantile(image[around.shell], QUANTILES)
    inside = fill[around.member]
    return float(((inside < low) | (inside > high)).mean())


def border_jump(image: Volume, fill: Volume, member: NDArray[np.bool_]) -> float:
    """Mean |filled inside − clean outside| over pairs of neighbours across the border, relative to the clean image's.

    0 where nothing jumps, infinite where only the filled image does.
    """
    filled = clean = 0.0
    for axis in range(image.ndim):
        for inside, outside in (_sides(axis, image.ndim), _sides(axis, image.ndim)[::-1]):
            pair = member[inside] & ~member[outside]
            beyond = image[outside][pair]
            filled += float(np.abs(fill[inside][pair] - beyond).sum())
            clean += float(np.abs(image[inside][pair] - beyond).sum())
    if not filled:
        return 0.0
    return filled / clean if clean else float("inf")


def _sides(axis: int, dims: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices that pair every voxel with its next along an axis."""
    first = tuple(slice(None, -1) if a == axis else slice(None) for a in range(dims))
    second = tuple(slice(1, None) if a == axis else slice(None) for a in range(dims))
    return first, second
