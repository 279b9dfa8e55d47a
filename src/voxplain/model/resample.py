"""Values of an array on another voxel grid, with one rule for images, maps and masks."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Mode = Literal["linear", "nearest"]
# a voxel's thousandth is far below any interpolation error; coordinates that near an integer are that integer,
# so that flips, axis permutations and crops stay bit-exact
_SAME = 1e-4


def resample(values: Tensor, matrix: np.ndarray, shape: tuple[int, ...], mode: Mode) -> Tensor:
    """Values at the voxels of another grid; zero outside the array's own voxels.

    Between the outermost voxel centres and the voxels' outer faces, the outermost value holds. Onto coarser voxels,
    linear values are averaged over the voxel (grids that are turned against each other are interpolated only).

    Args:
        values: (C, *in) with D spatial axes.
        matrix: (D + 1, D + 1), maps a voxel index of the new grid to one of ``values``.
        shape: spatial shape of the new grid.
        mode: ``"linear"`` for floating-point values, ``"nearest"`` for anything.

    Returns:
        (C, *shape), of the type of ``values``.

    >>> flip = np.array([[-1.0, 2.0], [0.0, 1.0]])
    >>> resample(torch.tensor([[1.0, 2.0, 3.0]]), flip, (4,), "linear")
    tensor([[3., 2., 1., 0.]])
    """
    axes = axes_of(matrix, shape)
    if axes is None:
        return _general(values, matrix, shape, mode)
    out = values
    # along one axis at a time; the ones that shrink first, for speed
    for new, old in sorted(enumerate(axes), key=lambda pair: shape[pair[0]] / values.shape[pair[1] + 1]):
        at = matrix[old, new] * np.arange(shape[new]) + matrix[old, -1]
        out = _along(out, old + 1, at, mode)
    return out.permute(0, *(old + 1 for old in axes)).contiguous()


def axes_of(matrix: np.ndarray, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Which axis of the target each axis of a grid of this shape runs along, if each runs along one."""
    linear = matrix[:-1, :-1]
    axes = tuple(int(a) for a in np.argmax(np.abs(linear), axis=0))
    if len(set(axes)) != len(axes):
        return None
    stray = np.abs(linear) * (np.array(shape) - 1)
    stray[axes, range(len(axes))] = 0
    return axes if stray.max(initial=0) < _SAME else None


def _along(values: Tensor, axis: int, at: np.ndarray, mode: Mode) -> Tensor:
    size = values.shape[axis]
    near = np.floor(at + 0.5 + _SAME / 100)  # rounding noise must not decide ties
    at = np.where(np.abs(at - near) < _SAME, near, at)
    inside = (at >= -0.5 - _SAME) & (at <= size - 0.5 + _SAME)
    step = float(np.abs(np.diff(at[:2])).max(initial=1.0))
    if mode == "linear" and step > 1 + _SAME:  # also where centres lie on centres: others lie between them
        out = _averaged(values, axis, at, step)
    elif mode == "nearest" or bool(np.all(at == near)):
        out = _take(values, axis, near)
    else:
        at = at.clip(0, size - 1)
        low = np.floor(at)
        part = _broadcast(torch.from_numpy(at - low).to(values), values.ndim, axis)
        below, above = _take(values, axis, low), _take(values, axis, low + 1)
        out = below.lerp(above, part)
    if not inside.all():
        outside = _broadcast(torch.from_numpy(~inside).to(values.device), values.ndim, axis)
        out = out.masked_fill(outside, 0)
    return out


def _averaged(values: Tensor, axis: int, at: np.ndarray, step: float) -> Tensor:
    """Linear interpolation onto a coarser axis, under a triangle as wide as the coarse voxels, so that no old value
    falls between them and sums over voxels are kept. The weights fit a line locally, hence lines stay lines.
    """
    size = values.shape[axis]
    away = np.arange(size) - at.clip(0, size - 1)[:, None]
    near = np.clip(1 - np.abs(away) / step, 0, None)
    total, first, second = (np.sum(near * away**power, axis=1, keepdims=True) for power in (0, 1, 2))
    spread = total * second - first**2
    fitted = near * (second - first * away) / np.where(spread > 0, spread, 1)
    weights = np.where(spread > _SAME, fitted, near / np.maximum(total, np.finfo(float).tiny))
    moved = values.movedim(axis, -1) @ torch.from_numpy(weights.T).to(values)
    return moved.movedim(-1, axis)


def _take(values: Tensor, axis: int, index: np.ndarray) -> Tensor:
    clipped = index.clip(0, values.shape[axis] - 1).astype(np.int64)
    return values.index_select(axis, torch.from_numpy(clipped).to(values.device))


def _broadcast(line: Tensor, ndim: int, axis: int) -> Tensor:
    return line.reshape([-1 if a == axis else 1 for a in range(ndim)])


def _general(values: Tensor, matrix: np.ndarray, shape: tuple[int, ...], mode: Mode) -> Tensor:
    """The slow way, for grids that are turned against each other."""
    from scipy.ndimage import affine_transform

    dims = len(shape)
    order: Literal[0, 1] = 1 if mode == "linear" else 0
    grid = np.ogrid[tuple(slice(0, n) for n in shape)]
    inside = np.ones(shape, dtype=bool)
    for row, size in zip(matrix[:-1], values.shape[1:], strict=True):
        at = row[-1] + sum(row[d] * grid[d] for d in range(dims))
        inside &= (at >= -0.5 - _SAME) & (at <= size - 0.5 + _SAME)
    # scipy gives back the type that it gets: double for exactness, bytes for truth values, which it cannot move
    kind = torch.float64 if mode == "linear" else torch.uint8 if values.dtype == torch.bool else values.dtype
    planes = [
        affine_transform(
            _array(c, kind), matrix[:-1, :-1], matrix[:-1, -1], shape, order=order, mode="nearest"
        )
        for c in values
    ]
    return torch.from_numpy(np.stack(planes) * inside).to(values)


def _array(values: Tensor, kind: torch.dtype) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = values.detach().cpu().to(kind).numpy()
    return array
