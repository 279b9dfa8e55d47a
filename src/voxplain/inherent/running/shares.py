"""Contributions on the image's own grid, where they must still add up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from voxplain.model import Prepared


def shares_on_grid(contribution: Tensor, prepared: Prepared) -> NDArray[np.float32]:
    """What each voxel of the image adds to each logit, (K, *case spatial).

    Where the network's grid is the image's, turned or cropped, they are the network's own. Where it was resampled, what
    speaks for a class and what speaks against it are spread out apart from each other, and each keeps its sum over the
    image: a voxel of another size holds another share. What lies in padding is on no voxel of the image, and is left out.

    Args:
        contribution: (K, *S) on the prepared grid.
        prepared: the grid's place in the image.
    """
    own = within_image(contribution, prepared)
    return (_spread(own.clamp_min(0), prepared) + _spread(own.clamp_max(0), prepared)).astype(np.float32)


def within_image(contribution: Tensor, prepared: Prepared) -> Tensor:
    """Contributions (K, *S) with zero where the network saw padding."""
    inside = prepared.bring(np.ones(prepared.case.spatial_shape, dtype=np.bool_))
    return contribution * inside.to(contribution)


def _spread(part: Tensor, prepared: Prepared) -> NDArray[np.float64]:
    """Of one sign: restored, with its sum class by class."""
    restored = prepared.restore(part).astype(np.float64)
    wanted = part.double().flatten(1).sum(1).numpy()
    found = restored.reshape(len(part), -1).sum(1)
    # rounding of a grid that was not resampled is no reason to change every voxel
    alike = np.isclose(found, wanted, rtol=1e-6, atol=0)
    factor = np.where(alike | (found == 0), 1.0, wanted / np.where(found == 0, 1.0, found))
    return np.asarray(restored * factor.reshape(-1, *(1,) * (restored.ndim - 1)))
