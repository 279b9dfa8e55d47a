"""Voxels taken out and filled in from their neighbours, so that the hole itself tells the network little."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

Volume = NDArray[np.float64]
TOLERANCE = 1e-6  # of the residual, far below the noise that is added to an in-fill
ITERATIONS = 5000
# From a coarse grid's answer on: errors of some thousandths of the image's range, far below a scan's noise.
COARSE_TOLERANCE = 1e-3
# Holes smaller than this are filled at once.
SMALL = 4096


def neighbour_weights(spacing: Sequence[float]) -> Volume:
    """Weights of the 8 or 26 neighbours, (3,) * dims: the inverse of the squared distance; they sum to one.

    On square pixels these are the published 1/6 (shared edge) and 1/12 (shared corner).

    >>> neighbour_weights((1, 1)) * 12
    array([[1., 2., 1.],
           [2., 0., 2.],
           [1., 2., 1.]])
    """
    out = np.zeros((3,) * len(spacing))
    for offset in product((-1, 0, 1), repeat=len(spacing)):
        if any(offset):
            squared = sum((o * s) ** 2 for o, s in zip(offset, spacing, strict=True))
            out[tuple(o + 1 for o in offset)] = 1 / squared
    return np.asarray(out / out.sum())


def neighbour_mean(image: Volume, spacing: Sequence[float]) -> Volume:
    """(*S) the weighted mean of each voxel's neighbours inside the image: its in-fill where it alone is missing."""
    weights = neighbour_weights(spacing)
    return np.asarray(_around(image, weights) / _around(np.ones_like(image), weights))


def filled(image: Volume, missing: NDArray[np.bool_], spacing: Sequence[float]) -> Volume:
    """Missing voxels replaced by the solution of "each one is the weighted mean of its neighbours".

    Voxel v with neighbours u inside the image: ``Σ_u w(u − v) (x(v) − x(u)) = 0``, where known voxels keep their
    value. The system is symmetric and, with one known voxel at least, positive definite: conjugate gradients solve
    it without a matrix, in the memory of a few images. (Rong et al. 2022, arXiv:2202.00449, in 2-D.)

    Args:
        image: (*S).
        missing: (*S).

    Returns:
        (*S); the image's mean everywhere where nothing is known.
    """
    if not missing.any():
        return image.copy()
    if missing.all():
        return np.full_like(image, image.mean())
    out = image.copy()
    box = _with_neighbours(missing)
    out[box] = _solved(image[box], missing[box], neighbour_weights(spacing))
    return out


def filled_coarse_to_fine(image: Volume, missing: NDArray[np.bool_], spacing: Sequence[float]) -> Volume:
    """Like `filled`, for holes of millions of voxels: each grid starts from the answer on one half as fine.

    A coarse voxel is known where any of its voxels is, and then is their mean.
    """
    if missing.sum() <= SMALL or missing.all() or min(image.shape) < 4:
        return filled(image, missing, spacing)
    known = _halved(np.where(missing, 0.0, 1.0))
    means = _halved(np.where(missing, 0.0, image)) / np.maximum(known, 1.0)
    coarse = filled_coarse_to_fine(means, known == 0, [2 * s for s in spacing])
    start = _doubled(coarse, image.shape)
    out = image.copy()
    box = _with_neighbours(missing)
    out[box] = _solved(image[box], missing[box], neighbour_weights(spacing), start[box], COARSE_TOLERANCE)
    return out


def noise_deviation(
    image: Volume, where: NDArray[np.bool_], spacing: Sequence[float], missing: NDArray[np.bool_]
) -> float:
    """Standard deviation of white noise at these voxels, from their differences to the mean of the known neighbours.

    Of the differences, each in units of what unit noise would make it, the median size is taken, so that edges do not
    count as noise. Where some voxels have all their neighbours, only these are asked, since a slope counts as noise where
    neighbours are on one side. 0 where no voxel has a known neighbour.
    """
    weights, known = neighbour_weights(spacing), np.where(missing, 0.0, 1.0)
    total = _around(known, weights)
    complete = where & (total > 1 - 1e-9)
    where = complete if complete.any() else where & (total > 0)
    total = total[where]
    mean = _around(image * known, weights)[where] / total
    differences = np.abs(image[where] - mean) / np.sqrt(1 + _around(known, weights**2)[where] / total**2)
    # the median size of a standard normal number is 0.6745
    return float(np.median(differences) / 0.6745) if differences.size else 0.0


def _halved(image: Volume) -> Volume:
    """Sums of blocks of two voxels along every axis, the last ones cut off."""
    for axis, size in enumerate(image.shape):
        image = np.add.reduceat(image, np.arange(0, size, 2), axis=axis)
    return image


def _doubled(image: Volume, shape: tuple[int, ...]) -> Volume:
    """Linear interpolation of block values at the voxels of the blocks, for an image of this shape."""
    places = [((np.arange(n) - 0.5) / 2).clip(0, m - 1) for n, m in zip(shape, image.shape, strict=True)]
    for axis, place in enumerate(places):
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, image.shape[axis] - 1)
        share = (place - below).reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        image = image.take(below, axis) * (1 - share) + image.take(above, axis) * share
    return image


def _solved(
    image: Volume,
    missing: NDArray[np.bool_],
    weights: Volume,
    start: Volume | None = None,
    tolerance: float = TOLERANCE,
) -> Volume:
    degree = _around(np.ones_like(image), weights)[missing]
    # about the mean of what is known, so that the tolerance does not depend on the unit's zero
    middle = image[~missing].mean()
    known = np.where(missing, 0.0, image - middle)
    full = np.zeros_like(image)

    def apply(x: Volume) -> Volume:
        full[missing] = x.ravel()
        return np.asarray(degree * x.ravel() - _around(full, weights)[missing])

    size = len(degree)
    right = _around(known, weights)[missing]
    scaled = LinearOperator((size, size), matvec=lambda x: x.ravel() / degree, dtype=np.float64)
    system = LinearOperator((size, size), matvec=apply, dtype=np.float64)
    first = None if start is None else start[missing] - middle
    solution, unfinished = cg(system, right, first, rtol=tolerance, maxiter=ITERATIONS, M=scaled)
    if unfinished:
        warnings.warn(
            f"an in-fill of {size} voxels has not converged in {ITERATIONS} iterations", stacklevel=2
        )
    out = image.copy()
    out[missing] = solution + middle
    return out


def _with_neighbours(missing: NDArray[np.bool_]) -> tuple[slice, ...]:
    """The box of the missing voxels and their neighbours."""
    (box,) = scipy.ndimage.find_objects(missing.astype(np.uint8))
    return tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in box)


def _around(image: Volume, weights: Volume) -> Volume:
    return np.asarray(scipy.ndimage.correlate(image, weights, mode="constant"))
