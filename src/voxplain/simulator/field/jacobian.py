"""How much a map enlarges space at each voxel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxplain.errors import InputError
from voxplain.simulator.field.warp import require_field

# A determinant below it has no logarithm worth showing: volume lost to a hundred-thousandth, or space folded.
_LEAST = 1e-5


def jacobian(displacement: Tensor, spacing: Sequence[float] | None = None) -> Tensor:
    """Determinant of the Jacobian of p -> p + u(p), by central differences (one-sided at the border).

    Of the **forward** map, which takes tissue to where it goes, it is what volume becomes: 1.1 means a tenth more. Of the
    field that an image is warped with (`warp` looks up backwards) it is the reverse: an enlarged structure has less than
    one there. So give the forward map, `exponential(v)` or `invert(u)`.

    Args:
        displacement: (N, D, *S) of the map, in voxels; in mm along the voxel axes where a spacing is given.
        spacing: distance of neighbouring voxels in mm along each axis. A displacement in voxels needs none: lengths cancel.

    Returns:
        (N, 1, *S), without unit; 1 is no change, at most 0 is folded. Differentiable.

    Raises:
        InputError: a field of the wrong shape, a spacing that does not fit.

    >>> twice = torch.arange(4.0).reshape(1, 1, 4, 1).expand(1, 1, 4, 4)
    >>> jacobian(torch.cat([twice, 0 * twice], 1))[0, 0, 1, 1].item()
    2.0
    """
    dims = require_field(displacement, "displacement")
    steps = [1.0] * dims if spacing is None else [float(s) for s in spacing]
    if len(steps) != dims or min(steps) <= 0:
        raise InputError(f"spacing: found {spacing}, expected {dims} positive distances in mm")
    if min(displacement.shape[2:]) < 2:
        raise InputError(
            f"displacement: found the grid {tuple(displacement.shape[2:])}, expected at least 2 voxels along each axis"
        )
    columns = torch.gradient(displacement, spacing=steps, dim=list(range(2, 2 + dims)))
    matrix = torch.stack(columns, -1).movedim(1, -2)  # (N, *S, component, axis)
    there = matrix + torch.eye(dims, dtype=matrix.dtype, device=matrix.device)
    determinant: Tensor = torch.linalg.det(there)
    return determinant[:, None]


def log_jacobian(determinant: Tensor) -> Tensor:
    """Natural logarithm of a Jacobian determinant: 0 is no change, doubling and halving lie as far from it.

    Folded voxels, which have none, get that of 1e-5; `folded_percentage` counts them.
    """
    return determinant.clamp_min(_LEAST).log()


def folded_percentage(determinant: Tensor) -> Tensor:
    """(N,) share of voxels, in per cent, where space is folded or gone (determinant at most 0); NaN where a determinant is.

    >>> folded_percentage(torch.tensor([[[1.0, -1.0]], [[1.0, float("nan")]]])).tolist()
    [50.0, nan]
    """
    values = determinant.flatten(1)
    return (100 * (values <= 0).float().mean(1)).masked_fill(values.isnan().any(1), float("nan"))
