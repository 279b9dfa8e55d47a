"""Volumes on a coarser grid, where the fine one takes more room than there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Factors = tuple[int, int, int]
LEAST = 16  # voxels that an axis keeps


def factors(shape: tuple[int, ...], times: int) -> Factors:
    """By how much each axis is reduced, a power of two: short ones, such as those of thick slices, by less.

    >>> factors((256, 256, 40), 4)
    (4, 4, 2)
    """
    a, b, c = (_factor(size, times) for size in shape)
    return a, b, c


def _factor(size: int, times: int) -> int:
    while times > 1 and size < LEAST * times:
        times //= 2
    return times


def mean(values: NDArray[Any], by: Factors) -> NDArray[np.float32]:
    """The mean of every block."""
    return np.asarray(_blocks(values, by).mean(axis=3, dtype=np.float64), np.float32)


def strongest(values: NDArray[Any], by: Factors) -> NDArray[Any]:
    """The value of the largest size of every block."""
    blocks = _blocks(values, by)
    at = np.abs(blocks).argmax(axis=3)[..., None]
    return np.asarray(np.take_along_axis(blocks, at, axis=3)[..., 0])


def middle(values: NDArray[Any], by: Factors) -> NDArray[Any]:
    """The middle voxel of every block: right for labels, which have no mean."""
    blocks = _blocks(values, by)
    return np.asarray(blocks[..., blocks.shape[3] // 2])


def affine(of: NDArray[np.float64], by: Factors) -> NDArray[np.float64]:
    """Index to mm of the blocks' centres."""
    step = np.diag([*map(float, by), 1.0])
    step[:3, 3] = (np.array(by) - 1) / 2
    return of @ step


def _blocks(values: NDArray[Any], by: Factors) -> NDArray[Any]:
    """(a, b, c, voxels of a block); the last blocks are filled up with the edge."""
    padded = np.pad(values, [(0, -size % n) for size, n in zip(values.shape, by, strict=True)], mode="edge")
    a, b, c = (size // n for size, n in zip(padded.shape, by, strict=True))
    cut = padded.reshape(a, by[0], b, by[1], c, by[2]).transpose(0, 2, 4, 1, 3, 5)
    return cut.reshape(a, b, c, -1)
