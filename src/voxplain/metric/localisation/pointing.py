"""The pointing game: whether the map's largest voxel lies on the finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy

from voxplain.errors import InputError
from voxplain.metric.localisation.against_mask import PEOPLE, AgainstMask, Inside, Relevance
from voxplain.metric.metric import register


@register
@dataclass(frozen=True, eq=False)
class PointingGame(AgainstMask):
    """1 where the map's maximum lies in the mask or no farther from it than the tolerance, else 0.

    Zhang et al. 2018, section 4.1. Where several voxels share the maximum, the share of them that hit: what a choice
    among them at random would give.

    Args:
        tolerance: largest distance of a voxel's centre from that of the mask's nearest voxel, in millimetres (in voxels
            where the spacing is not known). The paper's 15 pixels are for photographs.
    """

    tolerance: float = 0.0

    name: ClassVar[str] = "pointing_game"
    title: ClassVar[str] = "Pointing game"
    source: ClassVar[str] = "Zhang et al. 2018, arXiv:1608.00507"
    reads: ClassVar[str] = f"1: the map's largest voxel lies on the finding; {PEOPLE}"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.tolerance >= 0 and np.isfinite(self.tolerance)):
            raise InputError(
                f"{self.name}: found tolerance={self.tolerance}, expected a distance of 0 or more"
            )

    def agreement(self, relevance: Relevance, mask: Inside, spacing: tuple[float, ...]) -> float:
        at = relevance == relevance.max()
        return float(_within(mask, self.tolerance, spacing)[at].mean())


def _within(mask: Inside, tolerance: float, spacing: tuple[float, ...]) -> Inside:
    if tolerance == 0:
        return mask
    # spacing comes from headers in single precision: a tolerance of exactly one voxel must reach the neighbour
    reach = tolerance + 1e-3 * min(spacing)
    return np.asarray(scipy.ndimage.distance_transform_edt(~mask, spacing) <= reach)
