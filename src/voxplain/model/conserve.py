"""Shares of a whole on another voxel grid: what a voxel held is divided among the voxels that it covers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from voxplain.model.resample import axes_of


def conserved(values: Tensor, matrix: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """Each voxel's value divided among the voxels of another grid by the volume that they share; sums are kept.

    A voxel that reaches beyond the other grid gives all to the part that does not; one whose centre lies outside is left
    out. Grids that are turned against each other pass each value to the voxel that holds its centre.

    Args:
        values: (C, *in) with D spatial axes.
        matrix: (D + 1, D + 1), maps a voxel index of ``values`` to one of the other grid.
        shape: spatial shape of the other grid.

    Returns:
        (C, *shape), of the type of ``values``.

    >>> third = np.array([[1 / 3, -1 / 3], [0.0, 1.0]])
    >>> conserved(torch.tensor([[1.0, 2.0, 4.0, 8.0, 0.0, 0.0]]), third, (2,))
    tensor([[7., 8.]])
    """
    size = tuple(values.shape[1:])
    axes = axes_of(matrix, size)
    if axes is None:
        return _by_centres(values, matrix, shape)
    out = values
    for own, other in enumerate(axes):
        weights = _overlaps(matrix[other, own], matrix[other, -1], size[own], shape[other])
        out = (out.movedim(own + 1, -1) @ torch.from_numpy(weights).to(values)).movedim(-1, own + 1)
    order = np.argsort(axes)
    return out.permute(0, *(int(own) + 1 for own in order)).contiguous()


def _overlaps(step: float, start: float, count: int, other: int) -> np.ndarray:
    """(count, other): the share of each voxel's edge that lies in each of the other grid's; rows add up to 1, or to 0."""
    centre = start + step * np.arange(count)
    half = abs(step) / 2
    faces = np.arange(other + 1) - 0.5
    low, high = (np.clip(centre[:, None] + s * half, faces[:-1], faces[1:]) for s in (-1, 1))
    found = high - low
    # rounding noise of faces that lie on each other is no overlap
    found[found < 1e-4 * min(1.0, 2 * half)] = 0
    found[(centre < -0.5 - 1e-4) | (centre > other - 0.5 + 1e-4)] = 0
    total = found.sum(1, keepdims=True)
    return np.asarray(found / np.where(total > 0, total, 1))


def _by_centres(values: Tensor, matrix: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    grid = np.stack(np.meshgrid(*[np.arange(n) for n in values.shape[1:]], indexing="ij"))
    at = np.tensordot(matrix[:-1, :-1], grid, axes=1) + matrix[:-1, -1].reshape(-1, *[1] * len(shape))
    near = np.floor(at + 0.5 + 1e-6).astype(np.int64).reshape(len(shape), -1)
    inside = np.all((near >= 0) & (near < np.reshape(shape, (-1, 1))), axis=0)
    index = torch.from_numpy(np.ravel_multi_index(tuple(near[:, inside]), shape)).to(values.device)
    out = values.new_zeros(len(values), int(np.prod(shape)))
    out.index_add_(1, index, values.flatten(1)[:, torch.from_numpy(inside).to(values.device)])
    return out.reshape(len(values), *shape)
