"""What lies around a region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from voxplain.target.region import Region, Slices

Mask = NDArray[np.bool_]
# Of the finest axis: wide enough for quantiles of thin surroundings, narrow enough to be near.
WIDTH_VOXELS = 3.0


@dataclass(frozen=True, eq=False)
class Surroundings:
    """A region and the shell of voxels outside it that are near.

    Attributes:
        box: slices of the image that hold both, and the shell's neighbours.
        member: (*box) the region.
        shell: (*box) voxels outside it whose centre is within the width of one of its voxels' centres.
    """

    box: Slices
    member: Mask
    shell: Mask


def surroundings(
    region: Region, shape: tuple[int, ...], spacing: Sequence[float], width: float | None = None
) -> Surroundings:
    """A region's surroundings on an image of this shape.

    Args:
        width: of the shell in mm (voxels where the spacing is unknown); 3 voxels of the finest axis by default, and one
            voxel along every axis at least.
    """
    reach = WIDTH_VOXELS * min(spacing) if width is None else width
    # one more, so that the shell's voxels have their neighbours
    margin = [max(int(reach / s + 1e-3), 1) + 1 for s in spacing]
    box = tuple(
        slice(max(b.start - m, 0), min(b.stop + m, n))
        for b, m, n in zip(region.bounds, margin, shape, strict=True)
    )
    member = region.crop(box).numpy()
    near = scipy.ndimage.distance_transform_edt(~member, sampling=tuple(spacing)) <= reach * (1 + 1e-6)
    near |= scipy.ndimage.binary_dilation(member)
    return Surroundings(box, member, near & ~member)
