"""Random walks from sure voxels decide about those in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from voxplain.errors import InputError
from voxplain.inherent.maps import Bools, Floats, Spacing
from voxplain.inherent.mask.refine import Refinement


@dataclass(frozen=True)
class RandomWalker(Refinement):
    """Random walker (Grady, 2006; scikit-image): a voxel belongs to whom a walk that avoids edges of the image meets first.

    Seeds inside are the highest scores of the mask; seeds outside are voxels farther than ``band`` from it, or, where
    there are none, the farthest ones. In between the walk decides.

    Args:
        sure: share of the mask's voxels, by score, that are seeds, in (0, 1].
        band: mm within which the border may move outward.
        beta: how much an edge of the image stops a walk.
    """

    sure: float = 0.5
    band: float = 5.0
    beta: float = 130.0
    name: ClassVar[str] = "random walker"

    def __post_init__(self) -> None:
        if not 0 < self.sure <= 1:
            raise InputError(f"sure: found {self.sure}, expected a share above 0, at most 1")
        if self.band <= 0 or self.beta <= 0:
            raise InputError(f"band, beta: found {self.band}, {self.beta}, expected positive numbers")

    def refined(self, mask: Bools, score: Floats, threshold: float, image: Floats, spacing: Spacing) -> Bools:
        from skimage.segmentation import random_walker

        seeds = self.seeds(mask, score, spacing)
        if not (seeds == 0).any():
            return np.asarray(seeds == 1)
        # the plain conjugate gradient needs nothing that is not installed; small problems are solved exactly
        mode = "bf" if mask.size < 4096 else "cg_j"
        channels_last = np.moveaxis(_normalised(image), 0, -1)
        found = random_walker(
            channels_last,
            seeds,
            beta=self.beta,
            mode=mode,
            tol=1e-8,
            spacing=np.array(spacing),
            channel_axis=-1,
        )
        return np.asarray(found == 1)

    def seeds(
        self, mask: Bools, score: Floats, spacing: Spacing
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """(*S) 1 inside for sure, 2 outside for sure, 0 undecided."""
        from scipy import ndimage

        distance = ndimage.distance_transform_edt(~mask, sampling=spacing)
        assert isinstance(distance, np.ndarray)
        far = distance > self.band
        if not far.any():
            far = distance == distance.max()
        inside = np.sort(score[mask])
        lowest = inside[len(inside) - max(1, round(self.sure * len(inside)))]
        seeds = np.zeros(mask.shape, dtype=np.int32)
        seeds[mask & (score >= lowest)] = 1
        seeds[far | ~np.isfinite(score)] = 2
        return seeds


def _normalised(image: Floats) -> Floats:
    """Each channel that varies from 0 to 1, so that ``beta`` means the same whatever the units."""
    axes = tuple(range(1, image.ndim))
    low, span = image.min(axis=axes, keepdims=True), np.ptp(image, axis=axes, keepdims=True)
    varied = span.ravel() > 0
    return np.asarray((image[varied] - low[varied]) / span[varied])
