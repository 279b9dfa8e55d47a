"""Moving images along displacement fields."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from voxplain.errors import InputError


def require_field(field: Tensor, name: str = "field") -> int:
    """The number of spatial axes of a field, which has as many components.

    A field of one component would be added to every axis alike by broadcasting, without a word.

    Raises:
        InputError: anything but (N, D, *S) with D = 2 or 3 spatial axes.
    """
    dims = field.ndim - 2
    if dims not in (2, 3) or field.shape[1] != dims:
        raise InputError(
            f"{name}: found the shape {tuple(field.shape)}, expected (N, 2, rows, columns) or (N, 3, i, j, k): "
            "one component per spatial axis"
        )
    return dims


def warp(image: Tensor, displacement: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Look up an image elsewhere: out(p) = image(p + u(p)); beyond the border the border's value is found.

    This pulls: tissue that is seen at p comes from p + u(p). An image whose tissue is to move by m needs the inverse of
    p -> p + m(p); for a velocity field that is `exponential(v, -1)`.

    Args:
        image: (N, C, *S).
        displacement: (N, D, *S) in voxels, of the output's grid.
        mode: ``"bilinear"`` (also for volumes), ``"bicubic"`` (slices only) or ``"nearest"`` for labels.

    Returns:
        (N, C, *S); differentiable with respect to both, except for ``"nearest"``.

    Raises:
        InputError: a field that does not fit the image.

    >>> import torch
    >>> row = torch.arange(4.0).reshape(1, 1, 4, 1).expand(1, 1, 4, 4)
    >>> ahead = torch.zeros(1, 2, 4, 4)
    >>> ahead[:, 0] = 1
    >>> warp(row, ahead)[0, 0, :, 0].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    require_field(displacement, "displacement")
    if image.shape[0] != displacement.shape[0] or image.shape[2:] != displacement.shape[2:]:
        raise InputError(
            f"displacement: found {tuple(displacement.shape)} for an image {tuple(image.shape)}, expected the same "
            "batch and grid"
        )
    moved: Tensor = _quiet(mode)(image, displacement)
    return moved


def _quiet(mode: str) -> Any:
    """MONAI's layer, made anew: it keeps its grid by shape, whatever the device and precision."""
    from monai.networks.blocks import Warp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch's own sampling is used
        return Warp(mode=mode, padding_mode="border")


def identity(displacement: Tensor) -> Tensor:
    """(1, D, *S) voxel indices: where every voxel is, in the field's precision."""
    axes = [
        torch.arange(n, dtype=displacement.dtype, device=displacement.device) for n in displacement.shape[2:]
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None]
