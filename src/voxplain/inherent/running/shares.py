"""Contributions on the image's own grid, where they must still add up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.model import Prepared


def shares_on_grid(contribution: Tensor, prepared: Prepared) -> NDArray[np.float32]:
    """What each voxel of the image adds to each logit, (K, *case spatial).

    Where the network's grid is the image's, turned or cropped, they are the network's own. Where it was resampled, each
    place's share is divided among the voxels that the place covers, so that it stays where it was and nothing is lost. What
    lies in padding is on no voxel of the image, and is left out.

    Args:
        contribution: (K, *S) on the prepared grid.
        prepared: the grid's place in the image.
    """
    return prepared.divide(within_image(contribution, prepared))


def within_image(contribution: Tensor, prepared: Prepared) -> Tensor:
    """Contributions (K, *S) with zero where the network saw padding."""
    inside = prepared.bring(np.ones(prepared.case.spatial_shape, dtype=np.bool_))
    return contribution * inside.to(contribution)
