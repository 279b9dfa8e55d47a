"""One displacement after another, and back."""

from __future__ import annotations

import torch
from torch import Tensor

from voxplain.simulator.field.warp import warp


def compose(first: Tensor, then: Tensor) -> Tensor:
    """The displacement of going along one field and then along another: p -> q = p + u(p) -> q + w(q).

    Composing and warping once beats warping twice: the image is interpolated once.

    Args:
        first: u, (N, D, *S) in voxels.
        then: w, (N, D, *S) in voxels.
    """
    return first + warp(then, first)


def invert(displacement: Tensor, *, iterations: int = 50, tolerance: float = 1e-3) -> Tensor:
    """The displacement that undoes another one, by fixed-point iteration: w(p) = -u(p + w(p)).

    Chen et al. 2008, doi:10.1118/1.2816107. It converges where u changes by less than one voxel per voxel; where u folds
    space there is no inverse, which `inverse_error` tells. A velocity field needs none of it: `exponential(v, -1)`.

    Args:
        displacement: (N, D, *S) in voxels.
        iterations: at most.
        tolerance: voxels; enough once no voxel moves further in one iteration.

    Returns:
        (N, D, *S) in voxels; differentiable through the iterations.
    """
    back = -displacement
    for _ in range(iterations):
        nearer = -warp(displacement, back)
        moved = float((nearer - back).detach().abs().amax())
        back = nearer
        if moved <= tolerance:
            break
    return back


def inverse_error(there: Tensor, back: Tensor) -> Tensor:
    """How far from its start each voxel ends after going there and back, (N, 1, *S) in voxels; 0 for exact inverses."""
    far: Tensor = torch.linalg.vector_norm(compose(there, back), dim=1, keepdim=True)
    return far
