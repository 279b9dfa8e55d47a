"""Where an edit may happen: by itself, where a first one without bounds changes most."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from voxplain.errors import InputError


def changed_most(difference: Tensor, *, share: float = 0.1, margin: int = 1) -> Tensor:
    """The share of voxels that change most, and what lies beside them (ACE, Jeanneret et al., CVPR 2023).

    Args:
        difference: (C, *S).
        share: of all voxels, before the margin.
        margin: voxels by which they grow, diagonals too.

    Returns:
        (1, *S) bool.

    Raises:
        InputError: a share that is none.

    >>> changed_most(torch.tensor([[[0.0, 3, 1, 0, 0, 0]]]), share=1 / 6, margin=1).int().tolist()
    [[[1, 1, 1, 0, 0, 0]]]
    """
    if not 0 < share <= 1 or margin < 0:
        raise InputError(
            f"share, margin: found {share}, {margin}, expected a share of the voxels, and voxels from 0 on"
        )
    size = difference.abs().amax(0)
    count = max(1, round(share * size.numel()))
    chosen = torch.zeros(size.numel(), device=size.device)
    chosen[size.flatten().argsort(descending=True, stable=True)[:count]] = 1
    grown = chosen.reshape(1, 1, *size.shape)
    if margin:
        grow = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[size.ndim]
        grown = grow(grown, 2 * margin + 1, stride=1, padding=margin)
    return grown[0] > 0
